"""Files that are shown: nothing outside, no links, no surprises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from naftiko.plan.content_files import (
    FileRefusedError,
    list_files,
    media_type_of,
    read_below,
    read_file,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shown = tmp_path / "shown"
    (shown / "deep").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (shown / "b.txt").write_text("b")
    (shown / "a.md").write_text("a")
    (shown / "deep" / "c.json").write_text("{}")
    (shown / ".hidden").write_text("x")
    (shown / "has blank.txt").write_text("x")
    (shown / "link.txt").symlink_to(tmp_path / "secret.txt")
    (shown / "way-out").symlink_to(tmp_path)
    os.mkfifo(shown / "pipe")
    return shown


def test_listing_is_sorted_and_leaves_out_what_cannot_be_read(folder: Path) -> None:
    assert [item.relative for item in list_files(folder)] == ["a.md", "b.txt", "deep/c.json"]


def test_files_below_are_read(folder: Path) -> None:
    assert read_below(folder, "deep/c.json", 10) == b"{}"


@pytest.mark.parametrize(
    "name",
    [
        "link.txt",
        "way-out/secret.txt",
        "../secret.txt",
        "deep/../b.txt",
        "./b.txt",
        ".hidden",
        "deep",
        "pipe",
        "none",
        "",
        "/etc/passwd",
        "deep//c.json",
        "b.txt/x",
        "b.txt\0",
        "has blank.txt",
        "x" * 5000,
    ],
)
def test_what_is_no_file_here_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(FileRefusedError):
        read_below(folder, name, 1000)


def test_too_large_a_file_is_refused(folder: Path) -> None:
    with pytest.raises(FileRefusedError, match="larger than 1 bytes"):
        read_below(folder, "deep/c.json", 1)


def test_a_link_in_the_place_of_a_file_is_refused(folder: Path) -> None:
    with pytest.raises(FileRefusedError):
        read_file(folder / "link.txt", 1000)


def test_refusing_leaks_no_descriptor(folder: Path) -> None:
    before = _open_files()
    for _ in range(20):
        for name in ("none", "deep/none", "none/none", "link.txt", "deep"):
            with pytest.raises(FileRefusedError):
                read_below(folder, name, 1000)
    assert _open_files() <= before


def _open_files() -> int:
    shown = Path("/proc/self/fd")
    return len(list(shown.iterdir())) if shown.exists() else 0


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.MD", "text/markdown"),
        ("a.yaml", "application/yaml"),
        ("a.png", "image/png"),
        ("a", "application/octet-stream"),
    ],
)
def test_media_types(name: str, media_type: str) -> None:
    assert media_type_of(name) == media_type
