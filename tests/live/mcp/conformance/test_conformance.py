"""The official MCP conformance suite against a capability file alone: its full profile.

Opt-in, because it needs Node.js 22 or newer and an npm package. With both installed:

    NAFTIKO_CONFORMANCE=path/to/node_modules/@modelcontextprotocol/conformance/dist/index.js
    NAFTIKO_NODE=path/to/node        (where it is not on the PATH)
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.serving import serving

SUITE = os.environ.get("NAFTIKO_CONFORMANCE", "")
NODE = os.environ.get("NAFTIKO_NODE") or shutil.which("node") or ""
CAPABILITY = Path(__file__).parents[3] / "cases/capabilities/mcp-everything/capability.yaml"
REQUIRED = {"2025-11-25": 30, "2026-07-28": 37}
"""Scenarios that a revision requires."""
ALSO = {
    "2025-11-25": ("server-session-lifecycle", "json-schema-2020-12", "server-sse-polling"),
    "2026-07-28": (
        "json-schema-2020-12",
        "http-header-validation",
        "http-custom-header-server-validation",
    ),
}
"""Scenarios that are run and not required, and that pass here. (Tasks: test_tasks.py.)"""

pytestmark = pytest.mark.skipif(
    not (SUITE and NODE), reason="NAFTIKO_CONFORMANCE does not name the suite, or there is no node"
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(CAPABILITY) as served:
        yield served.urls["everything"] + "/mcp"


@pytest.mark.parametrize("revision", REQUIRED)
def test_every_required_scenario_passes(revision: str, url: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [NODE, SUITE, "server", "--url", url, "--requirements", revision, "-o", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    _, _, summary = run.stdout.partition("=== SUMMARY ===")
    passed = re.findall(r"^✓ ([\w-]+): ", summary, re.MULTILINE)
    failed = re.findall(r"^✗ ([\w-]+): ", summary, re.MULTILINE)
    assert not [name for name in failed if not name.startswith("tasks-")], run.stdout[-6000:]
    for scenario in ALSO[revision]:
        assert scenario in passed
    scored = [name for name in passed if name not in ALSO[revision] and "tasks" not in name]
    assert len(scored) == REQUIRED[revision], summary
    # What the suite only warns of (a SHOULD) is held here too.
    for checks in tmp_path.glob("server-[!t]*/checks.json"):
        assert '"WARNING"' not in checks.read_text(), checks.read_text()[-3000:]
