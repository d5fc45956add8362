"""Files that a document names, in every spelling, and nowhere but under the root."""

from __future__ import annotations

from pathlib import Path

import pytest

from naftiko.plan.clients import LeftOut
from naftiko.plan.named_files import find_named_file
from naftiko.source import Location


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("sub/beside.txt", "sub/a b.txt", "at-root.txt"):
        (tmp_path / name).write_text("x")
    return tmp_path


def find(root: Path, text: str) -> Path:
    place = Location(str(root / "sub/capability.yaml"), 3, 7)
    return find_named_file(text, place, root, kind="schema", missing="schema-not-found")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("beside.txt", "sub/beside.txt"),
        ("./beside.txt", "sub/beside.txt"),
        ("file:./beside.txt", "sub/beside.txt"),
        ("file://./beside.txt", "sub/beside.txt"),
        ("file:///./beside.txt", "sub/beside.txt"),
        ("file:///./a%20b.txt", "sub/a b.txt"),
        ("../at-root.txt", "at-root.txt"),
        ("at-root.txt", "at-root.txt"),
    ],
)
def test_spellings(root: Path, text: str, found: str) -> None:
    assert find(root, text).resolve() == (root / found).resolve()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("/etc/passwd", "outside-workspace"),
        ("../../x", "outside-workspace"),
        ("besde.txt", "schema-not-found"),
        ("https://example.com/beside.txt", "schema-not-found"),
    ],
)
def test_refusals(root: Path, text: str, code: str) -> None:
    with pytest.raises(LeftOut) as caught:
        find(root, text)
    assert caught.value.problem.code == code
    assert "the schema `" in caught.value.problem.message
