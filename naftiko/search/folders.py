"""Folders that are either the old or the new one, and files read no further than allowed."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

_TRIES = 16


def replace_folder(folder: Path, files: Mapping[str, bytes | memoryview]) -> None:
    """Put a folder with these files in the place of the one that is there, if one is.

    They are written beside it; whoever reads meanwhile has the old files, the new ones, or finds
    none for a moment. Of several that write at once, the last one stays.

    Raises: OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = _beside(folder)
    made.mkdir(mode=0o755)
    try:
        for name, data in files.items():
            _write(made / name, data)
        _put(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _put(made: Path, folder: Path) -> None:
    for attempt in range(_TRIES):
        try:
            made.rename(folder)
        except OSError:
            if attempt == _TRIES - 1 or not folder.is_dir():
                raise
        else:
            return
        former = _beside(folder)
        try:
            folder.rename(former)
        except FileNotFoundError:  # another writer took it away
            continue
        shutil.rmtree(former, ignore_errors=True)


def _beside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.{secrets.token_hex(6)}")


def _write(path: Path, data: bytes | memoryview) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_at_most(path: Path, most: int) -> bytes | None:
    """Return a file's bytes; None if it has more of them, or is not a plain file.

    Raises: OSError.
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:
        data = file.read(most + 1)
    return None if len(data) > most else data
