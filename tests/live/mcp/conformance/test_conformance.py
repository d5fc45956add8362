"""The official MCP conformance suite against an adapter of ours.

Opt-in, because it needs Node.js 22 or newer and an npm package. With both installed:

    NAFTIKO_CONFORMANCE=path/to/node_modules/@modelcontextprotocol/conformance/dist/index.js
    NAFTIKO_NODE=path/to/node        (where it is not on the PATH)
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.mcp.conformance.conformance_plan import conformance_app
from tests.live.mcp.mcp_demo import serving

SUITE = os.environ.get("NAFTIKO_CONFORMANCE", "")
NODE = os.environ.get("NAFTIKO_NODE") or shutil.which("node") or ""

pytestmark = pytest.mark.skipif(
    not (SUITE and NODE), reason="NAFTIKO_CONFORMANCE does not name the suite, or there is no node"
)

LEGACY = (
    "server-initialize",
    "server-session-lifecycle",
    "ping",
    "tools-list",
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-error",
    "tools-call-with-progress",
    "json-schema-2020-12",
    "server-sse-multiple-streams",
    "resources-list",
    "prompts-list",
    "dns-rebinding-protection",
)
MODERN = (
    "server-stateless",
    "tools-list",
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-error",
    "tools-call-with-progress",
    "json-schema-2020-12",
    "server-sse-multiple-streams",
    "resources-list",
    "sep-2164-resource-not-found",
    "prompts-list",
    "dns-rebinding-protection",
    "caching",
    "http-header-validation",
    "http-custom-header-server-validation",
    "input-required-result-unsupported-methods",
)
SCENARIOS = [("2025-11-25", name) for name in LEGACY] + [("2026-07-28", name) for name in MODERN]


@pytest.fixture(scope="module")
def plain() -> Iterator[int]:
    with serving(conformance_app(demanding=False)) as port:
        yield port


@pytest.fixture(scope="module")
def demanding() -> Iterator[int]:
    with serving(conformance_app(demanding=True)) as port:
        yield port


@pytest.mark.parametrize(("revision", "scenario"), SCENARIOS)
def test_scenario_passes(
    revision: str, scenario: str, plain: int, demanding: int, tmp_path: Path
) -> None:
    port = demanding if scenario == "server-stateless" else plain
    url = f"http://127.0.0.1:{port}/mcp"
    options = ["--url", url, "--scenario", scenario, "--spec-version", revision]
    run = subprocess.run(
        [NODE, SUITE, "server", *options, "--output-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
