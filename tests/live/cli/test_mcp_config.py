"""What `naftiko mcp-config` prints, and what it refuses to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.case_files import ROOT
from tests.live.cli.config_clients import CASES, MACHINES, SEVERAL, Machine, Naftiko

OWN = Path(sys.executable).with_name("naftiko")
HTTP = "http://127.0.0.1:9090/mcp"
STDIO_TYPES = {"claude-code": "stdio", "vscode": "stdio"}
BEARER = {
    "claude-code": ("type", "url", "Bearer ${NAFTIKO_MACHINES_TOKEN}"),
    "cursor": ("", "url", "Bearer ${env:NAFTIKO_MACHINES_TOKEN}"),
    "vscode": ("type", "url", "Bearer ${input:naftiko-machines-token}"),
    "kiro": ("", "url", "Bearer ${NAFTIKO_MACHINES_TOKEN}"),
    "amazon-q": ("type", "url", "Bearer ${env:NAFTIKO_MACHINES_TOKEN}"),
    "windsurf": ("", "serverUrl", "Bearer ${env:NAFTIKO_MACHINES_TOKEN}"),
    "json": ("type", "url", "Bearer ${NAFTIKO_MACHINES_TOKEN}"),
}
ALL = ("claude-desktop", "claude-code", "cursor", "vscode", "kiro", "amazon-q", "windsurf", "json")


def entries(text: str) -> dict[str, Any]:
    """Return the servers of a printed configuration."""
    document = json.loads(text)
    servers: dict[str, Any] = document.get("mcpServers") or document["servers"]
    return servers


@pytest.mark.parametrize("client", ALL)
def test_each_client_starts_it_by_absolute_paths(
    naftiko: Naftiko, machine: Machine, client: str
) -> None:
    ran = naftiko("mcp-config", MACHINES, "--client", client, "--env", "API_TOKEN=${TOKEN}")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    assert list(document) == ["servers" if client == "vscode" else "mcpServers"]
    (name, entry), *rest = entries(ran.out).items()
    assert (name, rest) == ("machines", [])
    kind = {"type": STDIO_TYPES[client]} if client in STDIO_TYPES else {}
    assert entry == {
        **kind,
        "command": str(OWN),
        "args": ["run", str(MACHINES), "--stdio", "machines"],
        "env": {"API_TOKEN": "${TOKEN}"},
    }


@pytest.mark.parametrize("client", BEARER)
def test_over_http_the_credential_is_a_placeholder_of_the_client(
    naftiko: Naftiko, machine: Machine, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    monkeypatch.setenv("API_TOKEN", "canary-8d1f")
    ran = naftiko("mcp-config", MACHINES, "--client", client, "--transport", "http")
    assert ran.code == 0, ran.err
    kind, url, header = BEARER[client]
    entry = entries(ran.out)["machines"]
    expected = {url: HTTP, "headers": {"Authorization": header}}
    assert entry == ({"type": "http"} if kind else {}) | expected
    asked = json.loads(ran.out).get("inputs", [])
    assert [item["id"] for item in asked] == (
        ["naftiko-machines-token"] if client == "vscode" else []
    )
    assert all(item["password"] for item in asked)
    assert ("NAFTIKO_MACHINES_TOKEN" in ran.err) is (client != "vscode")
    assert "canary-8d1f" not in ran.out + ran.err


def test_a_url_of_ones_own_means_http(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("mcp-config", SEVERAL, "--namespace", "first", "--url", "https://x.example/mcp")
    assert entries(ran.out)["first"] == {
        "type": "http",
        "url": "https://x.example/mcp",
        "headers": {"X-Key": "${NAFTIKO_FIRST_KEY}"},
    }


def test_the_prefix_is_the_variable_that_ends_so(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("mcp-config", MACHINES, "--prefix", "ai-", "--env", "AWS_PROFILE=work")
    assert entries(ran.out)["machines"]["env"] == {"MACHINE_PREFIX": "ai-", "AWS_PROFILE": "work"}
    assert "AWS_PROFILE" not in ran.err


def test_two_prefixes_are_named(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("mcp-config", SEVERAL, "--all", "--prefix", "ai-")
    assert (ran.code, ran.out) == (3, "")
    assert "`IN_PREFIX`, `OUT_PREFIX`" in ran.err


def test_no_prefix_says_what_there_is(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("mcp-config", "stepfunctions", "--prefix", "ai-")
    assert ran.code == 3
    assert "it reads: `AWS_ACCESS_KEY_ID`" in ran.err


def test_a_variable_that_nothing_reads_is_written_with_a_warning(
    naftiko: Naftiko, machine: Machine
) -> None:
    ran = naftiko("mcp-config", MACHINES, "--env", "MACHINE_PREFX=a", "--env", "API_TOKEN=t")
    assert entries(ran.out)["machines"]["env"]["MACHINE_PREFX"] == "a"
    assert "did you mean `MACHINE_PREFIX`?" in ran.err
    assert "`API_TOKEN` sounds like a secret" in ran.err


def test_what_this_shell_has_and_the_client_has_not_is_said(
    naftiko: Naftiko, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINE_TAG_KEY", "canary-8d1f")
    ran = naftiko("mcp-config", MACHINES)
    assert "MACHINE_TAG_KEY" in ran.err
    assert "the environment variable API_TOKEN has no value; it does not start without" in ran.err
    assert "canary-8d1f" not in ran.out + ran.err


def test_several_adapters_have_to_be_chosen_from(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("mcp-config", SEVERAL)
    assert ran.code == 3
    assert "has 2 MCP adapters: first, second" in ran.err
    assert list(entries(naftiko("mcp-config", SEVERAL, "--all").out)) == ["first", "second"]
    chosen = naftiko("mcp-config", SEVERAL, "--namespace", "second", "--name", "mine")
    assert list(entries(chosen.out)) == ["mine"]
    ran = naftiko("mcp-config", SEVERAL, "--namespace", "secnd")
    assert (ran.code, "did you mean `second`?" in ran.err) == (3, True)


def test_a_port_that_is_not_in_the_file_is_asked_for(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("mcp-config", SEVERAL, "--namespace", "second", "--transport", "http")
    assert ran.code == 3
    assert "give it with --url" in ran.err


def test_a_file_without_an_mcp_adapter(naftiko: Naftiko, machine: Machine) -> None:
    path = machine.folder / "rest.yaml"
    text = MACHINES.read_text().replace("type: mcp", "type: rest")
    head, _, _ = text.partition("      tools:")
    path.write_text(
        head + "      resources:\n        - path: /a\n          name: a\n          operations:\n"
        "            - {method: GET, name: a, outputParameters: [{type: string, value: x}]}\n"
    )
    ran = naftiko("mcp-config", path)
    assert (ran.code, "has no MCP adapter" in ran.err) == (3, True), ran.err


def test_a_refused_file_shows_its_problems_and_no_stand_ins(
    naftiko: Naftiko, machine: Machine
) -> None:
    path = machine.folder / "broken.yaml"
    path.write_text(MACHINES.read_text().replace("port: 9090", "port: ninety"))
    ran = naftiko("mcp-config", path)
    assert (ran.code, ran.out) == (1, "")
    assert "error[invalid-port]" in ran.err
    assert "not-set-here" not in ran.err


def test_the_folder_that_may_be_read_does_not_depend_on_where_it_is_started(
    naftiko: Naftiko, machine: Machine
) -> None:
    path = machine.folder / "caps" / "machines.yaml"
    path.parent.mkdir()
    path.write_text(MACHINES.read_text())
    ran = naftiko("mcp-config", path, "--read-only", "--env-file", ".env")
    assert ran.code == 3  # no such file
    (machine.folder / ".env").write_text("API_TOKEN=canary-8d1f\n")
    ran = naftiko("mcp-config", path, "--read-only", "--env-file", ".env")
    assert entries(ran.out)["machines"]["args"] == [
        *("run", str(path), "--stdio", "machines"),
        *("--workspace", str(machine.folder)),
        *("--env-file", str(machine.folder / ".env"), "--read-only"),
    ]
    assert "canary-8d1f" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--write",), "--write needs --client"),
        (("--path", "x.json"), "--path needs --write"),
        (("--scope", "project"), "--scope needs --write"),
        (("--client", "claude-desktop", "--transport", "http"), "starts its servers itself"),
        (("--transport", "http", "--prefix", "a"), "--prefix is for `naftiko run`"),
        (("--transport", "stdio", "--url", "http://x/mcp"), "--url needs --transport http"),
        (("--url", "ftp://x"), "not an http or https URL"),
        (("--url", "http://u:p@x/"), "a URL with a password"),
        (("--env", "1A=x"), "no name of an environment variable"),
        (("--env", "A"), "not key=value"),
        (("--name", "a b"), "is not made of letters"),
        (("--client", "emacs"), "invalid choice: 'emacs'"),
        (("--prefix", "a", "--env", "MACHINE_PREFIX=b"), "give two values"),
        (("--all", "--namespace", "machines"), "exclude each other"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage(
    naftiko: Naftiko, machine: Machine, arguments: tuple[str, ...], text: str
) -> None:
    ran = naftiko("mcp-config", MACHINES, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert text in ran.err


def test_an_unknown_file_has_a_hint(naftiko: Naftiko, machine: Machine) -> None:
    ran = naftiko("mcp-config", CASES / "machine.yaml")
    assert (ran.code, "did you mean" in ran.err) == (3, True)


@pytest.mark.parametrize("namespace", ["machines", "second"])
def test_what_is_printed_starts_with_no_path_and_in_no_folder(
    naftiko: Naftiko, machine: Machine, namespace: str
) -> None:
    """An adapter over HTTP, as `machines` is, is served over stdio as well."""
    env = {"machines": "API_TOKEN=t0ken", "second": "IN_PREFIX=a-prefix"}[namespace]
    path = MACHINES if namespace == "machines" else SEVERAL
    ran = naftiko(
        "mcp-config", path, "--namespace", namespace, "--env", env, "--env", "OUT_PREFIX=o",
        "--env", "MACHINE_PREFIX=m-",
    )  # fmt: skip
    (entry,) = entries(ran.out).values()
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
    # What a client leaves of an environment. The checkout is found without PYTHONPATH.
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    done = subprocess.run(
        [entry["command"], *entry["args"]],
        input=json.dumps(hello) + "\n",
        env={**kept, "PATH": "/nowhere", **entry["env"]},
        cwd=machine.home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[0])
    assert answer["result"]["serverInfo"]["name"] == namespace


def test_every_client_is_in_the_guide() -> None:
    guide = (ROOT / "docs/guides/clients.md").read_text(encoding="utf-8")
    data = json.loads((ROOT / "naftiko/cli/setup/clients.json").read_text(encoding="utf-8"))
    assert sorted(data["clients"]) == sorted(ALL)
    assert data["checked"] in guide
    for name, client in data["clients"].items():
        if name != "json":
            assert f"`{name}`" in guide
            assert client["source"] in guide


def test_a_files_names_cannot_reach_for_other_credentials(
    naftiko: Naftiko, machine: Machine
) -> None:
    """A stranger's adapter called `github` is not sent what GITHUB_TOKEN holds."""
    file = machine.folder / "stranger.yaml"
    text = MACHINES.read_text().replace("namespace: machines", "namespace: github")
    file.write_text(text)
    ran = naftiko("mcp-config", file, "--client", "claude-code", "--transport", "http")
    header = entries(ran.out)["github"]["headers"]["Authorization"]
    assert header == "Bearer ${NAFTIKO_GITHUB_TOKEN}"

    file.write_text(
        text.replace("port: 9090", 'port: 80\n      address: "${GITHUB_TOKEN}.example"')
    )
    ran = naftiko("mcp-config", file, "--client", "claude-code", "--transport", "http")
    assert ran.code != 0
    assert "${" not in ran.out


@pytest.mark.parametrize("namespace", ["--sandbox", "a b", "${GITHUB_TOKEN}", "a\\nb", "x" * 65])
def test_a_namespace_that_no_entry_can_have(
    naftiko: Naftiko, machine: Machine, namespace: str
) -> None:
    file = machine.folder / "stranger.yaml"
    file.write_text(
        MACHINES.read_text().replace("namespace: machines", f'namespace: "{namespace}"')
    )
    path = machine.folder / "config.json"
    for more in ((), ("--write", "--path", path), ("--name", "fine")):
        ran = naftiko("mcp-config", file, *more)
        assert (ran.code != 0, ran.out) == (True, "")
    assert not path.exists()
