"""Capabilities called from threads that come and go, in a process that must survive it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.live.http.upstream import running_upstream

DOCUMENT = """
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - namespace: api
      type: http
      baseUri: UPSTREAM
      resources: [{name: a, path: /a, operations: [{name: get-a, method: GET}]}]
  exposes:
    - {type: mcp, namespace: m, port: 9090, tools: [{name: a, description: a, call: api.get-a}]}
"""
PROGRAM = """
import asyncio, sys, threading
from naftiko import load

async def call():
    async with load(sys.argv[1]) as capability:
        print((await capability.call("api.get-a"))["path"])

for _ in range(5):
    thread = threading.Thread(target=lambda: asyncio.run(call()))
    thread.start()
    thread.join()
"""


def test_the_thread_of_the_first_call_may_end(tmp_path: Path) -> None:
    """The HTTP client crashed the process when the thread that had loaded it was gone."""
    file = tmp_path / "capability.yaml"
    with running_upstream() as upstream:
        file.write_text(DOCUMENT.replace("UPSTREAM", upstream.url), encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(file)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "/a\n" * 5, "")
