"""The task scenarios of the official MCP conformance suite. Opt-in, as test_conformance.py says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.mcp.conformance.test_conformance import NODE, SUITE
from tests.live.serving import serving

CAPABILITY = Path(__file__).parents[3] / "cases/capabilities/mcp-tasks/capability.yaml"
SCENARIOS = (
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-required-task-error",
)
"""All but `tasks-mrtr-composition`, which asks before there is a task, and
`tasks-status-notifications`, which the suite does not carry out yet."""

pytestmark = pytest.mark.skipif(
    not (SUITE and NODE), reason="NAFTIKO_CONFORMANCE does not name the suite, or there is no node"
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(CAPABILITY) as served:
        yield served.urls["jobs"] + "/mcp"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_of_the_extension_passes(scenario: str, url: str, tmp_path: Path) -> None:
    options = ["--scenario", scenario, "--spec-version", "2026-07-28", "--force"]
    run = subprocess.run(
        [NODE, SUITE, "server", "--url", url, *options, "-o", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ", 0 failed, 0 warnings" in run.stdout, run.stdout[-6000:] + run.stderr[-2000:]
