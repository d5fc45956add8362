"""One sandbox for all tests of a process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from naftiko.sandbox import Sandbox
from tests.live.workflows.stage import House, Stage, make_catalog


@pytest.fixture(scope="package")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


@pytest.fixture(scope="package")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_catalog(tmp_path_factory.mktemp("workflows"))


@pytest.fixture
def stage(sandbox: Sandbox, catalog: Path, tmp_path: Path) -> Stage:
    """The catalog as it is: nobody changes it."""
    return Stage(sandbox, catalog, tmp_path)


@pytest.fixture
def own(sandbox: Sandbox, catalog: Path, tmp_path: Path) -> Stage:
    """A copy of the catalog, to be changed."""
    return Stage(sandbox, Path(shutil.copytree(catalog, tmp_path / "catalog")), tmp_path)


@pytest.fixture(scope="package")
def house(
    sandbox: Sandbox, catalog: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """The capability with all defaults, for tests that only need one."""
    stage = Stage(sandbox, catalog, tmp_path_factory.mktemp("house"))
    with stage.serving() as serving:
        yield serving
