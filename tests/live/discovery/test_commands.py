"""`inspect`, `call`, `validate` and `explain` on a file that discovers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.live.discovery.reports import EXAMPLE, REPORTS, answers, listing
from tests.live.scripted import ScriptedApi, scripted_api
from tests.unit.cli.conftest import Cli

GOOD = REPORTS[:4]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        running.play(answers())
        monkeypatch.setenv("REPORTS_URL", running.url)
        yield running


@pytest.mark.parametrize("command", ["validate", "inspect", "explain"])
def test_nothing_is_sent_unless_asked(cli: Cli, api: ScriptedApi, command: str) -> None:
    ran = cli(command, EXAMPLE)
    assert ran.code == 0, ran.err
    assert api.requests == []
    assert command != "inspect" or "discovers reports every 60 s: reporting.list-reports" in ran.out
    assert command != "explain" or "each item becomes run_{{report.id}}" in ran.out


def test_what_each_item_became(cli: Cli, api: ScriptedApi) -> None:
    api.play(answers(*GOOD))
    ran = cli("inspect", EXAMPLE, "--discover")
    assert ran.code == 0, ran.err
    lines = [line.split() for line in ran.out.splitlines()]
    assert ["run_costs_by_team", "costs", "by", "team"] in lines
    assert ["run_7", "7"] in lines


def test_what_could_not_be_had_is_said_and_ends_with_1(cli: Cli, api: ScriptedApi) -> None:
    ran = cli("inspect", EXAMPLE, "--discover")
    assert ran.code == 1
    assert "! 11 is not served: the step `details` failed" in ran.out
    assert "run_7" in ran.out


def test_the_same_as_json(cli: Cli, api: ScriptedApi) -> None:
    ran = cli("inspect", EXAMPLE, "--discover", "--format", "json")
    assert ran.code == 1
    shown = json.loads(ran.out)
    adapter = next(item for item in shown["exposes"] if item["namespace"] == "reports-mcp")
    (found,) = adapter["discovers"]
    assert (found["name"], found["state"], found["failed"]) == ("reports", "ready", 1)
    assert [(item["name"], item["key"]) for item in found["entries"]] == [
        ("run_7", "7"),
        ("run_costs_by_team", "costs by team"),
    ]


def test_a_list_that_cannot_be_had_ends_with_1(cli: Cli, api: ScriptedApi) -> None:
    api.play({"GET /reports": {"status": 500, "text": "no"}})
    ran = cli("inspect", EXAMPLE, "--discover")
    assert ran.code == 1
    assert "not all was discovered" in ran.err
    assert "! the list cannot be had: " in ran.out
    assert "list-reports" in ran.out


def test_keys_forge_no_line_of_the_table(cli: Cli, api: ScriptedApi) -> None:
    report = {"id": "a\n  forged  1", "title": "\x1b[31mT"}
    api.play(
        {
            "GET /reports": listing(report),
            "GET /reports/a%0A%20%20forged%20%201": {"runnable": True},
        }
    )
    ran = cli("inspect", EXAMPLE, "--discover")
    assert ran.code == 0, ran.out
    assert not any(line.split()[:1] == ["forged"] for line in ran.out.splitlines())
    assert "\x1b" not in ran.out


def test_a_discovered_tool_is_called(cli: Cli, api: ScriptedApi) -> None:
    ran = cli("call", EXAMPLE, "run_7", "-p", "month=4")
    assert (ran.code, json.loads(ran.out)) == (0, {"rows": 3})
    assert api.bodies[-1] == {"month": 4}


def test_the_arguments_of_a_discovered_tool_are_checked(cli: Cli, api: ScriptedApi) -> None:
    ran = cli("call", EXAMPLE, "reports-mcp.run_7", "-p", "month=13")
    assert ran.code == 2
    assert "`month` must be at most 12" in ran.err


def test_a_tool_that_nothing_became_is_unknown(cli: Cli, api: ScriptedApi) -> None:
    ran = cli("call", EXAMPLE, "unheard-of")
    assert ran.code == 3
    assert "discovery.yaml --discover` lists them" in ran.err


def test_a_tool_of_the_file_needs_no_discovery(cli: Cli, api: ScriptedApi) -> None:
    ran = cli("call", EXAMPLE, "list-reports")
    assert ran.code == 0
    assert api.requests == []


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("run-7", "did you mean `run_7`?"),
        ("list-report", "did you mean `list-reports`?"),
        ("reports-mcp.run-7", "did you mean `reports-mcp.run_7`?"),
    ],
)
def test_a_name_that_is_nearly_one_has_a_hint(
    cli: Cli, api: ScriptedApi, wrong: str, hint: str
) -> None:
    api.play(answers(*GOOD))
    ran = cli("call", EXAMPLE, wrong, "--json", "{}")
    assert ran.code == 3
    assert hint in ran.err


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("run_7", "what is discovered is explained by its entry: `reports`"),
        ("list-report", "did you mean `list-reports`?"),
        ("report-rotes", "did you mean `report-routes`?"),
    ],
)
def test_what_explain_does_not_know_has_a_hint(
    cli: Cli, api: ScriptedApi, wrong: str, hint: str
) -> None:
    ran = cli("explain", EXAMPLE, wrong)
    assert ran.code == 3
    assert hint in ran.err
    assert api.requests == []
