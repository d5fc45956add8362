"""One Avro record in the binary encoding -> JSON, by the schema that a file holds."""

from __future__ import annotations

import base64
import datetime
import io
import json
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import fastavro
from fastavro import _read_py  # the reader without C: see `_reader`
from fastavro.schema import SchemaParseException, UnknownType

from naftiko.formats.limits import Budget, FormatError, UnreadableError, check_depth
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from naftiko.formats.reader import Convert

MAX_SCHEMA_BYTES = 1024 * 1024
_CONTAINER = b"Obj\x01"
_BAD_DATA = (
    ArithmeticError,
    EOFError,
    LookupError,
    RecursionError,
    TypeError,
    UnicodeError,
    ValueError,
)


def compile_converter(text: str, file: Path | None) -> Convert:
    """Return what reads a record of the schema in that file; without one, `text` is the schema.

    Raises: FormatError for a file that holds no Avro schema.
    """
    schema = _parsed(text, file)
    read = _reader(schema)

    def convert(body: bytes, _media_type: str, budget: Budget) -> JsonValue:
        if body.startswith(_CONTAINER):
            raise UnreadableError("it is an object container file, and only one record is read")
        stream = io.BytesIO(body)
        try:
            record = read(stream, schema, None)
        except _BAD_DATA:
            raise UnreadableError("it does not match the schema") from None
        if stream.read(1):
            raise UnreadableError("it goes on after the record of the schema")
        return _json(record, budget, 0)

    return convert


def _parsed(text: str, file: Path | None) -> Any:
    try:
        if file is not None:
            if file.stat().st_size > MAX_SCHEMA_BYTES:
                raise ValueError("it has more than 1 MiB")
            text = file.read_text(encoding="utf-8-sig")
        parsed = fastavro.parse_schema(json.loads(text))
        for item in _array_items(parsed):
            _refuse_empty(item)
    except (SchemaParseException, UnknownType, *_BAD_DATA, OSError) as error:
        name = file.name if file is not None else "the file"
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise FormatError("invalid-schema", f"`{name}` holds no Avro schema: {reason}") from None
    return parsed


def _array_items(schema: Any) -> list[Any]:
    """Return the schemas of the items of every array in a schema."""
    found: list[Any] = []
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            if node.get("type") == "array":
                found.append(node.get("items"))
            pending += [node.get(key) for key in ("items", "values", "type")]
            pending += [field.get("type") for field in node.get("fields", ())]
    return found


def _refuse_empty(item: Any) -> None:
    """Items without any bytes could be billions in an answer of ten bytes."""
    kind = item.get("type") if isinstance(item, dict) else item
    is_empty = kind == "null"
    if isinstance(item, dict):
        is_empty = is_empty or (kind == "record" and not _has_bytes(item, 0))
        is_empty = is_empty or (kind == "fixed" and not item.get("size"))
    if is_empty:
        message = "an array whose items take no bytes has no bound"
        raise ValueError(message)


def _has_bytes(record: Any, depth: int) -> bool:
    """Tell whether some field surely takes a byte."""
    for member in record.get("fields", ()):
        type_ = member.get("type")
        kind = type_.get("type") if isinstance(type_, dict) else type_
        if kind == "record":
            if depth < 50 and _has_bytes(type_, depth + 1):
                return True
        elif kind == "fixed":
            if type_.get("size"):
                return True
        elif kind != "null":
            return True
    return False


def _reader(schema: Any) -> Callable[..., Any]:
    """Return the reader for a schema: the fast one, unless it refers to itself.

    The compiled reader follows recursive data until the C stack ends, and the process with it.
    Python's own stops at the recursion limit.
    """
    pending: list[tuple[Any, frozenset[str]]] = [(schema, frozenset())]
    while pending:
        node, around = pending.pop()
        if isinstance(node, str) and node in around:
            return _read_py.schemaless_reader
        if isinstance(node, list):
            pending += [(item, around) for item in node]
        elif isinstance(node, dict):
            name = node.get("name")
            inside = around | {name} if isinstance(name, str) else around
            pending += [(node.get(key), inside) for key in ("items", "values", "type")]
            pending += [(field.get("type"), inside) for field in node.get("fields", ())]
    return fastavro.schemaless_reader


def _json(value: Any, budget: Budget, depth: int) -> JsonValue:
    budget.take()
    check_depth(depth)
    match value:
        case dict():
            return {str(name): _json(item, budget, depth + 1) for name, item in value.items()}
        case list() | tuple():
            return [_json(item, budget, depth + 1) for item in value]
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case UUID() | Decimal():
            return str(value)
        case _:
            raise UnreadableError("it holds a value that JSON has no word for")
