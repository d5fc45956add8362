from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.resilience.upstream import Upstream, empty, upstream_running


@pytest.fixture(scope="module")
def one_upstream() -> Iterator[Upstream]:
    with upstream_running() as upstream:
        yield upstream


@pytest.fixture
def upstream(one_upstream: Upstream) -> Upstream:
    one_upstream.seen.clear()
    one_upstream.handler = empty
    return one_upstream
