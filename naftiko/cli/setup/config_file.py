"""Entries -> a client's own file, which keeps everything else that stands in it.

The file is somebody else's: it is read strictly, written whole beside itself and put in its place
in one step, its former text kept as `.bak-N`. What it would lose by that (comments, a name that
stands twice, digits of a number) is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from naftiko.cli.setup.changes import changes
from naftiko.cli.setup.entries import Entry
from naftiko.errors import StartError
from naftiko.values import JsonObject, JsonValue

MAX_BYTES = 64 * 1024 * 1024
OWN_MEMBERS = frozenset({"type", "command", "args", "env", "url", "serverUrl", "headers"})
"""What an entry is replaced with; the rest of it (`disabled`, `autoApprove`) is the user's, as long
as it is the same server: what one may do unasked, another of its name may not."""

_BOM = b"\xef\xbb\xbf"
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|//|/\*', re.DOTALL)
_INDENT = re.compile(r'\n([ \t]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a file. `changes` are lines by the name of an entry that was replaced."""

    path: Path
    added: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    changes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    backup: Path | None = None


class CommentsError(StartError):
    """A file with comments, which rewriting it would lose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Current:
    """A file as it stands. `raw` is None where there is none yet."""

    path: Path
    raw: bytes | None
    text: str
    document: JsonObject


def write_entries(path: Path, key: str, entries: Sequence[Entry], *, private: bool) -> Written:
    """Put entries under `key` of a client's file. A second time, nothing is written.

    `private` keeps a file that is new from everybody else who uses the machine.

    Raises: StartError where the file cannot be read, understood or written; CommentsError.
    """
    current = _read(path)
    document = dict(current.document)
    servers = _servers(document, key, path)
    added, kept, replaced = [], [], []
    for entry in entries:
        old = servers.get(entry.name)
        new = _merged(old, entry.members)
        if entry.name not in servers:
            added.append(entry.name)
        elif old == new:
            kept.append(entry.name)
            continue
        else:
            replaced.append((entry.name, tuple(changes(old, new))))
        servers[entry.name] = new
    document[key] = servers
    _add_inputs(document, entries, path)
    if document == current.document:
        return Written(path=current.path, kept=tuple(kept))
    backup = _replace(current, _dumped(document, current, path), private=private)
    return Written(
        path=current.path,
        added=tuple(added),
        kept=tuple(kept),
        changes=tuple(replaced),
        backup=backup,
    )


def _merged(old: JsonValue, members: JsonObject) -> JsonObject:
    if not isinstance(old, dict):
        return members
    stays = old.keys() - OWN_MEMBERS if _is_same_server(old, members) else {"disabled"}
    return members | {name: value for name, value in old.items() if name in stays}


def _is_same_server(old: JsonObject, new: JsonObject) -> bool:
    """Tell whether two entries start the same adapter of the same file, or call the same host."""
    if "command" in new:
        launched = _launched(new)
        return launched is not None and launched == _launched(old)
    urls = [entry.get("url") or entry.get("serverUrl") for entry in (old, new)]
    one, other = (urlsplit(url)[:2] if isinstance(url, str) else None for url in urls)
    return one is not None and one == other


def _launched(entry: JsonObject) -> list[JsonValue] | None:
    """Return the file and the adapter: ["run", FILE, "--stdio", NAMESPACE, ...]."""
    words = entry.get("args")
    if not isinstance(words, list) or "run" not in words:
        return None
    start = words.index("run")
    return words[start : start + 4]


def _servers(document: JsonObject, key: str, path: Path) -> JsonObject:
    servers = document.get(key, {})
    if not isinstance(servers, dict):
        raise StartError(
            f"`{key}` in {path} must be an object, found {_kind(servers)}",
            hint="correct the file first; nothing was written",
        )
    return dict(servers)


def _add_inputs(document: JsonObject, entries: Sequence[Entry], path: Path) -> None:
    """Add the questions of VS Code that its file does not have yet."""
    asked = [question for entry in entries for question in entry.inputs]
    if not asked:
        return
    found = document.get("inputs", [])
    if not isinstance(found, list):
        raise StartError(
            f"`inputs` in {path} must be a list, found {_kind(found)}",
            hint="correct the file first; nothing was written",
        )
    known = {item.get("id") for item in found if isinstance(item, dict)}
    new = [question for question in asked if question["id"] not in known]
    if new:
        document["inputs"] = [*found, *new]


def _kind(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case list():
            return "a list"
        case str():
            return "a text"
        case dict():
            return "an object"
        case _:
            return "a number"


def _read(path: Path) -> _Current:
    """Read a file, or the one that a link leads to."""
    try:
        real = path.resolve()
        raw = _bytes(real)
    except (OSError, RuntimeError) as error:  # a link that loops is a RuntimeError until 3.13
        reason = getattr(error, "strerror", None) or str(error)
        raise StartError(f"{path} cannot be read: {reason}") from error
    if raw is None and path.is_symlink():
        raise StartError(
            f"{path} is a link to {real}, which is not there",
            hint="a project that you were given may hold such a link: remove it, or make the file",
        )
    if raw is None:
        return _Current(path=real, raw=None, text="", document={})
    try:
        text = raw.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise StartError(
            f"{path} is not UTF-8: the byte at {error.start} is none of a text",
            hint="correct the file first; nothing was written",
        ) from error
    document = _parsed(text, path) if text.strip() else {}
    return _Current(path=real, raw=raw, text=text, document=document)


def _bytes(path: Path) -> bytes | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise StartError(f"{path} is not a file")
    if status.st_size > MAX_BYTES:
        raise StartError(f"{path} is larger than {MAX_BYTES} bytes")
    return path.read_bytes()


def _parsed(text: str, path: Path) -> JsonObject:
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        if _has_comments(text):
            raise CommentsError(
                f"{path} has comments, which would be lost by writing it",
                hint="add the entry that is printed here by hand; nothing was written",
            ) from error
        raise StartError(
            f"{path} is not valid JSON: {error.msg[0].lower()}{error.msg[1:]} at line "
            f"{error.lineno}, column {error.colno}",
            hint="correct the file first; nothing was written",
        ) from error
    except (ValueError, RecursionError) as error:
        raise StartError(
            f"{path} cannot be written without losing some of it: {error}",
            hint="correct the file first; nothing was written",
        ) from error
    if not isinstance(document, dict):
        raise StartError(
            f"{path} must hold an object, found {_kind(document)}",
            hint="correct the file first; nothing was written",
        )
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a name that stands twice in one object: the first one would be gone."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"`{name}` stands twice in one object")
        found[name] = value
    return found


def _no_constant(text: str) -> float:
    raise ValueError(f"`{text}` is no number of JSON")


def _has_comments(text: str) -> bool:
    return any(not match[0].startswith('"') for match in _TOKENS.finditer(text))


def _dumped(document: JsonObject, current: _Current, path: Path) -> bytes:
    """Write JSON as the file is written: its indentation, line ends, mark and escapes."""
    indent = _INDENT.search(current.text)
    as_ascii = current.text.isascii() and "\\u" in current.text
    try:
        text = json.dumps(
            document,
            indent=indent[1] if indent else 2,
            ensure_ascii=as_ascii,
            allow_nan=False,
        )
        raw = text.encode("utf-8")
    except ValueError:  # a number beyond floats, or half of a surrogate pair
        raise _lossy(path) from None
    if not _holds(current.text, document, text):
        raise _lossy(path)
    if "\r\n" in current.text:
        raw = raw.replace(b"\n", b"\r\n")
    if not current.text.strip() or current.text.endswith("\n"):
        raw += b"\r\n" if "\r\n" in current.text else b"\n"
    return (_BOM if (current.raw or b"").startswith(_BOM) else b"") + raw


def _holds(before: str, document: JsonObject, after: str) -> bool:
    """Tell whether every number that is kept has all the digits that it had."""
    if not before.strip():
        return True
    old = json.loads(before, parse_float=Decimal)
    new = json.loads(after, parse_float=Decimal)
    return _same(old, new, json.loads(before), document)


def _same(old: Any, new: Any, plain: JsonValue, document: JsonValue) -> bool:
    """Compare with all digits what is the same without them."""
    if plain == document:
        return bool(old == new)
    if not isinstance(plain, dict) or not isinstance(document, dict):
        return True
    names = [name for name in plain if name in document]
    return all(_same(old[name], new[name], plain[name], document[name]) for name in names)


def _lossy(path: Path) -> StartError:
    return StartError(
        f"{path} holds a number or a text that would not survive being written",
        hint="add the entry by hand; nothing was written",
    )


def _replace(current: _Current, raw: bytes, *, private: bool) -> Path | None:
    """Put the new text in the file's place; return where the former one is kept."""
    path = current.path
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if current.raw is not None and not os.access(path, os.W_OK):
            raise PermissionError(13, "it is read-only")
        mode = stat.S_IMODE(path.stat().st_mode) if current.raw is not None else None
        _create(temporary, raw, mode, 0o600 if private else 0o666)
        if _bytes(path) != current.raw:
            raise StartError(
                f"{path} was changed by another program meanwhile",
                hint="close the client and try again; nothing was written",
            )
        backup = _backup(path, current.raw, mode) if current.raw is not None else None
        temporary.replace(path)
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return backup


def _backup(path: Path, raw: bytes, mode: int | None) -> Path:
    """Keep a text beside its file, under a name that nothing has yet."""
    number = 1
    while True:
        backup = path.with_name(f"{path.name}.bak-{number}")
        try:
            _create(backup, raw, mode, 0o600)
        except FileExistsError:
            number += 1
        else:
            return backup


def _create(path: Path, raw: bytes, mode: int | None, new_mode: int) -> None:
    """Create a file with this content. `mode` is exact, `new_mode` is as the umask allows."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o600 if mode is not None else new_mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    if mode is not None:
        path.chmod(mode)
