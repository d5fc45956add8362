"""Answers -> results as JSON: timestamps as ISO 8601 UTC, blobs as base64, known members only."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias, cast

from naftiko.values import JsonValue

if TYPE_CHECKING:
    from botocore.model import Shape

Decode: TypeAlias = "Callable[[JsonValue], JsonValue]"

MAX_BUILD_DEPTH = 24

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Decoder:
    """Builds a closure for each shape of a JSON protocol's answer, once."""

    def __init__(self) -> None:
        """Start with no closure built."""
        self._built: dict[str, Decode | None] = {}
        self._building: set[str] = set()

    def decoder(self, shape: Shape, depth: int = 0) -> Decode | None:
        """Return the closure of a shape, None where values pass unchanged."""
        if shape.type_name == "timestamp":
            return timestamp_text
        if shape.type_name not in {"structure", "list", "map"} or depth > MAX_BUILD_DEPTH:
            return None
        name = shape.name
        if name in self._built:
            return self._built[name]
        if name in self._building:
            return self._later(name)
        self._building.add(name)
        built = self._container(shape, depth + 1)
        self._building.discard(name)
        self._built[name] = built
        return built

    def _later(self, name: str) -> Decode:
        def decode(value: JsonValue) -> JsonValue:
            inner = self._built.get(name)
            return value if inner is None else inner(value)

        return decode

    def _container(self, shape: Shape, depth: int) -> Decode | None:
        if shape.type_name == "list":
            inner = self.decoder(shape.member, depth)
            return _list(inner) if inner is not None else None
        if shape.type_name == "map":
            inner = self.decoder(shape.value, depth)
            return _map(inner) if inner is not None else None
        if shape.metadata.get("document"):
            return None
        return self._structure(shape, depth)

    def _structure(self, shape: Shape, depth: int) -> Decode:
        members: list[tuple[str, str, Decode | None]] = []
        for name, member in shape.members.items():
            wire_name = member.serialization.get("name", name)
            members.append((wire_name, name, self.decoder(member, depth)))
        same = all(wire_name == name for wire_name, name, _ in members)
        return _structure(tuple(members), in_place=same)


def _structure(members: tuple[tuple[str, str, Decode | None], ...], *, in_place: bool) -> Decode:
    known = frozenset(wire_name for wire_name, _, _ in members)
    converted = tuple((name, inner) for _, name, inner in members if inner is not None)

    def decode(value: JsonValue) -> JsonValue:
        if not isinstance(value, dict):
            return None
        # The usual answer has only known members and no nulls: it is changed in place, which
        # nobody else sees, as it was parsed for this call.
        if in_place and value.keys() <= known and None not in value.values():
            for name, inner in converted:
                if name in value:
                    value[name] = inner(value[name])
            return value
        out: dict[str, JsonValue] = {}
        for wire_name, name, inner_or_none in members:
            raw = value.get(wire_name)
            if raw is not None:
                out[name] = raw if inner_or_none is None else inner_or_none(raw)
        return out

    return decode


def _list(inner: Decode) -> Decode:
    def decode(value: JsonValue) -> JsonValue:
        if not isinstance(value, list):
            return value
        return [None if item is None else inner(item) for item in value]

    return decode


def _map(inner: Decode) -> Decode:
    def decode(value: JsonValue) -> JsonValue:
        if not isinstance(value, dict):
            return value
        return {key: None if item is None else inner(item) for key, item in value.items()}

    return decode


_DAYS: dict[int, str] = {}
_MINUTES = tuple(f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_SECONDS = tuple(f"{second:02d}" for second in range(60))
_MILLIS = ("Z", *(f".{milli:03d}Z" for milli in range(1, 1000)))
_END_OF_TIME = 253402300799
"""The last second of the year 9999."""


def timestamp_text(value: JsonValue) -> JsonValue:
    """Return ISO 8601 UTC: 1795197600.123 -> "2026-11-20T18:00:00.123Z".

    Numbers are seconds since 1970; texts are ISO 8601, RFC 822 or such a number. What is no
    point in time comes back as it is. Numbers take half the time that `datetime` would: a list
    of 1,000 things has as many of them.
    """
    kind = type(value)
    if kind is not float and kind is not int:
        return _text_of_text(value) if isinstance(value, str) else value
    number = cast("float", value)
    if not 0 <= number < _END_OF_TIME:
        return _far_away(number)
    seconds = int(number)
    micros = round((number - seconds) * 1_000_000)
    if micros == 1_000_000:
        seconds, micros = seconds + 1, 0
    day = seconds // 86400
    second = seconds % 86400
    start = (_DAYS.get(day) or _new_day(day)) + _MINUTES[second // 60] + _SECONDS[second % 60]
    return f"{start}.{micros:06d}Z" if micros % 1000 else start + _MILLIS[micros // 1000]


def _new_day(day: int) -> str:
    if len(_DAYS) > 4096:
        _DAYS.clear()
    date = _DAYS[day] = (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%dT")
    return date


def _text_of_text(value: str) -> JsonValue:
    try:
        return iso_text(datetime.fromisoformat(value))
    except ValueError:
        return _other_text(value)


def iso_text(moment: datetime) -> str:
    """Return `2026-11-20T18:00:00Z`, with the digits below a second that are not zero."""
    if moment.tzinfo is not UTC:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    micros = moment.microsecond
    if not micros:
        return moment.isoformat()[:19] + "Z"
    return moment.isoformat(timespec="microseconds" if micros % 1000 else "milliseconds")[:-6] + "Z"


def _far_away(value: float) -> JsonValue:
    try:
        return iso_text(_EPOCH + timedelta(seconds=value))
    except (OverflowError, ValueError):
        return str(value)


def _other_text(value: str) -> JsonValue:
    from botocore.utils import parse_timestamp

    try:
        return iso_text(parse_timestamp(value))
    except (ValueError, OverflowError, RuntimeError):
        return value


def plain_json(value: object) -> JsonValue:
    """Return what botocore parsed as JSON: datetime as ISO 8601, bytes as base64."""
    match value:
        case dict():
            return {str(key): plain_json(item) for key, item in value.items() if item is not None}
        case list() | tuple():
            return [plain_json(item) for item in value]
        case datetime():
            return iso_text(value)
        case bytes() | bytearray():
            return base64.b64encode(value).decode("ascii")
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case None | bool() | int() | float() | str():
            return value
        case _:
            return cast("JsonValue", str(value))
