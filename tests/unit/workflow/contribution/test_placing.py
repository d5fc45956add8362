"""Publishing, ended by SIGKILL before each of its writes: what lies there, and a second try."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from naftiko.workflow.contribution.placing import Placing, finish, is_left, place
from naftiko.workflow.contribution.refused import Refused

FILES = {"source.yaml": b"name: x\n", "plan.json": b"{}\n", "reviews/bob.json": b"{}\n"}
STEPS = 9
KILLED = """
import os, signal, sys
from pathlib import Path
from naftiko.workflow.contribution.placing import Placing, place
from tests.unit.workflow.contribution.test_placing import placing
left = int(sys.argv[2])
def step(name):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
place(placing(Path(sys.argv[1])), step)
"""


def placing(folder: Path) -> Placing:
    return Placing(
        target=folder / "workflows/community/flow/1.0",
        files=FILES,
        submission=folder / "submissions/flow-1.0-0",
        replaces_draft=True,
    )


def lay(folder: Path) -> Placing:
    """Lay out a submission, and a draft where the version goes."""
    found = placing(folder)
    found.submission.mkdir(parents=True)
    (found.submission / "submission.json").write_bytes(b"{}\n")
    found.target.mkdir(parents=True)
    (found.target / "source.yaml").write_bytes(b"draft\n")
    return found


def is_whole(found: Placing) -> bool:
    return all(
        (found.target / name).is_file() and (found.target / name).read_bytes() == data
        for name, data in found.files.items()
    )


@pytest.mark.parametrize("steps", range(STEPS))
def test_killed_at_any_step(tmp_path: Path, steps: int) -> None:
    found = lay(tmp_path)

    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(steps)], check=False, timeout=60
    )

    assert ran.returncode in {0, -signal.SIGKILL}
    assert ran.returncode == -signal.SIGKILL or steps == STEPS - 1
    has_submission = (found.submission / "submission.json").is_file()
    assert has_submission or is_whole(found)
    if is_whole(found):
        finish(found.target, found.submission)
    else:
        place(found)
    assert is_whole(found)
    assert not found.submission.exists()
    assert not is_left(found.submission)
    assert [path.name for path in found.target.parent.iterdir()] == ["1.0"]


def test_two_at_once_are_one_version(tmp_path: Path) -> None:
    found = lay(tmp_path)
    other = Placing(
        target=found.target,
        files={"plan.json": b"another\n", "reviews/carol.json": b"{}\n"},
        submission=found.submission,
        replaces_draft=True,
    )

    def meanwhile(step: str) -> None:
        if step == "write plan.json":
            place(other)

    with pytest.raises(Refused, match="published already"):
        place(found, meanwhile)

    assert is_whole(other)
    assert not is_whole(found)
    assert [path.name for path in found.target.parent.iterdir()] == ["1.0"]


def test_links_in_the_way_are_removed_and_not_followed(tmp_path: Path) -> None:
    found, outside = lay(tmp_path), tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"x")
    for link in (
        found.submission.with_name(f".{found.submission.name}.published"),
        found.target.with_name(".1.0.draft"),
        found.target.with_name(".1.0.publishing.0"),
    ):
        link.symlink_to(outside)

    place(found)

    assert is_whole(found)
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert [path.name for path in found.target.parent.iterdir()] == ["1.0"]
    assert not found.submission.exists()
