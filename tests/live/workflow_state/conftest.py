"""Each store in turn: the same tests hold for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from naftiko.sandbox import Sandbox
from tests.live.workflow_state.support import Boto, Stores


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


@pytest.fixture
def boto(sandbox: Sandbox) -> Boto:
    return Boto(sandbox)


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    if request.param != "dynamodb":
        return Stores(kind=request.param, folder=tmp_path)
    running = request.getfixturevalue("sandbox")
    return Stores(kind=request.param, folder=tmp_path, sandbox=running)
