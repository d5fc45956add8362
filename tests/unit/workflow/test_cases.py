"""Every code of the workflow compiler, by example: `<code>/<case>.yaml` and its `.problems.txt`.

`make golden` rewrites the expected texts; review the difference.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from naftiko.errors import Problem, Problems
from naftiko.workflow.asl.export import export
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.diagnostics import CODES
from naftiko.workflow.library import NestedSource
from naftiko.workflow.lowering.lowering import Data
from naftiko.workflow.source.parser import parse_workflow
from tests.case_files import CASES

FOLDER = CASES / "workflow"
FILES = sorted(FOLDER.glob("WF*/*.yaml"))


class Library:
    """The workflows in `library/`, which the cases may nest; some with what of a plan is looked at.

    A case stands beside them.
    """

    def source(self, name: str, version: str | None) -> NestedSource | None:
        path = FOLDER / "library" / f"{name}.yaml"
        if not path.is_file():
            return None
        workflow = parse_workflow(path.read_bytes(), path.name, Problems())
        assert workflow is not None
        if version not in {None, workflow.version}:
            return None
        published = path.with_suffix(".plan.json")
        return NestedSource(
            name=name,
            version=workflow.version,
            data=path.read_bytes(),
            path=path.name,
            plan=json.loads(published.read_bytes()) if published.is_file() else None,
        )

    def names(self) -> Sequence[str]:
        return sorted(path.stem for path in (FOLDER / "library").glob("*.yaml"))

    def use_cases(self) -> Sequence[tuple[str, str]]:
        return [("list_buckets", "Which buckets do I have?")]


@cache
def data() -> Data:
    return load_data(library=Library())


def problems_of(path: Path) -> tuple[Problem, ...]:
    """Return what the compiler says; for WF8, what the export of the plan says.

    A case called `published...` is compiled as for publication.
    """
    is_published = path.stem.startswith("published")
    compiled = compile_source(path.read_bytes(), path.name, data(), is_published=is_published)
    if not path.parent.name.startswith("WF8"):
        return compiled.problems
    assert compiled.plan is not None, compiled.problems
    return export(compiled.plan).problems


def text_of(problem: Problem, path: Path) -> str:
    """Return a problem as a line; one in another file, such as a nested workflow's, names it."""
    place = f"{problem.location.line}:{problem.location.column}"
    if problem.location.path not in {"", path.name} and problem.location.path.endswith(".yaml"):
        place = f"{problem.location.path}:{place}"
    said = f"{place} {problem.severity.label} {problem.code} {problem.message}"
    return f"{said} | {problem.hint}" if problem.hint else said


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_problems(path: Path) -> None:
    found = "".join(text_of(problem, path) + "\n" for problem in problems_of(path))

    expected = path.with_suffix(".problems.txt")
    if os.environ.get("NAFTIKO_GOLDEN"):
        expected.write_text(found, encoding="utf-8")

    assert found == expected.read_text(encoding="utf-8")
    assert f" {path.parent.name} " in found, "the case does not show its own code"


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_case(code: str) -> None:
    assert any(path.parent.name == code for path in FILES)


def test_every_case_is_of_a_code_and_every_golden_of_a_case() -> None:
    assert {path.parent.name for path in FILES} == set(CODES)
    texts = sorted(FOLDER.glob("WF*/*.problems.txt"))
    assert texts == sorted(path.with_suffix(".problems.txt") for path in FILES)
