"""`naftiko call` and `naftiko explain` on a capability that needs no upstream."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from naftiko.cli.call import read_parameters
from naftiko.plan.inputs import Input, InputTable
from tests.case_files import ROOT
from tests.unit.cli.conftest import Cli

TABLE = InputTable(
    inputs=(
        Input(name="count", schema={"type": "integer"}),
        Input(name="ratio", schema={"type": "number"}),
        Input(name="on", schema={"type": "boolean"}),
        Input(name="names", schema={"type": "array", "items": {"type": "string"}}),
        Input(name="filter", schema={"type": "object"}),
        Input(name="text", schema={"type": "string"}),
    )
)


@pytest.mark.parametrize(
    ("pairs", "values"),
    [
        ([("count", "5")], {"count": 5}),
        ([("count", "five")], {"count": "five"}),
        ([("ratio", "0.5")], {"ratio": 0.5}),
        ([("on", "true")], {"on": True}),
        ([("names", "a")], {"names": ["a"]}),
        ([("names", "a"), ("names", "b")], {"names": ["a", "b"]}),
        ([("names", '["a", "b"]')], {"names": ["a", "b"]}),
        ([("filter", '{"a": 1}')], {"filter": {"a": 1}}),
        ([("text", "5")], {"text": "5"}),
        ([("text", "a=b")], {"text": "a=b"}),
        ([("text", "a"), ("text", "b")], {"text": ["a", "b"]}),
        ([("unknown", "5")], {"unknown": "5"}),
    ],
)
def test_parameters_are_read_by_type(
    pairs: list[tuple[str, str]], values: dict[str, object]
) -> None:
    assert read_parameters(pairs, TABLE) == values


def test_call_prints_json_on_stdout(cli: Cli, greeting: Path) -> None:
    ran = cli("call", greeting, "greet", "-p", "name=Ada")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == {"greeting": "Hello Ada"}


def test_call_takes_the_full_name_and_json(cli: Cli, greeting: Path) -> None:
    ran = cli("call", greeting, "greetings-rest.greet", "--json", '{"name": "Ada"}')
    assert json.loads(ran.out) == {"greeting": "Hello Ada"}


def test_a_parameter_goes_before_json(cli: Cli, greeting: Path) -> None:
    ran = cli("call", greeting, "greet", "--json", '{"name": "Ada"}', "-p", "name=Bob")
    assert json.loads(ran.out) == {"greeting": "Hello Bob"}


def test_json_from_stdin(cli: Cli, greeting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"name": "Ada"}'))
    ran = cli("call", greeting, "greet", "--json", "-")
    assert json.loads(ran.out) == {"greeting": "Hello Ada"}


def test_wrong_arguments_are_all_named(cli: Cli, greeting: Path) -> None:
    ran = cli("call", greeting, "greet", "-p", "times=often")
    assert (ran.code, ran.out) == (2, "")
    assert "`name` is required" in ran.err
    assert '`times` must be integer, found "often"' in ran.err


def test_an_unknown_operation_has_a_hint(cli: Cli, greeting: Path) -> None:
    ran = cli("call", greeting, "greetings-rest.gret")
    assert ran.code == 3
    assert "did you mean `greetings-rest.greet`?" in ran.err


def test_explain_names_inputs_and_plan(cli: Cli, greeting: Path) -> None:
    ran = cli("explain", greeting, "greet")
    assert ran.code == 0
    assert "greetings-rest.greet: GET /greetings/{name}" in ran.out
    assert "input name: string, required, from path" in ran.out
    assert "no call" in ran.out


def test_explain_of_an_unknown_operation_has_a_hint(cli: Cli, greeting: Path) -> None:
    ran = cli("explain", greeting, "gret")
    assert ran.code == 3
    assert "did you mean `greet`?" in ran.err


WITHOUT_CALLER = """\
naftiko: "1.0.0-alpha3"
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: http://127.0.0.1:9
      resources:
        - name: items
          path: /items/{id}
          operations:
            - {name: get, method: GET, path: "/items/{id}?view=full&of={{of}}"}
            - {name: wrong-path, method: GET, paginate: {type: page, items: "$.a[?("}}
            - {name: wrong-text, method: GET, path: "/{{#id}}/x"}
  exposes:
    - type: rest
      namespace: rest
      port: 8080
      resources:
        - {path: "/items/{id}", operations: [{name: item, method: GET, call: api.get}]}
"""


def test_explain_takes_what_is_consumed(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(WITHOUT_CALLER)
    ran = cli("explain", file, "api.get")
    assert ran.code == 0
    assert ran.out.splitlines()[:4] == [
        "api.get: consumed",
        "  effect: read",
        "  GET http://127.0.0.1:9/items/{id}",
        "  query: view, of",
    ]


@pytest.mark.parametrize("command", ["explain", "call"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [("wrong-path", "the bracket that opens here"), ("wrong-text", "the Mustache tag")],
)
def test_an_operation_that_means_nothing_is_no_bug(
    cli: Cli, tmp_path: Path, command: str, name: str, reason: str
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(WITHOUT_CALLER)
    ran = cli(command, file, f"api.{name}")
    assert (ran.code, ran.out) == (3, "")
    assert f"`api.{name}` cannot be called: {reason}" in ran.err


def test_validate_checks_what_nothing_calls(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(WITHOUT_CALLER)
    ran = cli("validate", file)
    assert ran.code == 0
    assert "warning[bad-path]" in ran.out
    assert "warning[unsupported-template]" in ran.out


@pytest.mark.parametrize(
    ("name", "kind"), [("rules", "resource"), ("reading-room.discuss", "prompt")]
)
def test_what_only_mcp_clients_ask_for_is_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.setenv("LIBRARY_URL", "http://127.0.0.1:9")
    called = cli("call", ROOT / "docs/examples/library.yaml", name)
    assert called.code == 3
    assert f"it is a {kind}, which MCP clients ask for" in called.err
