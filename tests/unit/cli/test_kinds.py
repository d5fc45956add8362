"""Files that serve nothing: those made to be imported, and those of which nothing can be served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.case_files import CASES, ROOT
from tests.unit.cli.conftest import Cli


@pytest.mark.parametrize("section", ["consumes", "exposes", "aggregates", "binds"])
def test_a_file_made_to_be_imported_is_checked_but_not_run(cli: Cli, section: str) -> None:
    file = CASES / f"validate/made-to-be-imported/{section}.yaml"

    checked = cli("validate", file)
    ran = cli("run", file)

    assert checked.code == 0
    assert "info[made-to-be-imported]" in checked.out
    assert "warning" not in checked.out
    assert ran.code == 3
    assert "nothing listens" in ran.err


def test_a_file_of_which_nothing_can_be_served_is_checked_but_not_run(cli: Cli) -> None:
    file = CASES / "validate/nothing-to-serve/all-unknown.yaml"

    assert cli("validate", file).code == 0
    assert cli("validate", "--strict", file).code == 1
    assert cli("inspect", file).code == 0
    ran = cli("run", file)
    assert ran.code == 1
    assert "nothing-to-serve" in ran.err


def test_inspect_shows_what_a_capability_says_about_itself(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        'ikanos: "1.0.0-beta5"\n'
        "info:\n"
        "  display: Shop\n"
        "  description: Sells tea.\n"
        "  version: 1.2.0\n"
        '  created: "2026-01-02"\n'
        "  tags: [tea, shop]\n"
        "  stakeholders: [{role: owner, fullName: Ann Example}]\n"
        "capability:\n"
        "  exposes:\n"
        "    - type: mcp\n"
        "      namespace: t\n"
        "      port: 9090\n"
        "      tools: {m: {description: m, outputParameters: {x: {type: string, value: hi}}}}\n"
    )

    text, json_text = cli("inspect", file).out, cli("inspect", file, "--format", "json").out

    assert text.splitlines()[1:5] == [
        "  Sells tea.",
        "  version 1.2.0, created 2026-01-02",
        "  tags: tea, shop",
        "  stakeholders: Ann Example (owner)",
    ]
    assert '"fullName": "Ann Example"' in json_text


@pytest.mark.parametrize(("flags", "methods"), [((), "*"), (("--read-only",), "GET/HEAD/OPTIONS")])
def test_inspect_shows_which_methods_go_on(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], methods: str
) -> None:
    monkeypatch.setenv("ORDERS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ORDERS_TOKEN", "t")

    shown = cli("inspect", ROOT / "docs/examples/forward.yaml", *flags).out

    rows = [line.split() for line in shown.splitlines() if "forward to" in line]
    assert {row[0] for row in rows} == {methods}
