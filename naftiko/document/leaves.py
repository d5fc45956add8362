"""YAML scalar events -> Scalar nodes: value, place, and where each character stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from naftiko.document.nodes import Scalar
from naftiko.document.scalars import (
    BREAK,
    UNSEEN,
    Offsets,
    ScalarValueError,
    block_offsets,
    flow_offsets,
    is_ambiguous,
    plain_value,
    shorten,
    tagged_value,
)
from naftiko.errors import Problem
from naftiko.source import Location

STANDARD_TAG = "tag:yaml.org,2002:"
SCALAR_TAGS = frozenset({"str", "timestamp", "int", "float", "bool", "null"})

_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s+|#.*|\Z)*)+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TAG_TEXT = re.compile(r"![^\s,\[\]{}]*")

_Event: TypeAlias = Any  # PyYAML's stubs call every mark optional, which none of a parser's is
_Value: TypeAlias = "str | int | float | bool | None"


class LeafReader:
    """Reads the scalars of one text; tells `report` what is wrong with them.

    `quote` is the last quoted scalar over several lines, as (first line, last line) from 0.
    `strict`: no tags at all, names are texts, and only what everyone reads alike is no text.
    """

    def __init__(
        self, text: str, path: str, report: Callable[[Problem], None], *, strict: bool = False
    ) -> None:
        """Keep the text that the events are about."""
        self._text = text
        self._path = path
        self._report = report
        self._strict = strict
        self.quote: tuple[int, int] | None = None

    def key(self, event: _Event) -> Scalar:
        """Return the node of a name: its value is its text, so `on` and `200` are names."""
        location, offsets = self._extent(event)
        own_tags = {"!", STANDARD_TAG + "str"}
        if event.tag is not None and (self._strict or event.tag not in own_tags):
            self.refuse_tag(event)
        if self._strict:
            self._check_name(event, location)
            self._check_characters(event.value, location)
        return Scalar(event.value, event.value, location, event.style in {'"', "'"}, offsets)

    def value(self, event: _Event) -> Scalar:
        """Return the node of a value."""
        location, offsets = self._extent(event)
        value: _Value = event.value
        if event.tag is not None:
            value = self._tagged(event, location)
        elif not event.style:
            value = self._plain(event.value, location)
        if self._strict:
            self._check_characters(event.value, location)
        return Scalar(value, event.value, location, event.style in {'"', "'"}, offsets)

    def refuse_tag(self, event: _Event) -> None:
        """Report a tag that is not one of YAML's own."""
        mark = event.start_mark
        found = _TAG_TEXT.search(self._text, mark.index)
        shown = event.tag.replace(STANDARD_TAG, "!!", 1)
        location = Location(self._path, mark.line + 1, mark.column + 1)
        if found is not None:
            before = BREAK.split(self._text[mark.index : found.start()])
            line = location.line + len(before) - 1
            column = len(before[-1]) + (location.column if len(before) == 1 else 1)
            location = Location(self._path, line, column, column + len(found.group()))
        message = f"the tag `{shorten(shown)}` is not allowed: a document holds plain values only"
        self._problem("custom-tag", message, location, "remove the tag")

    def _problem(self, code: str, message: str, location: Location, hint: str) -> None:
        self._report(Problem(code=code, message=message, location=location, hint=hint))

    def _check_name(self, event: _Event, location: Location) -> None:
        text: str = event.value
        if event.style or not text or self._plain(text, location) == text:
            return
        message = f"the name `{shorten(text)}` is no text"
        self._problem("bad-key", message, location, f'quote it: "{shorten(text)}"')

    def _check_characters(self, text: str, location: Location) -> None:
        found = UNSEEN.search(text)
        if found is None:
            return
        message = f"an escape brings the character U+{ord(found.group()):04X}, which nobody sees"
        self._problem("control-character", message, location, "remove it")

    def _plain(self, text: str, location: Location) -> _Value:
        if self._strict and is_ambiguous(text):
            return text
        try:
            return plain_value(text)
        except ScalarValueError as error:
            self._problem("bad-number", str(error), location, error.hint)
            return text

    def _tagged(self, event: _Event, location: Location) -> _Value:
        text: str = event.value
        if self._strict:
            self.refuse_tag(event)
            return text
        tag = event.tag.removeprefix(STANDARD_TAG)
        if tag == "!":
            return text
        if tag == event.tag or tag not in SCALAR_TAGS:
            self.refuse_tag(event)
            return text
        try:
            return tagged_value(tag, text)
        except ScalarValueError as error:
            self._problem("bad-tag-value", str(error), location, error.hint)
            return text

    def _extent(self, event: _Event) -> tuple[Location, Offsets]:
        start, end = event.start_mark, event.end_mark
        length = len(event.value) + (2 if event.style else 0)
        has_properties = event.anchor is not None or event.tag is not None
        if not has_properties and start.line == end.line and end.index - start.index == length:
            return Location(self._path, start.line + 1, start.column + 1, end.column + 1), ()
        raw = self._text[start.index : end.index]
        line, column = start.line + 1, start.column + 1
        if has_properties:
            skipped = BREAK.split(_properties(raw))
            raw = raw[len(_properties(raw)) :]
            line += len(skipped) - 1
            column = len(skipped[-1]) + (column if len(skipped) == 1 else 1)
        return self._mapped(event, raw, line, column)

    def _mapped(self, event: _Event, raw: str, line: int, column: int) -> tuple[Location, Offsets]:
        """Return the place and the map of a scalar that has escapes, properties or many lines."""
        if event.style in {"|", ">"}:
            return Location(self._path, line, column), block_offsets(raw, event.value, line)
        last = event.end_mark
        one_line = line == last.line + 1
        location = Location(self._path, line, column, last.column + 1 if one_line else 0)
        if event.style:
            if "\\" in raw and _SURROGATE.search(event.value):
                message = "an escape in double quotes names no Unicode character"
                self._problem("yaml-syntax", message, location, "write the character itself")
            if not one_line:
                self.quote = (line - 1, last.line)
            return location, flow_offsets(raw[1:-1], raw[:1], line, column + 1)
        return location, () if one_line else flow_offsets(raw, "", line, column)


def _properties(raw: str) -> str:
    """Return the anchor and tag before a scalar, with the blanks after them."""
    found = _PROPERTIES.match(raw)
    return found.group() if found else ""
