"""Every workflow that comes with naftiko does what its tests say, and they test all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from naftiko.cli.workflows.trying import Trial
from naftiko.workflow.catalog import Catalog, shipped

FOLDER = shipped()
assert FOLDER is not None
CATALOG = Catalog.open([FOLDER])


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    """One sandbox for all of them."""
    with Trial.open() as opened:
        yield opened


@pytest.mark.parametrize("ref", [entry.ref for entry in CATALOG.entries])
def test_a_workflow_of_the_catalog(ref: str, trial: Trial) -> None:
    tried = trial.run(CATALOG, CATALOG.find(ref))
    assert tried.passed, "\n".join(tried.failures)
    assert tried.report is not None
    assert tried.report.coverage.is_complete, tried.report.coverage
