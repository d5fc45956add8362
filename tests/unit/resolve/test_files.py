"""The workspace root, and what lies under it."""

from __future__ import annotations

from pathlib import Path

import pytest

from naftiko.resolve.files import UnderRoot, workspace_root


def test_the_root_is_the_nearest_folder_with_a_project_marker(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    file = tmp_path / "capabilities" / "deep" / "a.yaml"
    file.parent.mkdir(parents=True)

    assert workspace_root(file) == tmp_path.resolve()


def test_without_a_marker_it_is_the_process_folder_if_that_holds_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "capabilities" / "a.yaml"
    file.parent.mkdir()

    monkeypatch.chdir(tmp_path)
    assert workspace_root(file) == tmp_path.resolve()

    monkeypatch.chdir("/")
    assert workspace_root(file) == file.parent.resolve(), "never the root of the disk"


def test_a_file_is_looked_for_upwards_to_the_root_and_no_further(tmp_path: Path) -> None:
    root = tmp_path / "root"
    importer = root / "a" / "b"
    importer.mkdir(parents=True)
    (root / "shared.yaml").touch()
    (tmp_path / "above.yaml").touch()
    files = UnderRoot(root)

    assert files.find("shared.yaml", beside=importer, upwards=True).path == root / "shared.yaml"
    assert files.find("above.yaml", beside=importer, upwards=True).path is None


@pytest.mark.parametrize("name", ["../secret", "a/../../secret", "/etc/passwd", "nul\0name"])
def test_nothing_outside_is_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").touch()
    root = tmp_path / "root"
    root.mkdir()

    found = UnderRoot(root).find(name, beside=root)

    assert found.path is None


def test_links_that_loop_are_no_file(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    assert UnderRoot(tmp_path).find("loop", beside=tmp_path).path is None
