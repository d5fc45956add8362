"""XML -> JSON. Behaviour reference 4.4.

`<r a="1"><x>t</x><x>u</x><y b="2">v</y></r>` ->
{"a": "1", "x": ["t", "u"], "y": {"b": "2", "": "v"}}
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]  # comes without types
from defusedxml.ElementTree import (  # type: ignore[import-untyped]  # comes without types
    ParseError,
    XMLParser,
)

from naftiko.formats.charset import codec_of, decode_text
from naftiko.formats.limits import Budget, UnreadableError, check_depth
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.formats.reader import Convert

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TRUE = frozenset({"true", "1"})


def compile_converter(_schema: str, _file: Path | None) -> Convert:
    """Return what reads XML without entities and document types."""
    return _convert


def _convert(body: bytes, media_type: str, budget: Budget) -> JsonValue:
    encoding = None
    if codec_of(media_type) is not None:
        # What the transport says goes before what the text says of itself. RFC 7303, section 3.
        body, encoding = decode_text(body, media_type).encode("utf-8", "replace"), "utf-8"
    builder = _Builder(budget)
    parser: Any = XMLParser(target=builder, encoding=encoding, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
    except ParseError as error:
        line, column = error.position
        raise UnreadableError(f"line {line}, column {column + 1} is not well-formed") from None
    except DefusedXmlException:
        raise UnreadableError("document types and entities are not read") from None
    except (LookupError, ValueError):  # an encoding that nobody knows, or that is no charset
        raise UnreadableError("its encoding is not known") from None
    return builder.root


class _Element:
    """One element while it is open."""

    __slots__ = ("is_nil", "members", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: JsonObject = {}
        self.text: list[str] = []
        self.is_nil = False

    def add(self, name: str, value: JsonValue) -> None:
        """A name that comes again becomes a list: elements' values are never lists themselves."""
        if name not in self.members:
            self.members[name] = value
            return
        known = self.members[name]
        if isinstance(known, list):
            known.append(value)
        else:
            self.members[name] = [known, value]

    def add_text(self) -> None:
        """Add the text beside attributes and child elements, unless it only indents them."""
        text = "".join(self.text)
        self.text.clear()
        if text.strip(" \t\r\n"):
            self.add("", text)

    def value(self, *, is_root: bool) -> JsonValue:
        if self.is_nil:
            return None
        if not self.members and not is_root:
            return "".join(self.text)
        self.add_text()
        return self.members


class _Builder:
    """The parser's target: nothing here calls itself, however deep the elements nest."""

    def __init__(self, budget: Budget) -> None:
        self.root: JsonValue = {}
        self._budget = budget
        self._open: list[_Element] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._budget.take(1 + len(attributes))
        check_depth(len(self._open))
        if self._open:
            self._open[-1].add_text()
        element = _Element(_local(tag))
        for name, value in attributes.items():
            if name == _NIL:
                element.is_nil = value.strip() in _TRUE
            else:
                element.add(_local(name), value)
        self._open.append(element)

    def data(self, text: str) -> None:
        self._open[-1].text.append(text)

    def end(self, _tag: str) -> None:
        element = self._open.pop()
        if self._open:
            self._open[-1].add(element.name, element.value(is_root=False))
        else:
            self.root = element.value(is_root=True)

    def close(self) -> None:
        """Do nothing: the root is there."""


def _local(name: str) -> str:
    return name.rpartition("}")[2]
