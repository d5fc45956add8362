"""The control port: health, status, metrics. docs/examples/control.yaml and smaller files."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from naftiko.capability import load
from naftiko.errors import StartError
from naftiko.exposes.host import Host
from naftiko.serving import ServeOptions, build_host
from tests.case_files import ROOT
from tests.live.discovery.reports import EXAMPLE as DISCOVERY
from tests.live.mcp.clients import connect
from tests.live.peers import running_app
from tests.live.serving import Served, serving

EXAMPLE = ROOT / "docs/examples/control.yaml"
TOKEN = "canary-probe-token"  # of this test alone
AUTH = {"authorization": f"Bearer {TOKEN}"}
PLAIN = """
naftiko: "1.0.0-alpha3"
info: {{label: Plain}}
capability:
  exposes:
    - type: rest
      namespace: {name}
      port: 8080
      resources:
        - path: /ping
          operations:
            - name: ping
              method: GET
              outputParameters: [{{name: pong, type: string, value: x}}]
    - {{type: control, port: 9095{more}}}
"""


if TYPE_CHECKING:
    from starlette.requests import Request


async def order(request: Request) -> Response:
    number = request.path_params["id"]
    if number == "0":
        return JSONResponse({"error": "none"}, 404)
    return JSONResponse({"id": number})


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with running_app(Starlette(routes=[Route("/orders/{id}", order)])) as port:
        environment = {"ORDERS_URL": f"http://127.0.0.1:{port}", "PROBE_TOKEN": TOKEN}
        with serving(EXAMPLE, environment=environment) as found:
            yield found


def file(folder: Path, name: str = "rest", more: str = "") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(PLAIN.format(name=name, more=more), encoding="utf-8")
    return path


def samples(served: Served) -> dict[str, float]:
    """Return `name{label="value"}` -> value of all metrics; labels with their names in order."""
    answer = served.request("control", "GET", "/metrics", **AUTH)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        _key(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def _key(name: str, labels: dict[str, str]) -> str:
    return f"{name}{dict(sorted(labels.items())) or ''}"


def test_it_is_alive_and_ready(served: Served) -> None:
    assert served.request("control", "GET", "/health/live", **AUTH).body == {"status": "UP"}
    answer = served.request("control", "GET", "/health/ready", **AUTH)
    assert answer.status == 200

    def port(name: str) -> int:
        return int(served.urls[name].rpartition(":")[2])

    assert answer.body == {
        "status": "UP",
        "adapters": [
            {"type": kind, "namespace": name, "port": port(name), "state": "started"}
            for kind, name in (("rest", "orders-rest"), ("mcp", "orders-mcp"))
        ],
    }
    assert answer.headers["cache-control"] == "no-store"


def test_it_says_what_is_served(served: Served) -> None:
    body = served.request("control", "GET", "/status", **AUTH).body
    assert body["capability"] == {"label": "Orders", "specVersion": "1.0.0-alpha3"}
    assert body["engine"]["name"] == "naftiko"
    assert body["uptime"].startswith("PT")
    assert body["otel"] == {"status": "inactive"}
    assert [item["state"] for item in body["adapters"]] == ["started", "started"]
    assert body["notServed"] == []


def test_nobody_without_credentials_sees_anything(served: Served) -> None:
    for path in ("/", "/health/live", "/health/ready", "/status", "/metrics", "/traces"):
        answer = served.request("control", "GET", path)
        assert (answer.status, answer.body["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/traces", 404, "not-served"),
        ("GET", "/traces/0af7", 404, "not-served"),
        ("GET", "/scripting", 404, "not-served"),
        ("PUT", "/scripting", 404, "not-served"),
        ("POST", "/config/reload", 404, "not-served"),
        ("GET", "/logs/stream", 404, "not-served"),
        ("POST", "/health/live", 405, "method-not-allowed"),
    ],
)
def test_what_is_not_there_is_a_problem(
    served: Served, method: str, path: str, status: int, code: str
) -> None:
    answer = served.request("control", method, path, **AUTH)
    assert (answer.status, answer.body["code"]) == (status, code)


def test_the_index_lists_the_endpoints(served: Served) -> None:
    answer = served.request("control", "GET", "/", **AUTH)
    assert answer.body == {"endpoints": ["/health/live", "/health/ready", "/status", "/metrics"]}


def test_requests_and_calls_are_counted_by_what_the_file_names(served: Served) -> None:
    before = samples(served)
    for path in ("/orders/7", "/orders/8", "/orders/0", "/secret-path/x"):
        served.request("orders-rest", "GET", path)

    async def tools() -> None:
        async with connect(f"{served.urls['orders-mcp']}/mcp", "2026-07-28") as client:
            await client.call_tool("get-order", {"id": "7"})
            await client.call_tool("get-order", {"id": "0"})
            await client.call_tool("get-order", {"wrong": "7"})

    asyncio.run(tools())
    after = samples(served)

    def grown(name: str, **labels: str) -> float:
        key = _key(name, labels)
        return after.get(key, 0) - before.get(key, 0)

    def requests(kind: str, operation: str, status: str) -> float:
        return grown(
            "naftiko_request_total",
            naftiko_adapter_type=kind,
            naftiko_operation_id=operation,
            status=status,
        )

    assert requests("rest", "/orders/{id} GET", "200") == 2
    assert requests("rest", "/orders/{id} GET", "404") == 1
    assert requests("rest", "unknown", "404") == 1
    assert requests("mcp", "get-order", "OK") == 1
    assert requests("mcp", "get-order", "ERROR") == 2
    host = {"http_request_method": "GET", "server_address": "127.0.0.1"}
    sent = {"http_response_status_code": "200", "error_type": ""}
    assert grown("naftiko_http_client_total", **host, **sent) == 3
    assert (
        grown(
            "naftiko_request_errors",
            naftiko_adapter_type="mcp",
            naftiko_operation_id="get-order",
            error_type="invalid-input",
        )
        == 1
    )
    assert (
        grown(
            "naftiko_request_duration_seconds_count",
            naftiko_adapter_type="rest",
            naftiko_operation_id="/orders/{id} GET",
            status="200",
        )
        == 2
    )
    assert after["naftiko_capability_active{'naftiko_capability': 'Orders'}"] == 1
    text = "".join(after)
    assert "secret-path" not in text
    assert TOKEN not in text


def test_what_is_turned_off_is_not_there(tmp_path: Path) -> None:
    more = ", management: {health: false}, observability: {metrics: {local: {enabled: false}}}"
    with serving(file(tmp_path, more=more)) as found:
        for path in ("/health/live", "/health/ready", "/status", "/metrics"):
            answer = found.request("control", "GET", path)
            assert (answer.status, answer.body["code"]) == (404, "turned-off")
            assert answer.body["hint"]
        assert found.capability.plan.meter is None
        assert found.request("rest", "GET", "/ping").status == 200


def test_without_a_control_adapter_nothing_is_counted() -> None:
    plan = load(ROOT / "docs/examples/outputs.yaml", environment={"USERS_URL": "http://x"}).plan
    assert plan.meter is None
    assert all(getattr(adapter, "meter", None) is None for adapter in plan.adapters)


def test_it_listens_on_this_machine_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    capability = load(file(tmp_path))
    host = build_host([capability], ServeOptions(ports={"rest": 0, "control": 0}))
    host.bind()
    try:
        assert host.addresses["control"][0] == "localhost"
    finally:
        host.close()
    with pytest.raises(StartError, match="without authentication"):
        build_host([load(file(tmp_path, more=", address: 0.0.0.0"))], ServeOptions()).bind()


class Running:
    """A host in a thread, whose control port is asked while it stops."""

    def __init__(self, host: Host) -> None:
        self.host = host
        host.bind()
        self.thread = threading.Thread(target=lambda: asyncio.run(host.serve()), name="host")
        self.thread.start()

    def get(self, name: str, path: str) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.host.addresses[name][1]}{path}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


def test_each_capability_of_a_process_has_its_own(tmp_path: Path) -> None:
    capabilities = [load(file(tmp_path, name)) for name in ("one", "two")]
    ports = dict.fromkeys(("one", "two", "control", "control-2"), 0)
    running = Running(build_host(capabilities, ServeOptions(ports=ports)))
    try:
        for name, control in (("one", "control"), ("two", "control-2")):
            status, body = running.get(control, "/health/ready")
            assert status == 200
            assert [item["namespace"] for item in body["adapters"]] == [name]
    finally:
        running.host.stop()
        running.thread.join(30)


def test_while_it_drains_it_is_not_ready_and_says_so(tmp_path: Path) -> None:
    asked, release = threading.Event(), threading.Event()

    async def slow(_: Request) -> Response:
        asked.set()
        await asyncio.to_thread(release.wait, 30)
        return JSONResponse({"id": 1})

    text = EXAMPLE.read_text("utf-8").replace(
        'authentication: {type: bearer, token: "{{env.PROBE_TOKEN}}"}', ""
    )
    path = tmp_path / "drains.yaml"
    path.write_text(text, encoding="utf-8")
    with running_app(Starlette(routes=[Route("/orders/{id}", slow)])) as port:
        capability = load(
            path, environment={"ORDERS_URL": f"http://127.0.0.1:{port}", "PROBE_TOKEN": "x"}
        )
        names = ("orders-rest", "orders-mcp", "control")
        running = Running(build_host([capability], ServeOptions(ports=dict.fromkeys(names, 0))))
        answers: list[tuple[int, Any]] = []
        caller = threading.Thread(
            target=lambda: answers.append(running.get("orders-rest", "/orders/1")), name="caller"
        )
        caller.start()
        try:
            assert asked.wait(30)
            assert running.get("control", "/health/ready")[0] == 200
            running.host.stop()
            status, body = running.get("control", "/health/ready")
            assert (status, body["status"]) == (503, "DEGRADED")
            assert {item["state"] for item in body["adapters"]} == {"stopped"}
            assert running.get("control", "/health/live") == (200, {"status": "UP"})
        finally:
            release.set()
            caller.join(30)
            running.thread.join(30)
    assert answers == [(200, {"id": 1})]
    assert not running.thread.is_alive()


def test_adapters_that_are_left_out_do_not_count(tmp_path: Path) -> None:
    capability = load(file(tmp_path))
    options = ServeOptions(only=["control"], ports={"control": 0})
    running = Running(build_host([capability], options))
    try:
        status, body = running.get("control", "/health/ready")
        assert (status, body["status"]) == (200, "UP")
        assert [item["state"] for item in body["adapters"]] == ["stopped"]
    finally:
        running.host.stop()
        running.thread.join(30)


def test_a_program_can_mount_it(tmp_path: Path) -> None:
    app = load(file(tmp_path)).control_app()
    with (
        running_app(app) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=30) as response,
    ):
        assert json.load(response)["adapters"][0]["state"] == "started"


def test_discoveries_are_shown(tmp_path: Path) -> None:
    """Nothing answers where the list would come from: the rest is served all the same."""
    text = DISCOVERY.read_text("utf-8")
    text += "    - {type: control, port: 9095}\n"
    path = tmp_path / "discovery.yaml"
    path.write_text(text, encoding="utf-8")
    with serving(path, environment={"REPORTS_URL": "http://127.0.0.1:1"}) as found:
        (finder, *_) = found.capability.plan.discoveries
        answer = found.request("control", "GET", "/health/ready")
        shown = answer.body["discoveries"][0]
        assert shown["name"] == finder.name
        assert answer.body["status"] == "DEGRADED"
        assert answer.status == (503 if shown["state"] == "starting" else 200)
        text = found.request("control", "GET", "/metrics").body.decode()
        assert f'naftiko_discovery_entries{{naftiko_discovery="{finder.name}"' in text
