"""The files of a catalog, looked at fast: it may hold ten thousand workflows.

Folders are walked with `os.scandir`, which knows what is a symbolic link: only where one leads has
to be found out.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from naftiko.errors import StartError
from naftiko.workflow.files import read_limited

SOURCE = "source.yaml"
NAME = re.compile(r"[a-z][a-z0-9_]{2,63}")
VERSION = re.compile(r"(?:0|[1-9]\d{0,8})(?:\.(?:0|[1-9]\d{0,8})){1,2}", re.ASCII)


class CatalogError(StartError):
    """A catalog cannot be used as it lies."""


def inside(path: Path, root: Path) -> Path:
    """Return a path, unless a symbolic link leads out of the catalog.

    Raises: CatalogError.
    """
    if not path.resolve().is_relative_to(root):
        raise CatalogError(f"`{path}` leads out of the catalog `{root}`")
    return path


def folders(folder: Path, root: Path) -> list[Path]:
    """Return the folders in one that lies inside, sorted, but for hidden ones.

    Raises: CatalogError.
    """
    with os.scandir(folder) as found:
        inner = sorted(
            (one.name, one.is_symlink())
            for one in found
            if not one.name.startswith(".") and one.is_dir()
        )
    return [_checked(folder / name, root, is_link=is_link) for name, is_link in inner]


def files(folder: Path, names: Sequence[str], root: Path) -> dict[str, Path]:
    """Return those of the named files that are in a folder which lies inside.

    Raises: CatalogError.
    """
    with os.scandir(folder) as found:
        there = {one.name: one.is_symlink() for one in found if one.name in names and one.is_file()}
    return {name: _checked(folder / name, root, is_link=is_link) for name, is_link in there.items()}


def _checked(path: Path, root: Path, *, is_link: bool) -> Path:
    return inside(path, root) if is_link else path


def read(path: Path, most: int) -> bytes:
    """Return a file's bytes.

    Raises: CatalogError: it cannot be read, or has more of them.
    """
    try:
        data = read_limited(path, most)
    except OSError as error:
        raise CatalogError(f"`{path}` cannot be read: {error.strerror}") from None
    if len(data) > most:
        raise CatalogError(f"`{path}` has more than {most} bytes")
    return data


def mark(path: Path) -> tuple[int, int, int]:
    """Return what changes when a file does.

    Raises: CatalogError: it is not there.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise CatalogError(f"`{path}` cannot be read: {error.strerror}") from None
    return found.st_mtime_ns, found.st_size, found.st_ino


def stamp(roots: Sequence[Path]) -> str:
    """Return what changes when files do.

    Where there is an index, there may be very many: then folders of versions are looked at, which
    change when a file in them is added, removed or replaced.
    """
    total = hashlib.sha256()
    for root in roots:
        for path, kind in _watched(root):
            try:
                found = os.stat(path)  # noqa: PTH116 - of tens of thousands, paths would double it
            except OSError:
                continue  # not there, or not any more
            if stat.S_IFMT(found.st_mode) == kind:
                text = f"{path}\0{found.st_mtime_ns}\0{found.st_size}\0{found.st_ino}\n"
                total.update(text.encode())
    return total.hexdigest()


def _watched(root: Path) -> Iterator[tuple[str, int]]:
    """Yield what is looked at, and whether that is a file or a folder."""
    yield f"{root}/trust/manifest.json", stat.S_IFREG
    workflows, index = root / "workflows", root / "index" / "manifest.json"
    if index.is_file() and workflows.is_dir():
        yield str(index), stat.S_IFREG
        yield from ((path, stat.S_IFDIR) for path in _below(str(workflows), 3))
        return
    files = _below(str(workflows), 4) if workflows.is_dir() else _below(str(root), 1)
    yield from ((path, stat.S_IFREG) for path in files)
    yield from ((f"{folder}/{SOURCE}", stat.S_IFREG) for folder in _below(str(root), 1))


def _below(folder: str, depth: int) -> Iterator[str]:
    """Yield what lies so deep under a folder, sorted."""
    try:
        with os.scandir(folder) as found:
            inner = sorted((one.path, depth > 1 and one.is_dir()) for one in found)
    except OSError:
        return  # it has just gone away
    for path, is_dir in inner:
        if depth == 1:
            yield path
        elif is_dir:
            yield from _below(path, depth - 1)
