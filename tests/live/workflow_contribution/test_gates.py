"""Every gate, by what fails it and nothing else: `gates/<gate>/<case>.json` changes a good one."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from naftiko.cli.workflows.trying import Trial
from naftiko.workflow.catalog import Catalog
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.contribution.desk import Desk
from naftiko.workflow.contribution.gates import NAMES
from naftiko.workflow.contribution.material import Files, Monotonic, TestsTookTooLong
from naftiko.workflow.plan.canonical import canonical
from naftiko.workflow.plan.walk import objects
from tests.live.workflow_contribution.stage import FOLDER, GOOD

CASES = sorted(FOLDER.glob("gates/*/*.json"))
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    with Trial.open() as running:
        yield running


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A catalog that holds the good verified workflow, compiled."""
    folder = tmp_path_factory.mktemp("catalog")
    home = folder / "workflows/verified/make_owned_queue/1.0"
    home.mkdir(parents=True)
    source = (GOOD / "verified/source.yaml").read_bytes()
    plan = compile_source(source, "source.yaml", load_data()).plan
    assert plan is not None
    (home / "source.yaml").write_bytes(source)
    (home / "plan.json").write_bytes(canonical(plan) + b"\n")
    return Catalog.open([folder])


def desk(catalog: Catalog, trial: Trial, monotonic: Monotonic = time.monotonic) -> Desk:
    return Desk(
        catalog=catalog,
        folder=catalog.folders[0],
        run_tests=trial.run_plan,
        monotonic=monotonic,
        now=lambda: NOW,
    )


def files(base: str, changes: list[tuple[str, str, str]]) -> Files:
    texts = {
        name: (GOOD / base / name).read_text("utf-8")
        for name in ("source.yaml", "tests.yaml", "README.md")
    }
    for name, old, new in changes:
        assert old == "*" or old in texts[name], old
        texts[name] = new if old == "*" else texts[name].replace(old, new)
    source, tests, readme = (text.encode() for text in texts.values())
    return Files(source=source, tests=tests, readme=readme)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_gate_fails(case: Path, catalog: Catalog, trial: Trial) -> None:
    given = json.loads(case.read_text("utf-8"))

    report = desk(catalog, trial).gates(files(given["base"], given["replace"]))

    gates = {str(one["gate"]): one for one in objects(report["gates"])}
    failed = {
        name: [
            (one["code"], one["path"], one["line"], one["message"])
            for one in objects(gate["findings"])
        ]
        for name, gate in gates.items()
        if gate["status"] == "failed"
    }
    assert list(failed) == [case.parent.name], failed
    assert given["code"] in {code for code, *_ in failed[case.parent.name]}, failed
    assert report["passed"] is False


@pytest.mark.parametrize("base", ["community", "verified", "enterprise"])
def test_all_gates_pass(base: str, catalog: Catalog, trial: Trial) -> None:
    report = desk(catalog, trial).gates(files(base, []))

    assert report["passed"] is True, report["gates"]
    assert [one["gate"] for one in objects(report["gates"])] == list(NAMES)


def test_compiling_too_long(catalog: Catalog, trial: Trial) -> None:
    ticks = itertools.count(0, 31)

    report = desk(catalog, trial, lambda: float(next(ticks))).gates(files("community", []))

    found = [one["code"] for gate in objects(report["gates"]) for one in objects(gate["findings"])]
    assert found == ["WF911"]


def test_tests_that_do_not_end(catalog: Catalog, trial: Trial) -> None:
    def forever(plan: object, cases: object) -> None:
        raise TestsTookTooLong

    stuck = Desk(
        catalog=catalog,
        folder=catalog.folders[0],
        run_tests=forever,  # type: ignore[arg-type] # it never returns
        monotonic=time.monotonic,
        now=lambda: NOW,
    )

    report = stuck.gates(files("community", []))

    found = [one["code"] for gate in objects(report["gates"]) for one in objects(gate["findings"])]
    assert found == ["WF936"]


def test_every_gate_has_a_case() -> None:
    assert {path.parent.name for path in CASES} | {"duplicates"} == set(NAMES)
