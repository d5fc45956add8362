"""Files that a capability shows: found at load, opened without following a link, bounded.

Behaviour reference, section 7.4: a name asked for is made of segments of letters, digits, `.`, `_`
and `-`, and never leads out of its folder.
"""

from __future__ import annotations

import mimetypes
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from naftiko.document.nodes import Scalar
from naftiko.errors import did_you_mean
from naftiko.plan.clients import leave_out
from naftiko.resolve.files import UnderRoot, bind_path

MAX_FILES = 10_000
"""Files of one folder that are listed."""
MAX_SEEN = 5 * MAX_FILES
"""Files that are looked at to list those: a folder may hold any number."""
MAX_DEPTH = 32
"""Folders within folders that are listed."""

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_TYPES = {
    ".md": "text/markdown",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".txt": "text/plain",
    ".xml": "application/xml",
    ".wav": "audio/wav",
    ".csv": "text/csv",
}
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _NO_FOLLOW


class FileRefusedError(Exception):
    """A file that is not there, or may not be shown; the text is a sentence for people."""


class FileTooLargeError(FileRefusedError):
    """A file that is larger than what is shown."""


@dataclass(frozen=True, slots=True)
class Files:
    """Finds what `location` and `file` name, under the workspace root."""

    root: Path

    def find(self, scalar: Scalar, *, folder: bool = False) -> Path:
        """Return the file (or folder, where that is allowed) that the text names.

        "file:///./docs/a.md", "./docs/a.md" -> the path beside the capability file.

        Raises: LeftOut.
        """
        relative = bind_path(scalar.text)
        if relative is None:
            raise leave_out(
                "unsupported-location",
                f"`{scalar.text}` is no file; only `file:` locations are read",
                scalar.location,
                "write `file:///./name`, relative to this file",
            )
        beside = Path(scalar.location.path).parent
        candidate = Path(os.path.abspath(beside / relative))  # noqa: PTH100  # keeps links visible
        if not self._is_inside(candidate):
            raise leave_out(
                "outside-workspace",
                f"`{scalar.text}` lies outside the workspace root {self.root}, or behind a link",
                scalar.location,
                "move the file under it, or name another root with --workspace",
            )
        refuse_private(scalar, candidate)
        if candidate.is_file() or (folder and candidate.is_dir()):
            return candidate
        found = UnderRoot(self.root).find(relative, beside=beside)
        raise leave_out(
            "file-not-found",
            f"the file `{scalar.text}` does not exist",
            scalar.location,
            did_you_mean(Path(relative).name, found.siblings),
        )

    def read(self, scalar: Scalar, max_bytes: int) -> tuple[Path, bytes]:
        """Return a file and its content.

        Raises: LeftOut.
        """
        path = self.find(scalar)
        try:
            return path, read_file(path, max_bytes)
        except FileRefusedError as error:
            raise leave_out("file-refused", str(error), scalar.location) from error

    def _is_inside(self, path: Path) -> bool:
        try:
            root = self.root.resolve()
            real = path.resolve()
            if not real.is_relative_to(root):
                return False
            parts = real.relative_to(root).parts
        except (OSError, RuntimeError, ValueError):  # a link that loops, a NUL in the name
            return False
        # A link below the root would give the path other last parts than its target has.
        return not parts or path.parts[-len(parts) :] == parts


def refuse_private(scalar: Scalar, path: Path) -> None:
    """Refuse to show or send a file like `.env` or `.git/config`: secrets are kept in such files.

    Raises: LeftOut.
    """
    real = path.resolve()
    if ".git" not in real.parts and not (real.name.startswith(".") and not real.is_dir()):
        return
    raise leave_out(
        "hidden-file",
        f"`{scalar.text}` is hidden, as files with settings and secrets are, so it is not read",
        scalar.location,
        "give the file a name that does not begin with a dot",
    )


def media_type_of(name: str) -> str:
    """Return the media type that a file's name tells."""
    suffix = Path(name).suffix.lower()
    known = _TYPES.get(suffix)
    return known or mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"


def is_plain_path(relative: str) -> bool:
    """Tell whether a path below a folder is made of plain names: "guide/a.md" is, "../a" is not."""
    return all(_SEGMENT.fullmatch(segment) for segment in relative.split("/"))


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file that is no link.

    Raises: FileRefusedError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise FileRefusedError(f"the file `{path.name}` cannot be read") from error
    return _read(descriptor, path.name, max_bytes)


def read_below(folder: Path, relative: str, max_bytes: int) -> bytes:
    """Return the content of a file below a folder; no segment of its path may be a link.

    Raises: FileRefusedError.
    """
    segments = relative.split("/")
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise FileRefusedError(f"`{relative[:80]}` is no name of a file here")
    try:
        opened = os.open(folder, os.O_RDONLY)
        for segment in segments[:-1]:
            outer, opened = opened, _open_in(opened, segment, _FOLDER)
            os.close(outer)
        flags = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0)
        outer, opened = opened, _open_in(opened, segments[-1], flags)
        os.close(outer)
    except OSError as error:
        raise FileRefusedError(f"there is no file `{relative[:80]}` here") from error
    return _read(opened, relative, max_bytes)


def _open_in(folder: int, name: str, flags: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError:
        os.close(folder)
        raise


def _read(descriptor: int, name: str, max_bytes: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileRefusedError(f"`{name[:80]}` is no file")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise FileTooLargeError(f"the file `{name[:80]}` is larger than {max_bytes} bytes")
    return content


@dataclass(frozen=True, slots=True)
class Listed:
    """One file below a folder: its path with `/`, its size in bytes and when it changed."""

    relative: str
    size: int
    changed_ns: int


def list_files(folder: Path) -> list[Listed]:
    """Return the files below a folder, sorted by path; no links, no hidden names."""
    seen = islice(_walk(folder, "", MAX_DEPTH), MAX_SEEN)
    found = sorted(seen, key=lambda item: item.relative)
    return found[:MAX_FILES]


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[Listed]:
    try:
        with os.scandir(folder) as scanned:
            entries = list(islice(scanned, MAX_SEEN))
    except OSError:
        return
    for entry in entries:
        if not _SEGMENT.fullmatch(entry.name) or entry.is_symlink():
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth > 0:
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", depth - 1)
        elif entry.is_file(follow_symlinks=False):
            status = entry.stat(follow_symlinks=False)
            yield Listed(prefix + entry.name, status.st_size, status.st_mtime_ns)
