"""File or text -> Document: YAML (and so JSON) with a place for every node, within bounds."""

from __future__ import annotations

import re
import stat
from itertools import islice
from pathlib import Path
from typing import NoReturn

from naftiko.document.builder import MAX_DEPTH, MAX_NODES, Limits, build_root
from naftiko.document.nodes import Document
from naftiko.document.scalars import BREAK, UNSEEN
from naftiko.errors import DocumentError, Problem, nearest
from naftiko.source import Location

MAX_BYTES = 5 * 1024 * 1024
MAX_NAMES_COMPARED = 2_000

_SURROGATE_PAIR = re.compile(
    r"(?<!\\)(?P<before>(?:\\\\)*)"
    r"\\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
)
_UNREADABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]"
)
"""What YAML 1.1 does not let stand in a file (section 5.1), and a byte order mark inside of it."""


def load_document(
    path: str | Path,
    *,
    display_path: str | None = None,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_nodes: int = MAX_NODES,
) -> Document:
    """Read a YAML or JSON file. Problems name it by `display_path` where that is given.

    Raises: DocumentError[unreadable, not-utf-8, too-large, ...]; nothing else for a bad file.
    """
    shown = display_path if display_path is not None else str(path)
    data = _read(Path(path), shown, max_bytes)
    return parse_document(
        data, shown, max_bytes=max_bytes, max_depth=max_depth, max_nodes=max_nodes
    )


def parse_document(
    text: str | bytes,
    path: str,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_nodes: int = MAX_NODES,
    pure: bool = False,
    strict: bool = False,
    list_name: str = "",
) -> Document:
    """Read a document from its text; `path` is what problems call it.

    With `list_name`, a file may be a list: it stands under this name then.

    `strict` refuses what makes a file mean something else than it seems to: anchors, aliases, tags,
    `<<`, names that are no text, characters that nobody sees.

    `pure` takes PyYAML's Python parser even where libyaml's is there (same result, 20x slower).

    Raises: DocumentError.
    """
    size = len(text)
    if size > max_bytes:
        _refuse_size(path, max_bytes)
    decoded = _decode(text, path) if isinstance(text, bytes) else text
    decoded = decoded.removeprefix("\ufeff")
    _refuse_control_characters(decoded, path, strict=strict)
    limits = Limits(max_depth=max_depth, max_nodes=max_nodes, strict=strict, list_name=list_name)
    root = build_root(_with_whole_characters(decoded), path, limits, pure=pure)
    return Document(path, root, decoded)


def _read(path: Path, shown: str, max_bytes: int) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            message = f"`{shown}` is a folder, not a file"
            _refuse(shown, "unreadable", message, "name a file that stands in it")
        if not stat.S_ISREG(mode):
            _refuse(shown, "unreadable", f"`{shown}` is not a regular file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        _refuse(shown, "unreadable", f"the file `{shown}` does not exist", _near_file(path))
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        _refuse(shown, "unreadable", f"the file `{shown}` cannot be read: {reason}")
    if len(data) > max_bytes:
        _refuse_size(shown, max_bytes)
    return data


def _near_file(path: Path) -> str:
    try:
        names = [entry.name for entry in islice(path.parent.iterdir(), MAX_NAMES_COMPARED)]
    except OSError:
        return f"there is no folder `{path.parent}` either"
    near = nearest(path.name, names)
    return f"did you mean `{path.with_name(near)}`?" if near else ""


def _refuse(path: str, code: str, message: str, hint: str = "", line: int = 1) -> NoReturn:
    problem = Problem(code=code, message=message, location=Location(path, line), hint=hint)
    raise DocumentError([problem])


def _refuse_size(path: str, max_bytes: int) -> NoReturn:
    size = f"{max_bytes / 1024 / 1024:g} MiB" if max_bytes >= 1024 * 1024 else f"{max_bytes} bytes"
    _refuse(path, "too-large", f"the file has more than {size}", "split it with `import`")


def _decode(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place(data[: error.start].decode("utf-8"), path)
        byte = f"0x{data[error.start]:02x}"
        problem = Problem(
            code="not-utf-8",
            message=f"the byte `{byte}` is not UTF-8",
            location=place,
            hint="save the file as UTF-8",
        )
        raise DocumentError([problem]) from None


def _with_whole_characters(text: str) -> str:
    r"""Replace JSON's pairs of escapes for one character, which YAML does not know.

    `{"a": "\ud83d\ude00"}` -> `{"a": "\U0001F600"}`; only in JSON, where they stand in texts only.
    """
    if "\\ud" not in text.lower() or text.lstrip()[:1] not in {"{", "["}:
        return text
    return _SURROGATE_PAIR.sub(_whole_character, text)


def _whole_character(match: re.Match[str]) -> str:
    high, low = int(match["high"], 16), int(match["low"], 16)
    code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
    return f"{match['before']}\\U{code:08X}"


def _place(before: str, path: str) -> Location:
    """Return the place right after a text."""
    breaks = list(BREAK.finditer(before))
    start = breaks[-1].end() if breaks else 0
    return Location(path, len(breaks) + 1, len(before) - start + 1)


def _refuse_control_characters(text: str, path: str, *, strict: bool) -> None:
    found = _UNREADABLE.search(text) or (UNSEEN.search(text) if strict else None)
    if found is None:
        return
    place = _place(text[: found.start()], path)
    problem = Problem(
        code="control-character",
        message=f"the character U+{ord(found.group()):04X} cannot stand in a YAML file",
        location=Location(path, place.line, place.column, place.column + 1),
        hint="remove it" if strict else "remove it, or write it as an escape in double quotes",
    )
    raise DocumentError([problem])
