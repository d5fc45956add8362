"""Several capabilities are closed together: who stopped them waits for the slowest only."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from naftiko.capability import Capability
from naftiko.engine import LoadOptions, load_plan
from naftiko.errors import StartError
from naftiko.serving import ServeOptions, serve_capabilities

TEXT = """
naftiko: "1.0.0-alpha3"
capability:
  consumes: []
  exposes:
    - type: rest
      namespace: {name}
      port: 0
      resources:
        - path: /x
          name: x
          operations: [{{name: x, method: GET, outputParameters: [{{type: string, value: x}}]}}]
"""


def test_none_is_closed_after_another(tmp_path: Path) -> None:
    class Meeting(Capability):
        async def close(self) -> None:
            await meeting.wait()
            await super().close()

    meeting = asyncio.Barrier(2)
    loaded = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(TEXT.format(name=name), encoding="utf-8")
        loaded.append(Meeting(load_plan(path, LoadOptions(environment={}))))

    async def story() -> None:
        async with asyncio.timeout(20):
            await serve_capabilities(loaded, ServeOptions(host="192.0.2.1"))

    with pytest.raises(StartError, match="without authentication"):
        asyncio.run(story())
    assert meeting.n_waiting == 0
