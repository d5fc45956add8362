"""`naftiko call` and `naftiko explain` on a capability that needs no upstream."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from naftiko.cli.call import read_parameters
from naftiko.plan.inputs import Input, InputTable
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
