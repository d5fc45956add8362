"""Puts a version into the catalog, whole or not at all, and takes the submission away.

Everything is written into a hidden folder, which catalogs do not read; one rename makes it the
version. Whoever is interrupted, and begins again, ends up at the same place.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from naftiko.workflow.contribution.refused import Refused
from naftiko.workflow.files import sync_folder, write_atomically

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """A version that is complete: where it goes, its files, and the submission that it was.

    `replaces_draft`: what stands there is a source that was never signed.
    """

    target: Path
    files: Mapping[str, bytes]
    submission: Path
    replaces_draft: bool = False


def _nothing(step: str) -> None:
    """Do nothing between two writes."""


def place(placing: Placing, on_step: OnStep = _nothing) -> None:
    """Publish; `on_step` is told before each change of a file or folder.

    Raises: Refused: the version is there.
    """
    target = placing.target
    # A name of its own: two who publish at once must not write into one folder.
    staging = target.with_name(f"{_staging(target)}{secrets.token_hex(6)}")
    draft = target.with_name(f".{target.name}.draft")
    try:
        for name, data in placing.files.items():
            on_step(f"write {name}")
            write_atomically(staging / name, data)
        on_step("set the draft aside")
        if placing.replaces_draft and _is_draft(target):
            _take_away(draft)
            target.rename(draft)
        on_step("rename")
        if target.exists():
            raise _is_there(target)
        staging.rename(target)
    except OSError as error:
        if target.exists():
            raise _is_there(target) from None
        raise Refused("WF963", f"`{target}` cannot be written: {error.strerror}") from None
    finally:
        _take_away(staging)
    sync_folder(target.parent)
    on_step("remove what was before")
    _tidy(target)
    on_step("remove the submission")
    remove(placing.submission, on_step)


def finish(target: Path, submission: Path) -> None:
    """Remove what an interrupted publication has left beside a version that is whole."""
    _tidy(target)
    remove(submission)


def remove(submission: Path, on_step: OnStep = _nothing) -> None:
    """Remove a submission that is published; half of one would be no submission."""
    hidden = submission.with_name(f".{submission.name}.published")
    if submission.is_dir():
        _take_away(hidden)
        submission.rename(hidden)
    on_step("empty")
    _take_away(hidden)


def is_left(submission: Path) -> bool:
    """Tell whether the removal of a submission was interrupted."""
    return submission.with_name(f".{submission.name}.published").is_dir()


def _staging(target: Path) -> str:
    return f".{target.name}.publishing."


def _is_draft(target: Path) -> bool:
    """Tell whether a version that stands there was never published: nobody has reviewed it."""
    return target.is_dir() and not (target / "reviews").exists()


def _is_there(target: Path) -> Refused:
    return Refused(
        "WF963",
        f"`{target.parent.name}@{target.name}` is published already",
        hint="`naftiko workflow verify` tells by whom",
    )


def _tidy(target: Path) -> None:
    """Remove the draft, and what publications have left that did not come to their end."""
    _take_away(target.with_name(f".{target.name}.draft"))
    for path in target.parent.iterdir():
        if path.name.startswith(_staging(target)):
            _take_away(path)


def _take_away(path: Path) -> None:
    """Remove a folder, or a link that stands in its place; what it leads to stays."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)
