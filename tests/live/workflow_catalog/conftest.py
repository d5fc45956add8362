"""One embedded AWS for all workflows; every case empties it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from naftiko.cli.workflows.trying import Trial


@pytest.fixture(scope="package")
def trial() -> Iterator[Trial]:
    with Trial.open() as running:
        yield running
