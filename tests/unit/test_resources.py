"""Names and paths -> capability files."""

from __future__ import annotations

from pathlib import Path

import pytest

from naftiko.errors import StartError
from naftiko.resources import data_folder, find_capability, shipped_names


def test_a_path_is_used_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "orders.yaml"
    path.touch()
    assert find_capability(str(path)) == path


def test_a_name_stands_for_the_file_that_comes_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = data_folder("capabilities")
    assert folder is not None
    assert find_capability("stepfunctions") == folder / "stepfunctions.yaml"
    assert "stepfunctions" in shipped_names()


def test_the_current_folder_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "capabilities").mkdir()
    (tmp_path / "capabilities/stepfunctions.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert find_capability("stepfunctions") == Path("capabilities/stepfunctions.yaml")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("stepfunction", "no capability of that name", "did you mean `stepfunctions`?"),
        ("ordrs.yaml", "the file `ordrs.yaml` does not exist", "did you mean `orders.yaml`?"),
        ("./none/x.yaml", "nor does its folder", ""),
        (".", "is a folder", ""),
        ("", "no capability of that name", "known by name"),
    ],
)
def test_what_is_not_there_has_a_way_out(
    text: str, message: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orders.yaml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StartError) as raised:
        find_capability(text)
    assert message in raised.value.message
    assert hint in raised.value.hint
