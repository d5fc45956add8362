"""Which files a capability may read: those under the workspace root, links followed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

MARKERS = (".git", "pyproject.toml", "naftiko.workspace")
"""What tells the folder of a project from any other folder."""


def workspace_root(file: Path) -> Path:
    """Return the folder a capability may read from, unless the user names another.

    The nearest folder above the file that holds a project marker; else the process's folder if the
    file lies under it; else the file's own folder. Never the root of the disk.
    """
    folder = file.resolve().parent
    for candidate in (folder, *folder.parents):
        if candidate.parent != candidate and any((candidate / name).exists() for name in MARKERS):
            return candidate
    here = Path.cwd().resolve()
    if folder.is_relative_to(here) and here.parent != here:
        return here
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a file was found. `outside` is a match that may not be read.

    `siblings` are the file names of the first folder that was searched, for hints.
    """

    path: Path | None = None
    outside: Path | None = None
    siblings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnderRoot:
    """Finds files, and refuses those outside `root`."""

    root: Path

    def find(
        self, relative: str, *, beside: Path, also: Path | None = None, upwards: bool = False
    ) -> Found:
        """Look beside a file, then in `also`, or upwards to the root.

        An absolute path, `..` and links are followed, and then held against the root.
        """
        folders = list(self._upwards(beside)) if upwards else [beside]
        if also is not None:
            folders.append(also)
        outside: Path | None = None
        for folder in folders:
            candidate = folder / relative
            if not self._inside(candidate):
                outside = outside or candidate
                continue
            if candidate.is_file():
                return Found(path=candidate)
        first = (beside / relative).parent
        return Found(
            outside=outside,
            siblings=self._names(first) if self._inside(first) else (),
        )

    def _inside(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self.root.resolve())
        except (OSError, RuntimeError, ValueError):  # a link that loops, a NUL in the name
            return False

    def _upwards(self, folder: Path) -> Iterator[Path]:
        current = folder.resolve()
        root = self.root.resolve()
        yield folder
        while current != root and current.is_relative_to(root):
            current = current.parent
            yield current

    @staticmethod
    def _names(folder: Path) -> tuple[str, ...]:
        try:
            return tuple(sorted(entry.name for entry in folder.iterdir()))
        except OSError:
            return ()


def bind_path(uri: str) -> str | None:
    """Return the path of a file URI, None for another scheme.

    "file:///./secrets.yaml", "file://./secrets.yaml", "secrets.yaml" -> "./secrets.yaml"
    """
    if "://" not in uri:
        return uri.removeprefix("file:")
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return None
    path = unquote(parts.netloc + parts.path if parts.netloc else parts.path)
    return path[1:] if path.startswith(("/./", "/../")) else path
