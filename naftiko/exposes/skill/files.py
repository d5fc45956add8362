"""A skill's folder -> its files, one by one, listed, or as an archive that is always the same."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

from naftiko.plan.content_files import FileTooLargeError, list_files, media_type_of, read_below
from naftiko.values import JsonValue

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_ARCHIVE_BYTES = 128 * 1024 * 1024
"""Of the files, before they are compressed: the archive is made in memory."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16


class TooLargeError(Exception):
    """A file or an archive that is larger than what is served; the text is for people."""


def listing(folder: Path) -> list[JsonValue]:
    """Return the files of a folder, sorted: {"path": "a/b.md", "size": 12, "type": ...}."""
    return [
        {"path": item.relative, "size": item.size, "type": media_type_of(item.relative)}
        for item in list_files(folder)
    ]


def file_content(folder: Path, path: str) -> bytes:
    """Return a file below a folder.

    Raises: FileRefusedError where there is none, or a link leads to it; TooLargeError.
    """
    try:
        return read_below(folder, path, MAX_FILE_BYTES)
    except FileTooLargeError:
        raise TooLargeError(f"the file has more than {MAX_FILE_BYTES} bytes") from None


def archive(folder: Path) -> bytes:
    """Return the files of a folder as a zip: sorted, without dates, so that equal is equal.

    Raises: FileRefusedError where a file went away meanwhile; TooLargeError.
    """
    out = io.BytesIO()
    size = 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for item in list_files(folder):
            size += item.size
            if size > MAX_ARCHIVE_BYTES:
                raise TooLargeError(f"the skill has more than {MAX_ARCHIVE_BYTES} bytes")
            entry = zipfile.ZipInfo(item.relative, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _REGULAR_FILE
            entry.create_system = 3  # Unix, wherever it is made
            file.writestr(entry, read_below(folder, item.relative, MAX_FILE_BYTES))
    return out.getvalue()


def etag_of(content: bytes) -> bytes:
    """Return the entity tag of a content."""
    return b'"%s"' % hashlib.sha256(content).hexdigest()[:32].encode("ascii")
