"""Arguments -> the values a request is made of: one closure for each shape, built once.

Shapes without anything to convert have no closure: their values pass as they are.
"""

from __future__ import annotations

import base64
import binascii
import calendar
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, TypeAlias, Union

import orjson

from naftiko.errors import FieldError, ShapingError
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from botocore.model import Shape

    from naftiko.consumes.aws.rules import JsonMembers

WireValue: TypeAlias = Union[JsonValue, bytes, datetime, "list[WireValue]", "dict[str, WireValue]"]
Encode: TypeAlias = "Callable[[JsonValue, str, list[FieldError]], WireValue]"

MAX_BUILD_DEPTH = 12
"""Nesting that closures are built for; values below are sent as they are."""


class Encoder:
    """Builds the closures of one operation.

    For the prepared JSON path (`wire=True`) they give wire values: member names as sent,
    timestamps in the protocol's format, blobs as base64. Otherwise they give what botocore's
    serializers take: datetime and bytes under the model's names.
    """

    def __init__(self, json_members: JsonMembers, *, wire: bool) -> None:
        """Start with no closure built."""
        self._json_members = json_members
        self._wire = wire
        self._built: dict[tuple[str, str], Encode | None] = {}
        self._building: set[tuple[str, str]] = set()

    def encoder(self, shape: Shape, name: str = "", depth: int = 0) -> Encode | None:
        """Return the closure of a shape, None where values pass unchanged."""
        match shape.type_name:
            case "string" | "blob":
                return self._text(shape, name)
            case "timestamp":
                return _timestamp(shape.serialization.get("timestampFormat"), wire=self._wire)
            case "float" | "double":
                return None
            case "structure" | "list" | "map":
                return self._nested(shape, name, depth)
            case _:
                return None

    def _text(self, shape: Shape, name: str) -> Encode | None:
        kind = self._json_members.kind(name)
        if shape.serialization.get("jsonvalue"):
            # botocore's serializers dump the value of such a member themselves.
            kind = kind or ("json" if self._wire else None)
            if kind is None:
                return None
        blob = shape.type_name == "blob"
        if kind is not None:
            return _json_text(shape, strict=kind == "json", blob=blob, wire=self._wire)
        return (_blob_text if self._wire else _blob_bytes) if blob else None

    def _nested(self, shape: Shape, name: str, depth: int) -> Encode | None:
        """Build the closure of a container once a shape; a recursive one refers to itself."""
        key = (shape.name, name if shape.type_name == "list" else "")
        if key in self._built:
            return self._built[key]
        if depth > MAX_BUILD_DEPTH:
            return None
        if key in self._building:
            return self._later(key)
        self._building.add(key)
        built = self._container(shape, name, depth + 1)
        self._building.discard(key)
        self._built[key] = built
        return built

    def _later(self, key: tuple[str, str]) -> Encode:
        def encode(value: JsonValue, path: str, errors: list[FieldError]) -> WireValue:
            inner = self._built.get(key)
            return value if inner is None else inner(value, path, errors)

        return encode

    def _container(self, shape: Shape, name: str, depth: int) -> Encode | None:
        if shape.type_name == "list":
            inner = self.encoder(shape.member, name, depth)
            return _list(inner) if inner is not None else None
        if shape.type_name == "map":
            return self._map(shape, depth)
        if shape.metadata.get("document"):
            return None
        return self._structure(shape, depth)

    def _map(self, shape: Shape, depth: int) -> Encode | None:
        inner = self.encoder(shape.value, "", depth)
        if shape.value.type_name != "string":
            return _map(inner) if inner is not None else None
        keyed: dict[str, Encode] = {}
        for key in shape.key.metadata.get("enum") or ():
            kind = self._json_members.kind(key)
            if kind is not None:
                keyed[key] = _json_text(shape.value, strict=kind == "json", blob=False, wire=True)
        return _keyed_map(keyed) if keyed else None

    def _structure(self, shape: Shape, depth: int) -> Encode | None:
        renamed: dict[str, str] = {}
        inner: dict[str, Encode] = {}
        for member_name, member in shape.members.items():
            wire_name = member.serialization.get("name", member_name) if self._wire else member_name
            if wire_name != member_name:
                renamed[member_name] = wire_name
            encode = self.encoder(member, member_name, depth)
            if encode is not None:
                inner[member_name] = encode
        if not renamed and not inner:
            return None
        return _structure(renamed, inner)


def _structure(renamed: dict[str, str], inner: dict[str, Encode]) -> Encode:
    rename, find = renamed.get, inner.get

    def encode(value: JsonValue, path: str, errors: list[FieldError]) -> WireValue:
        if not isinstance(value, dict):
            _refuse(errors, path, "must be an object")
            return None
        out: dict[str, WireValue] = {}
        for name, item in value.items():
            convert = find(name)
            if convert is not None and item is not None:
                out[rename(name, name)] = convert(item, f"{path}.{name}" if path else name, errors)
            else:
                out[rename(name, name)] = item
        return out

    return encode


def _list(inner: Encode) -> Encode:
    def encode(value: JsonValue, path: str, errors: list[FieldError]) -> WireValue:
        if not isinstance(value, list):
            _refuse(errors, path, "must be a list")
            return None
        return [inner(item, f"{path}[{index}]", errors) for index, item in enumerate(value)]

    return encode


def _map(inner: Encode) -> Encode:
    def encode(value: JsonValue, path: str, errors: list[FieldError]) -> WireValue:
        if not isinstance(value, dict):
            _refuse(errors, path, "must be an object")
            return None
        return {key: inner(item, f"{path}.{key}", errors) for key, item in value.items()}

    return encode


def _keyed_map(keyed: dict[str, Encode]) -> Encode:
    def encode(value: JsonValue, path: str, errors: list[FieldError]) -> WireValue:
        if not isinstance(value, dict):
            _refuse(errors, path, "must be an object")
            return None
        return {
            key: keyed[key](item, f"{path}.{key}", errors) if key in keyed else item
            for key, item in value.items()
        }

    return encode


def _json_text(shape: Shape, *, strict: bool, blob: bool, wire: bool) -> Encode:
    limit = shape.metadata.get("max") if not blob else None

    def encode(value: JsonValue, path: str, errors: list[FieldError]) -> WireValue:
        if isinstance(value, str):
            text = value
            if strict:
                _check_json(text, path, errors)
        else:
            text = _dumped(value, path, errors)
        if limit is not None and len(text) > limit:
            _refuse(
                errors, path, f"must have at most {limit} characters as text, found {len(text)}"
            )
        if not blob:
            return text
        data = text.encode("utf-8", "surrogatepass")
        return base64.b64encode(data).decode("ascii") if wire else data

    return encode


def _check_json(text: str, path: str, errors: list[FieldError]) -> None:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        errors.append(
            FieldError(
                name=path,
                message=f"must be valid JSON: {error.msg.partition(':')[0]} at {place}",
                hint='give an object, or JSON as text; a plain text needs quotes: "\\"text\\""',
            )
        )


def _dumped(value: JsonValue, path: str, errors: list[FieldError]) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        text = _with_long_integers(value)
        if text is None:
            errors.append(FieldError(name=path, message=f"cannot be written as JSON: {error}"))
        return text or ""


def _with_long_integers(value: JsonValue) -> str | None:
    """Write integers past 64 bits, which JSON knows and orjson does not; None for no JSON value."""
    from naftiko.expressions.text import json_text

    try:
        text = json_text(value)
        text.encode()
    except (ShapingError, TypeError, UnicodeEncodeError):
        return None
    return text


def _timestamp(format_: str | None, *, wire: bool) -> Encode:
    write = _WRITERS.get((format_ or "unixTimestamp").lower(), _unix)

    def encode(value: JsonValue, path: str, errors: list[FieldError]) -> WireValue:
        moment = parse_moment(value)
        if moment is None:
            hint = "write it as 2026-11-20T18:00:00Z, or as seconds since 1970"
            errors.append(FieldError(name=path, message="must be a point in time", hint=hint))
            return None
        return write(moment) if wire else moment

    return encode


def parse_moment(value: JsonValue) -> datetime | None:
    """Read an ISO 8601 text (without a zone: UTC) or seconds since 1970; None if it is neither."""
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if not isinstance(value, str):
            return None
        if value.strip().lstrip("-").replace(".", "", 1).isdigit() and not _looks_like_date(value):
            return datetime.fromtimestamp(float(value), UTC)
        moment = datetime.fromisoformat(value.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _looks_like_date(value: str) -> bool:
    # ISO's compact "20261120" is eight digits; as seconds it would be a day in 1970.
    return len(value.strip()) == 8 and value.strip().isdigit()


def _unix(moment: datetime) -> WireValue:
    seconds = calendar.timegm(moment.utctimetuple())
    if moment.microsecond:
        # One division: dividing first and adding then would round twice.
        return (seconds * 1_000_000 + moment.microsecond) / 1_000_000
    return seconds


def _iso(moment: datetime) -> WireValue:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if moment.microsecond else "%Y-%m-%dT%H:%M:%SZ")


def _rfc822(moment: datetime) -> WireValue:
    return format_datetime(moment.replace(microsecond=0), usegmt=True)


_WRITERS: dict[str, Callable[[datetime], WireValue]] = {
    "unixtimestamp": _unix,
    "iso8601": _iso,
    "rfc822": _rfc822,
}


def _blob_text(value: JsonValue, path: str, errors: list[FieldError]) -> WireValue:
    data = _decoded(value, path, errors)
    return base64.b64encode(data).decode("ascii")


def _blob_bytes(value: JsonValue, path: str, errors: list[FieldError]) -> WireValue:
    return _decoded(value, path, errors)


def _decoded(value: JsonValue, path: str, errors: list[FieldError]) -> bytes:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    errors.append(
        FieldError(name=path, message="must be base64", hint="encode the bytes as base64")
    )
    return b""


def _refuse(errors: list[FieldError], path: str, message: str) -> None:
    errors.append(FieldError(name=path, message=message))
