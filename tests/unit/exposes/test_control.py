"""What a control port tells, by the state of what it tells of."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from naftiko.capability import load
from naftiko.exposes.binding import Listener, Standing
from naftiko.exposes.control.reports import Reports, iso_duration
from naftiko.exposes.host import Host
from naftiko.plan.capability import ControlAdapterPlan
from naftiko.plan.meter import MAX_SERIES, OTHER, Meter

FILE = """
naftiko: "1.0.0-alpha3"
capability:
  exposes:
    - type: rest
      namespace: rest
      port: 8080
      resources:
        - path: /ping
          operations:
            - name: ping
              method: GET
              outputParameters: [{name: pong, type: string, value: x}]
    - type: mcp
      namespace: local
      transport: stdio
      tools:
        - {name: t, description: t, outputParameters: [{name: x, type: string, value: "1"}]}
    - {type: control, port: 9095}
"""


@dataclass
class Finder:
    """Looks for nothing, and says so."""

    state: str

    def status(self) -> dict[str, Any]:
        return {"name": "machines", "state": self.state, "known": 2, "found": 3}


def ready(
    folder: Path, states: Mapping[str, Standing] | None, *finders: str
) -> tuple[int, dict[str, Any]]:
    path = folder / "file.yaml"
    path.write_text(FILE, encoding="utf-8")
    found: Any = tuple(Finder(state) for state in finders)
    plan = replace(load(path).plan, discoveries=found)
    (control,) = (item for item in plan.adapters if isinstance(item, ControlAdapterPlan))
    return Reports(control, plan, lambda: states).ready()


UP = {"rest": Standing(8080, started=True)}


@pytest.mark.parametrize(
    ("states", "finders", "status", "word"),
    [
        (UP, (), 200, "UP"),
        (None, (), 200, "UP"),
        ({"rest": Standing(8080, started=False)}, (), 503, "DEGRADED"),
        ({}, (), 200, "UP"),
        (UP, ("ready",), 200, "UP"),
        (UP, ("ready", "starting"), 503, "DEGRADED"),
        (UP, ("failing",), 200, "DEGRADED"),
        (UP, ("failing", "starting"), 503, "DEGRADED"),
    ],
)
def test_ready(
    tmp_path: Path,
    states: Mapping[str, Standing] | None,
    finders: tuple[str, ...],
    status: int,
    word: str,
) -> None:
    found, body = ready(tmp_path, states, *finders)
    assert (found, body["status"]) == (status, word)
    assert len(body.get("discoveries", ())) == len(finders)


def test_an_adapter_over_stdio_is_stopped_and_does_not_count(tmp_path: Path) -> None:
    status, body = ready(tmp_path, UP)
    assert status == 200
    assert body["adapters"][1] == {"type": "mcp", "namespace": "local", "state": "stopped"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "PT0S"), (1.5, "PT1.5S"), (60, "PT1M"), (3725.25, "PT1H2M5.25S"), (90000, "PT25H")],
)
def test_durations(seconds: float, text: str) -> None:
    assert iso_duration(seconds) == text


def test_labels_are_bounded() -> None:
    meter = Meter()
    for number in range(MAX_SERIES + 50):
        meter.request("mcp", f"tool-{number}", "ERROR", 0.1, f"code-{number}")
        meter.call("GET", f"host-{number}", "200", "", 0.1)
    assert len(meter.requests) == len(meter.errors) == len(meter.calls) == MAX_SERIES + 1
    assert meter.requests["mcp", OTHER, "ERROR"].count == 50
    assert meter.calls["GET", OTHER, "200", ""].count == 50


def test_an_app_that_cannot_be_built_has_not_started() -> None:
    def broken() -> Any:
        raise RuntimeError("no")

    async def scenario() -> dict[str, Standing]:
        listener = Listener(
            name="mcp",
            address="127.0.0.1",
            port=0,
            app_factory=broken,
            authenticated=False,
            lazy=True,
        )
        started = asyncio.Event()
        host = Host(
            [listener], warm_after_s=None, handle_signals=False, on_started=started.set, tune=False
        )
        assert host.states() == {}
        serving = asyncio.ensure_future(host.serve())
        await started.wait()
        assert host.states()["mcp"].started
        await host.warm()
        states = host.states()
        host.stop()
        await serving
        return states

    states = asyncio.run(scenario())
    assert not states["mcp"].started


WITHOUT = """
import asyncio, sys
sys.modules["prometheus_client"] = None
from naftiko.capability import load
capability = load(sys.argv[1])
print([(item.code, item.severity.name) for item in capability.problems])
app = capability.control_app()
async def ask():
    async def send(message):
        print(message.get("status", message.get("body")))
    scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": []}
    await app(scope, None, send)
asyncio.run(ask())
"""


@pytest.mark.parametrize(
    ("more", "severity"), [("", "INFO"), (", observability: {metrics: {}}", "WARNING")]
)
def test_without_the_library_checking_says_so_and_metrics_are_unavailable(
    tmp_path: Path, more: str, severity: str
) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(FILE.replace("port: 9095}", f"port: 9095{more}}}"), encoding="utf-8")
    command = [sys.executable, "-c", WITHOUT, str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert f"('missing-extra', '{severity}')" in found.stdout
    assert "\n503\n" in found.stdout
    assert "naftiko[metrics]" in found.stdout
