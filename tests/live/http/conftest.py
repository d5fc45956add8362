from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.http.upstream import Upstream, running_upstream


@pytest.fixture(scope="module")
def served() -> Iterator[Upstream]:
    with running_upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(served: Upstream) -> Upstream:
    served.requests.clear()
    return served
