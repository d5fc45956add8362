from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from naftiko.document.nodes import Scalar
from naftiko.source import Location
from naftiko.workflow.resolution.data import ResolutionData

FOLDER = Path(__file__).parents[4] / "capabilities" / "workflow-catalog" / "resolution"


@pytest.fixture(scope="session")
def data() -> ResolutionData:
    return ResolutionData.load([FOLDER])


@pytest.fixture
def scalar() -> Callable[[str], Scalar]:
    def make(text: str) -> Scalar:
        return Scalar(text, text, Location("w.yaml", 3, 5))

    return make
