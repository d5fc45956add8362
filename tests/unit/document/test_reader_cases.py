"""What the reader takes and refuses, by example.

`cases/documents/read/*` has the expected value in a `.expected.json` beside it, `refused/*` the
expected problems in a `.problems.txt`. `make golden` rewrites both; review the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from naftiko.document.reader import load_document, parse_document
from naftiko.errors import DocumentError, Problem
from tests.case_files import CASES

READ = sorted(
    path for path in (CASES / "documents/read").iterdir() if ".expected." not in path.name
)
REFUSED = sorted((CASES / "documents/refused").glob("*.yaml"))


def text_of(problem: Problem) -> str:
    place = problem.location
    lines = [f"{place}-{place.end_column}: {problem.code}: {problem.message}"]
    if problem.hint:
        lines.append(f"  hint: {problem.hint}")
    lines += [f"  {related}: {words}" for related, words in problem.related]
    return "\n".join(lines) + "\n"


def golden(path: Path, found: str) -> str:
    if os.environ.get("NAFTIKO_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", READ, ids=lambda path: path.stem)
def test_read(path: Path) -> None:
    found = load_document(path).root.plain()

    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    assert text == golden(path.with_suffix(".expected.json"), text)
    assert parse_document(path.read_bytes(), path.name, pure=True).root.plain() == found


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_refused(path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        load_document(path, display_path=path.name)

    found = "".join(map(text_of, caught.value.problems))
    assert found == golden(path.with_suffix(".problems.txt"), found)


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_both_parsers_say_the_same(path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        load_document(path, display_path=path.name)
    with pytest.raises(DocumentError) as in_python:
        parse_document(path.read_bytes(), path.name, pure=True)

    assert in_python.value.problems == caught.value.problems
