"""Problems as people, programs and GitHub read them."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path

import pytest

from naftiko.cli.console import Console
from naftiko.cli.problems import capped, print_problems, render, summary, to_github, to_json
from naftiko.errors import MAX_PROBLEMS, Problem, Severity
from naftiko.source import Location, Source
from tests.unit.cli.conftest import Cli

LINE = "        call: crm.get-custmer"
SOURCE = Source("orders.yaml", f"\n\n{LINE}\n")
AT = Location("orders.yaml", 3, 15, 30)
PROBLEM = Problem(
    code="unknown-operation",
    message="call names `crm.get-custmer`, which no consumes entry defines",
    location=AT,
    hint="did you mean `crm.get-customer`?",
    related=((Location("crm.yaml", 7, 5), "`crm` stands here"),),
)


def warning(line: int) -> Problem:
    place = Location("a.yaml", line)
    return Problem(code="w", message="m", location=place, severity=Severity.WARNING)


def console() -> Console:
    return Console(io.StringIO(), io.StringIO())


def test_text_has_place_excerpt_and_hint() -> None:
    assert render(PROBLEM, SOURCE, console()).split("\n") == [
        "orders.yaml:3:15: error[unknown-operation]: call names `crm.get-custmer`, which no "
        "consumes entry defines",
        "   3 |         call: crm.get-custmer",
        "     |               ^^^^^^^^^^^^^^^",
        "  note: crm.yaml:7:5: `crm` stands here",
        "  hint: did you mean `crm.get-customer`?",
    ]


def test_colours_change_nothing_else() -> None:
    coloured = render(PROBLEM, SOURCE, console(), colour=True)
    assert "\x1b[1;31merror[unknown-operation]\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == render(PROBLEM, SOURCE, console())


def test_a_secret_in_the_excerpt_is_masked_and_carets_go() -> None:
    shown = console()
    shown.add_masker(lambda text: text.replace("get-custmer", "***"))
    text = render(PROBLEM, SOURCE, shown)
    assert "get-custmer" not in text
    assert "^" not in text


def test_a_message_stays_on_its_line() -> None:
    evil = dataclasses.replace(PROBLEM, message="a\n::error::b", hint="c\nd", related=())
    assert render(evil, None, console()).split("\n") == [
        "orders.yaml:3:15: error[unknown-operation]: a ::error::b",
        "  hint: c d",
    ]


def test_summary_counts_by_severity() -> None:
    assert summary([PROBLEM, PROBLEM, warning(1)]) == "2 errors, 1 warning"
    assert summary([]) == "no problems"


def test_only_the_worst_hundred_are_listed() -> None:
    problems = [*(warning(line) for line in range(1, 200)), PROBLEM]
    shown = capped(problems)
    assert len(shown) == MAX_PROBLEMS
    assert PROBLEM in shown
    assert shown == sorted(shown, key=Problem.sort_key)
    out, err = io.StringIO(), io.StringIO()
    print_problems(problems, {}, Console(out, err), to_stdout=True)
    assert err.getvalue() == "and 100 more\n"


def test_json_holds_the_place() -> None:
    assert to_json(PROBLEM, console())["location"] == {
        "path": "orders.yaml",
        "line": 3,
        "column": 15,
        "endColumn": 30,
    }


@pytest.mark.parametrize(
    ("path", "message", "expected"),
    [
        ("a.yaml", "x", "::error file=a.yaml,line=3,col=1,title=naftiko c::x"),
        ("a,b:c.yaml", "x", "::error file=a%2Cb%3Ac.yaml,line=3,col=1,title=naftiko c::x"),
        (
            "a.yaml",
            "50% of\r\nall",
            "::error file=a.yaml,line=3,col=1,title=naftiko c"
            "::50%25 of\N{REPLACEMENT CHARACTER}%0Aall",
        ),
    ],
)
def test_github_commands_are_escaped(path: str, message: str, expected: str) -> None:
    problem = Problem(code="c", message=message, location=Location(path, 3))
    assert to_github(problem, console()) == expected


def test_no_colours_where_nobody_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Console.colour(Terminal())
    assert not Console.colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Console.colour(Terminal())


def test_validate_text_goes_to_stdout_and_the_summary_to_stderr(cli: Cli, greeting: Path) -> None:
    greeting.write_text(greeting.read_text() + "colour: red\n")
    ran = cli("validate", greeting)
    assert ran.code == 0
    assert "warning[unknown-field]" in ran.out
    assert ran.err.strip().endswith("1 warning")
    assert cli("validate", greeting, "--strict").code == 1


def test_validate_json_is_one_document_for_all_files(cli: Cli, greeting: Path) -> None:
    broken = greeting.with_name("broken.yaml")
    broken.write_text("a: [\n")
    ran = cli("validate", greeting, broken, "--format", "json")
    report = json.loads(ran.out)
    assert (ran.code, ran.err) == (1, "")
    assert [item["servable"] for item in report["files"]] == [True, False]
    assert report["errors"] == 1


def test_validate_needs_no_values_of_variables(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "bound.yaml"
    path.write_text(BOUND)
    ran = cli("validate", path, "--strict")
    assert ran.code == 0, ran.out
    assert "info[missing-variable]" in ran.out
    run = cli("run", path)
    assert run.code == 3
    assert "NAFTIKO_TEST_UNSET" in run.err
    assert "--env-file" in run.err


BOUND = """\
naftiko: "1.0.0-alpha1"
info: {label: Bound, description: Needs a variable.}
binds:
  - namespace: env
    keys: {TOKEN: NAFTIKO_TEST_UNSET}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: http://127.0.0.1:9
      authentication: {type: bearer, token: "{{TOKEN}}"}
      resources:
        - path: /things
          name: things
          operations:
            - {method: GET, name: list-things}
  exposes:
    - type: rest
      port: 8085
      namespace: api-rest
      resources:
        - path: /things
          name: things
          operations:
            - {method: GET, name: list-things, call: api.list-things}
"""
