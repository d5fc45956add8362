"""The Step Functions capability on its own sandbox: the shipped file, and the seed verbatim."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from naftiko.sandbox import Sandbox
from tests.case_files import ROOT, SHARED
from tests.live.serving import Served, serving

SEED = SHARED / "seeds" / "workflow-orchestration.yaml"
SEED_SHARED = (
    SHARED / "corpus/api-evangelist+step-functions/capabilities/shared/step-functions.yaml"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


@pytest.fixture(scope="module", params=["shipped", "seed"])
def served(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    path = ROOT / "capabilities" / "stepfunctions.yaml"
    if request.param == "seed":
        path = seed_folder(tmp_path_factory.mktemp("seed"))
    with serving(
        path, environment=sandbox.environment(), sandbox=True, workspace=path.parent.parent
    ) as running:
        yield running


def seed_folder(folder: Path) -> Path:
    """Lay out the seed's file with the file it imports, both verbatim."""
    if not SEED.exists() or not SEED_SHARED.exists():
        pytest.skip("the seed documents do not lie beside the project")
    (folder / "capabilities/shared").mkdir(parents=True)
    shutil.copy(SEED_SHARED, folder / "capabilities/shared/step-functions.yaml")
    return Path(shutil.copy(SEED, folder / "capabilities/stepfunctions.yaml"))
