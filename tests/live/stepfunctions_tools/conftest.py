"""One sandbox for all stories of a process; each has machines with a prefix of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from naftiko.sandbox import Sandbox
from tests.live.sandbox.conftest import connect
from tests.live.stepfunctions_tools.stage import Aws


@pytest.fixture(scope="package")
def aws() -> Iterator[Aws]:
    with Sandbox.start() as sandbox:
        client = connect(sandbox.account)
        yield Aws(sandbox, client)
        client.close()
