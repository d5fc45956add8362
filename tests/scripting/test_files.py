"""Where scripts may be read from, and what is said of those that cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from naftiko.engine import Checked, LoadOptions, check_capability

FILE = """
naftiko: "1.0.0-alpha3"
capability:
  exposes:
    - type: rest
      namespace: api
      port: 8080
      resources:
        - path: /a
          operations:
            - name: a
              method: GET
              steps: [{name: a, type: script, location: file:///./scripts, file: %s}]
              mappings: [{targetName: a, value: $.a}]
"""


def check(folder: Path, file: str) -> Checked:
    path = folder / "work" / "a.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(FILE % file)
    return check_capability(path, LoadOptions(environment={}, workspace=path.parent))


def codes(checked: Checked) -> list[str]:
    return [item.code for item in checked.problems if item.code != "nothing-to-serve"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    scripts = tmp_path / "work" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "a.js").write_text("result = 1")
    (scripts / "windows.js").write_bytes(b"\xef\xbb\xbfvar a = 1\r\nresult = a\r\n")
    (scripts / "latin.js").write_bytes(b"result = '\xe9'")
    (scripts / "large.js").write_bytes(b"//" + b"x" * 2**20)
    (tmp_path / "secret.js").write_text("result = 1")
    (scripts / "link.js").symlink_to(tmp_path / "secret.js")
    (tmp_path / "work" / "beside.js").write_text("result = 1")
    (scripts / "sideways.js").symlink_to(tmp_path / "work" / "beside.js")
    (scripts / "folder.js").mkdir()
    return tmp_path


@pytest.mark.parametrize("file", ["a.js", "windows.js"])
def test_scripts_are_read(folder: Path, file: str) -> None:
    assert codes(check(folder, file)) == []


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("b.js", "script-not-found"),
        ("folder.js", "script-not-found"),
        ("latin.js", "script-unreadable"),
        ("large.js", "script-unreadable"),
        ("link.js", "outside-workspace"),
        ("sideways.js", "outside-workspace"),
        ("../beside.js", "bad-script-path"),
        ("/etc/hostname.js", "bad-script-path"),
        ('"a\\u0000.js"', "bad-script-path"),
    ],
)
def test_others_are_refused(folder: Path, file: str, code: str) -> None:
    assert codes(check(folder, file)) == [code]
