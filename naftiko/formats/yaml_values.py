"""YAML -> JSON values, from the parser's events: nothing is constructed but JSON.

Types are those of YAML 1.2's core schema, so that `yes` and dates are texts. A tag is passed over,
but for `!!str`. Only the first document of a stream is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from naftiko.formats.charset import decode_text
from naftiko.formats.limits import Budget, UnreadableError, check_depth
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.formats.reader import Convert

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAG = "tag:yaml.org,2002:str"
_MERGE = "<<"

_WORDS: dict[str, JsonValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?")


def compile_converter(_schema: str, _file: Path | None) -> Convert:
    """Return what reads YAML."""
    return _convert


def _convert(body: bytes, media_type: str, budget: Budget) -> JsonValue | Missing:
    return read_yaml(decode_text(body, media_type), budget)


def read_yaml(text: str, budget: Budget) -> JsonValue | Missing:
    """Return the value of the first document, MISSING where there is none.

    Raises: UnreadableError.
    """
    builder = _Builder(budget)
    try:
        for event in _events(text):
            if isinstance(event, DocumentEndEvent):
                break
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}: " if mark is not None else ""
        raise UnreadableError(f"{place}{error.problem or 'it is no YAML'}") from None
    except (yaml.YAMLError, RecursionError):
        raise UnreadableError("it is no YAML") from None
    return builder.root


def _events(text: str) -> Iterator[Event]:
    yield from yaml.parse(text, Loader=_LOADER)


@dataclass(slots=True)
class _Open:
    """A mapping or list that is not closed yet; `key` is the mapping's name without a value."""

    value: JsonObject | list[JsonValue]
    anchor: str | None
    started: int
    key: str | None = None
    deepest: int = 0


_Anchored: TypeAlias = "tuple[JsonValue, int, int]"
"""A value, how many values it holds, how deep it nests."""


class _Builder:
    """Builds values from events. Aliases share their value, but count as often as they stand."""

    def __init__(self, budget: Budget) -> None:
        self.root: JsonValue | Missing = MISSING
        self._budget = budget
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._count = 0

    def take(self, event: Event) -> None:
        match event:
            case ScalarEvent():
                self._scalar(event)
            case MappingStartEvent() | SequenceStartEvent():
                self._start(event)
            case MappingEndEvent() | SequenceEndEvent():
                self._end()
            case AliasEvent():
                self._alias(event.anchor)

    def _scalar(self, event: ScalarEvent) -> None:
        self._spend(1)
        value = _scalar_value(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1, 0)
        self._put(value, 0, event.value)

    def _start(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        check_depth(len(self._open) + 1)
        self._spend(1)
        is_mapping = isinstance(event, MappingStartEvent)
        self._open.append(_Open({} if is_mapping else [], event.anchor, self._count))

    def _end(self) -> None:
        done = self._open.pop()
        depth = done.deepest + 1
        if done.anchor is not None:
            size = self._count - done.started + 1
            self._anchors[done.anchor] = (done.value, size, depth)
        self._put(done.value, depth, None)

    def _alias(self, anchor: str | None) -> None:
        name = anchor or ""
        known = self._anchors.get(name)
        if known is None:
            raise UnreadableError(f"the alias `{name[:40]}` stands for nothing that is complete")
        value, size, depth = known
        check_depth(len(self._open) + depth)
        self._spend(size)
        self._put(value, depth, value if isinstance(value, str) else None)

    def _spend(self, values: int) -> None:
        self._count += values
        self._budget.take(values)

    def _put(self, value: JsonValue, depth: int, as_key: str | None) -> None:
        """Add a value where it stands; `as_key` is its text, where it can be a name."""
        if not self._open:
            self.root = value
            return
        parent = self._open[-1]
        parent.deepest = max(parent.deepest, depth)
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is None:
            if as_key is None:
                raise UnreadableError("a name in it is no text")
            parent.key = as_key
        else:
            _set(parent.value, parent.key, value)
            parent.key = None


def _set(members: JsonObject, key: str, value: JsonValue) -> None:
    """Set a member; `<<` merges what it is given, without replacing what is there."""
    merged = value if isinstance(value, list) else [value]
    if key != _MERGE or not all(isinstance(item, dict) for item in merged):
        members[key] = value
        return
    for item in merged:
        for name, inner in item.items() if isinstance(item, dict) else ():
            members.setdefault(name, inner)


def _scalar_value(event: ScalarEvent) -> JsonValue:
    text: str = event.value
    if not event.implicit[0] or event.tag == _TEXT_TAG:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return text if number in (float("inf"), float("-inf")) else number
    return text
