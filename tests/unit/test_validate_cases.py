"""Every problem of a capability file, by example: `<code>/<case>.yaml` and its `.problems.txt`.

`make golden` rewrites the expected texts; review the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from naftiko.engine import LoadOptions, check_capability
from naftiko.errors import Problem
from tests.case_files import CASES

FOLDER = CASES / "validate"
FILES = sorted(FOLDER.glob("*/*.yaml"))


def text_of(problem: Problem, root: Path) -> str:
    place = f"{Path(problem.location.path).resolve().relative_to(root)}"
    at = f"{place}:{problem.location.line}:{problem.location.column}"
    lines = [f"{at}: {problem.severity.label}[{problem.code}]: {problem.message}"]
    if problem.hint:
        lines.append(f"  hint: {problem.hint}")
    return "\n".join(lines).replace(str(root), "<root>")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_problems(path: Path) -> None:
    root = path.parent.resolve()
    options = LoadOptions(environment={}, workspace=root)  # no secret store is known in it
    checked = check_capability(path, options, reads_stores=True, every_operation=True)
    found = "\n".join(text_of(item, root) for item in (*checked.problems, *checked.missing))

    expected = path.with_suffix(".problems.txt")
    if os.environ.get("NAFTIKO_GOLDEN"):
        expected.write_text(found + "\n", encoding="utf-8")

    assert found + "\n" == expected.read_text(encoding="utf-8")
    code = path.parent.name
    assert code == "fine" or f"[{code}]" in found, "the case does not show its own code"
