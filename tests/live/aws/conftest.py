from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from tests.live.aws.support import Upstream, upstream


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """AWS, as moto pretends to be it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def _aws() -> Iterator[Upstream]:
    with upstream() as fake:
        yield fake


@pytest.fixture
def aws(_aws: Upstream) -> Upstream:
    """An upstream that nothing was asked of yet."""
    _aws.program()
    return _aws
