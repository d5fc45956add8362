"""Sources whose plans are written down: what is said about them, and what was made of them.

`<name>.yaml` gives `<name>.plan.txt`: the diagnostics, then the disassembly.
`NAFTIKO_GOLDEN=rewrite` writes them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from naftiko.workflow.catalog import Catalog
from naftiko.workflow.compiler import Compiled, compile_source, load_data
from naftiko.workflow.disassembler import disassemble
from naftiko.workflow.library import CatalogLibrary
from naftiko.workflow.plan.drift import check_drift
from naftiko.workflow.plan.integrity import load_plan
from naftiko.workflow.vm.program import Program

CASES = Path(__file__).parents[3] / "cases" / "workflow-plans"
SOURCES = sorted(CASES.glob("*.yaml"))


def compiled(path: Path) -> Compiled:
    library = CatalogLibrary(Catalog.open([CASES / "library"]))
    return compile_source(path.read_bytes(), path.name, load_data(library=library))


def shown(made: Compiled, source: str) -> str:
    lines = [
        f"{one.location.line}:{one.location.column} {one.severity.label} {one.code} {one.message}"
        for one in made.problems
    ]
    text = disassemble(made.plan, source) if made.plan is not None else "no plan\n"
    return "\n".join([*lines, "", text])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_plan_is_as_written_down(path: Path) -> None:
    made = compiled(path)
    text = shown(made, path.read_text())
    golden = path.with_suffix(".plan.txt")
    if os.environ.get("NAFTIKO_GOLDEN") == "rewrite":
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_plan_is_accepted_by_what_runs_it(path: Path) -> None:
    made = compiled(path)
    plan = load_plan(made.data)
    check_drift(plan)
    Program.load(plan)


def test_seed_is_what_the_seed_says() -> None:
    """The seed's own numbers: risk 4.5, tier verified, and the permission that it forgot."""
    made = compiled(CASES / "rds_backup_with_retention.yaml")
    assert made.plan is not None
    metadata = made.plan["metadata"]
    assert isinstance(metadata, dict)
    assert (metadata["risk_score"], metadata["tier"]) == (4.5, "verified")
    assert metadata["required_permissions"] == [
        "rds:CreateDBSnapshot",
        "rds:DeleteDBSnapshot",
        "rds:DescribeDBInstances",
        "rds:DescribeDBSnapshots",
    ]
    missing = [one for one in made.problems if one.code == "WF431"]
    assert ["rds:DescribeDBInstances" in one.message for one in missing] == [True]


def test_same_source_gives_the_same_bytes() -> None:
    for path in SOURCES:
        assert compiled(path).data == compiled(path).data
