"""`naftiko run` and `naftiko sandbox` as processes, over real ports and signals."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.case_files import ROOT
from tests.live.cli.processes import Running, running

STEPFUNCTIONS = ROOT / "capabilities" / "stepfunctions.yaml"
MOCK = ROOT / "capabilities" / "examples" / "mock.yaml"
FREE = (
    "--port",
    "workflow-orchestration-api=0",
    "--port",
    "workflow-orchestration-mcp=0",
)
FREE_MOCK = ("--port", "greetings-rest=0", "--port", "greetings-mcp=0")


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  # loopback
        return json.load(answer)


def curl(command: str) -> Any:
    """Do what a printed curl command does."""
    words = shlex.split(command)
    assert words[:2] == ["curl", "-s"]
    headers, data = {}, None
    rest = iter(words[3:])
    for option in rest:
        value = next(rest)
        if option == "-H":
            name, _, text = value.partition(": ")
            headers[name] = text
        else:
            assert option == "-d"
            data = value.encode()
    request = urllib.request.Request(words[2], data=data, headers=headers)  # noqa: S310  # loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


@pytest.fixture(scope="module")
def with_examples() -> Iterator[Running]:
    with running("run", STEPFUNCTIONS, "--sandbox", "--examples", *FREE) as process:
        process.urls()
        yield process


def test_it_says_where_everything_listens(with_examples: Running) -> None:
    said = "\n".join(with_examples.said)
    assert "17 operations" in said
    assert "15 tools" in said
    assert "/openapi.json" in said
    assert "three things to try:" in said


def test_the_things_to_try_work(with_examples: Running) -> None:
    commands = [line.strip() for line in with_examples.said if line.startswith("     ")]
    assert len(commands) == 3
    listed = curl(commands[0])
    assert "hello-world" in {machine["name"] for machine in listed["stateMachines"]}
    done = curl(commands[1])
    assert json.loads(done["output"]) == {"greeting": "Hello, Ada!"}
    (server,) = json.loads(commands[2])["mcpServers"].values()
    assert "mcp" in server["url"]
    assert server["type"] == "http"


def test_without_examples_a_machine_is_created() -> None:
    with running("run", STEPFUNCTIONS, "--sandbox", *FREE) as process:
        process.urls()
        commands = [line.strip() for line in process.said if line.startswith("     ")]
        assert "stateMachineArn" in curl(commands[1])
        (machine,) = curl(commands[0])["stateMachines"]
        assert machine["name"] == "hello"


def test_the_sandbox_ignores_the_account_of_the_user() -> None:
    environment = {
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ENDPOINT_URL_SFN": "http://127.0.0.1:9",
        "AWS_CONFIG_FILE": "/no/such/file",
        "AWS_SIGV4_AUTH": "profile",
    }
    with running("run", STEPFUNCTIONS, "--sandbox", *FREE, environment=environment) as process:
        rest = process.urls()["rest"]
        assert get(f"{rest}/v1/state-machines") == {"stateMachines": []}


def test_sigterm_ends_with_0_and_says_nothing() -> None:
    with running("run", MOCK, *FREE_MOCK) as process:
        assert get(process.urls()["rest"] + "/greetings/Ada")["greeting"] == "hello Ada"
        said = len(process.said)
        assert process.stop(signal.SIGTERM) == 0
        assert process.said[said:] == []
        assert process.out() == ""


def test_ctrl_c_ends_with_130_and_says_nothing() -> None:
    with running("run", MOCK, *FREE_MOCK) as process:
        process.urls()
        said = len(process.said)
        assert process.stop(signal.SIGINT) == 130
        assert process.said[said:] == []


def test_only_serves_what_is_named() -> None:
    with running("run", MOCK, *FREE_MOCK, "--only", "greetings-rest") as process:
        assert set(process.urls()) == {"rest", "openapi"}


def test_a_port_in_use_is_said_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running("run", MOCK, "--port", f"greetings-rest={port}") as process:
            line = process.until("error")
            assert process.process.wait(30) == 3
    assert str(port) in line
    assert "Traceback" not in "\n".join(process.said)


def test_beyond_this_machine_needs_authentication() -> None:
    with running("run", MOCK, *FREE_MOCK, "--host", "0.0.0.0") as process:  # noqa: S104
        process.until("--insecure")
        assert process.process.wait(30) == 3


def test_stdio_speaks_protocol_only_on_stdout() -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    with running("run", MOCK, "--stdio", "greetings-mcp") as client:
        assert client.process.stdin is not None
        assert client.process.stdout is not None
        client.process.stdin.write(json.dumps(hello) + "\n")
        client.process.stdin.flush()
        answer = json.loads(client.process.stdout.readline())
        assert answer["result"]["serverInfo"]["name"]
        client.process.stdin.close()
        assert client.process.wait(30) == 0
        assert client.process.stdout.read() == ""


def test_stdio_of_an_unknown_namespace_has_a_hint() -> None:
    with running("run", MOCK, "--stdio", "greetings-mpc") as process:
        process.until("did you mean `greetings-mcp`?")
        assert process.process.wait(30) == 3


def test_the_sandbox_command_prints_what_an_sdk_needs() -> None:
    with running("sandbox", "--port", "0", "--examples") as process:
        process.until("in another terminal")
        assert process.process.stdout is not None
        lines = [process.process.stdout.readline() for _ in range(5)]
        settings = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
        assert settings["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
        with running("call", STEPFUNCTIONS, "list-state-machines", environment=settings) as call:
            assert call.process.wait(60) == 0
            assert "hello-world" in call.out()
        assert process.stop(signal.SIGTERM) == 0


def test_logs_are_lines_of_json(tmp_path: Path) -> None:
    path = tmp_path / "broken-mcp.yaml"
    path.write_text(MOCK.read_text() + "colour: red\n")
    with running(
        "run", path, *FREE_MOCK, "--log-format", "json", "--log-level", "debug"
    ) as process:
        process.until('"greetings-mcp"')
        assert process.stop() == 0
    records = [json.loads(line) for line in process.said]
    for record in records:
        assert {"time", "level", "logger", "message"} <= record.keys()
    warned = next(record for record in records if record["level"] == "warning")
    assert warned["code"] == "unknown-field"
    assert warned["location"].startswith(f"{path}:")
    listening = {item["namespace"]: item["url"] for item in records if "namespace" in item}
    assert listening.keys() == {"greetings-rest", "greetings-mcp"}
    assert listening["greetings-rest"].startswith("http://127.0.0.1:")


def test_an_error_at_the_start_is_a_line_of_json_too(tmp_path: Path) -> None:
    with running("run", tmp_path / "none.yaml", "--log-format", "json") as process:
        line = process.until("none.yaml")
        assert process.process.wait(60) == 3
    assert json.loads(line)["level"] == "error"
