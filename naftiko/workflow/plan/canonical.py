"""One text for one document: what checksums and signatures are taken over.

JSON in UTF-8, keys ASCII and sorted, no white space, whole numbers or decimals of at most two
places. Spec: section 5, "Canonical form". Nothing here depends on the version of Python: numbers
and texts are written by this module.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import orjson

from naftiko.values import JsonObject, JsonValue

MAX_BYTES = 1024 * 1024
"""Longer documents are not read."""

MAX_DEPTH = 100
"""Trees have 20 levels, each at most three of JSON; the document around them has a dozen."""

_MAX_WHOLE = 2**64
"""Whole numbers lie below it, from -2**63 on: what the JSON reader gives exactly."""

_MAX_EXACT = 2**53
"""Above it a float stands for several whole numbers."""

_quoted = json.encoder.encode_basestring  # the escapes JSON demands and no others


class CanonicalError(ValueError):
    """A document has no canonical form, or bytes are not one. The text says where and why."""


def canonical(document: JsonValue) -> bytes:
    r"""Return the canonical form of a document.

    {"b": 3.0, "a": ["é"]} -> b'{"a":["\xc3\xa9"],"b":3}'

    Raises: CanonicalError.
    """
    parts: list[str] = []
    try:
        _write(document, parts, 0)
    except _Unwritable as error:
        where = "".join(reversed(error.path)) or "the document"
        raise CanonicalError(f"{where.removeprefix('.')}: {error.reason}") from None
    return "".join(parts).encode()


def checksum(document: JsonObject) -> str:
    """Return `sha256:...` of a document without its `checksum` and `signatures`.

    Raises: CanonicalError.
    """
    content = {
        name: value for name, value in document.items() if name not in {"checksum", "signatures"}
    }
    return digest(canonical(content))


def digest(data: bytes) -> str:
    """Return `sha256:...` of bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def file_bytes(document: JsonObject) -> bytes:
    """Return what a file of the document holds: its canonical form and a line feed.

    Raises: CanonicalError.
    """
    return canonical(document) + b"\n"


def parse_canonical(data: bytes, *, max_bytes: int = MAX_BYTES) -> JsonObject:
    """Return the object of which `data` is the canonical form, byte for byte.

    Raises: CanonicalError: it is none, or is another writing of one.
    """
    if len(data) > max_bytes:
        message = f"the document has {len(data)} bytes, {max_bytes} are allowed"
        raise CanonicalError(message)
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise CanonicalError(f"not JSON: {error.msg} at byte {error.pos}") from None
    if not isinstance(document, dict):
        raise CanonicalError("the document is not an object")
    written = canonical(document)
    if written != data:
        place = _first_difference(written, data)
        raise CanonicalError(f"not in canonical form at byte {place}")
    return document


def parse_file(data: bytes, *, max_bytes: int = MAX_BYTES) -> JsonObject:
    """Return the object that a file holds, whose last byte is a line feed.

    Raises: CanonicalError.
    """
    if not data.endswith(b"\n"):
        raise CanonicalError("the file does not end with a line feed")
    return parse_canonical(data[:-1], max_bytes=max_bytes)


class _Unwritable(Exception):  # noqa: N818 - becomes CanonicalError, with its place
    """Something has no canonical form. `path` grows from the inside."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []


def _write(value: object, parts: list[str], depth: int) -> None:
    """Append the text of a value; exact types, for a subclass may print as it likes."""
    kind = type(value)
    if kind is str:
        parts.append(_text(value))  # type: ignore[arg-type] # its type was just looked at
    elif value is None:
        parts.append("null")
    elif kind is bool:
        parts.append("true" if value else "false")
    elif kind is int or kind is float:
        parts.append(_number(value))  # type: ignore[arg-type] # likewise
    elif depth >= MAX_DEPTH:
        raise _Unwritable(f"deeper than {MAX_DEPTH} levels")
    elif kind is dict:
        _write_object(value, parts, depth + 1)  # type: ignore[arg-type] # likewise
    elif kind is list or kind is tuple:
        _write_list(value, parts, depth + 1)  # type: ignore[arg-type] # likewise
    else:
        raise _Unwritable(f"a {kind.__name__} is no JSON value")


def _write_object(value: dict[object, object], parts: list[str], depth: int) -> None:
    for name in value:
        if type(name) is not str:
            raise _Unwritable(f"the key {name!r} is no text")
        if not name.isascii():
            raise _Unwritable(f"the key {name!r} is not ASCII")
    before = "{"
    for name in sorted(value):  # type: ignore[type-var] # all are texts
        parts.append(f"{before}{_quoted(name)}:")  # type: ignore[arg-type] # likewise
        before = ","
        try:
            _write(value[name], parts, depth)
        except _Unwritable as error:
            error.path.append(f".{name}")
            raise
    parts.append("{}" if before == "{" else "}")


def _write_list(value: Iterable[object], parts: list[str], depth: int) -> None:
    before = "["
    for index, item in enumerate(value):
        parts.append(before)
        before = ","
        try:
            _write(item, parts, depth)
        except _Unwritable as error:
            error.path.append(f"[{index}]")
            raise
    parts.append("[]" if before == "[" else "]")


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Unwritable("half of a surrogate pair is no text") from None
    return _quoted(value)


def _number(value: float) -> str:
    """Return how a number is written: 3.0 -> "3", 4.5 -> "4.5"."""
    if isinstance(value, int):
        if not -_MAX_WHOLE // 2 <= value < _MAX_WHOLE:
            raise _Unwritable("a whole number of more than 64 bits")
        return str(value)
    if value != value or abs(value) > _MAX_EXACT:
        raise _Unwritable(f"the number {value!r} has no exact form")
    if value.is_integer():
        return str(int(value))
    text = repr(value)
    if "e" in text or len(text.partition(".")[2]) > 2:
        raise _Unwritable(f"the number {text} has more than two decimal places")
    return text


def _first_difference(one: bytes, other: bytes) -> int:
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
