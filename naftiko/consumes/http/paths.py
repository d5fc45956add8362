"""A consumed path and its query -> a template that keeps every value in its place.

A value is percent-encoded whole, so it can neither add a segment nor start a query, and is never
read as a template again. What a URL parser would resolve away (`.`, `..`, nothing) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

from naftiko.consumes.http.encoding import bad_value, percent_encode, plain_text
from naftiko.document.nodes import Scalar
from naftiko.expressions.template import expression_end
from naftiko.source import Anchor, Location
from naftiko.values import MISSING, JsonValue

if TYPE_CHECKING:
    from naftiko.expressions.template import Template

Scope: TypeAlias = Mapping[str, JsonValue]

_SINGLE = re.compile(r"\{([A-Za-z0-9_$.*-]+)\+?\}")
_PATH_SAFE = "/:@!$&'()*+,;=%~"
_QUERY_SAFE = _PATH_SAFE + "?[]"
_LONGEST_DOTS = len("%2e%2e")


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder: its name as written, and its template."""

    name: str
    template: Template

    def text(self, scope: Scope) -> str | None:
        """Return the value as text, None if it is absent or null."""
        value = self.template.render(scope)
        if value is MISSING or value is None:
            return None
        return plain_text(value)


@dataclass(frozen=True, slots=True)
class Known:
    """A placeholder whose value is known at load: text, never syntax. It may be a secret."""

    name: str
    value: str = field(repr=False)


Piece: TypeAlias = str | Slot | Known
SlotCompiler: TypeAlias = Callable[[str, Anchor], "Template | str"]
"""Compiles `{{x}}`; a string where the value is known at load."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A path segment with placeholders: "v{major}" -> ("v", Slot("major"))."""

    pieces: tuple[str | Slot, ...]

    def render(self, scope: Scope) -> str:
        """Return the encoded segment.

        Raises: InputError for an absent or empty value, and for one that makes it `.` or `..`.
        """
        out: list[str] = []
        for piece in self.pieces:
            if isinstance(piece, str):
                out.append(piece)
                continue
            text = piece.text(scope)
            if not text:
                raise bad_value(piece.name, "path", "is required in the path and must not be empty")
            out.append(percent_encode(text, piece.name, "path"))
        segment = "".join(out)
        if len(segment) <= _LONGEST_DOTS and segment.lower().replace("%2e", ".") in (".", ".."):
            message = "must not be `.` or `..`: they would name another path"
            raise bad_value(self._first().name, "path", message)
        return segment

    def _first(self) -> Slot:
        return next(piece for piece in self.pieces if isinstance(piece, Slot))


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A path: "/orders/{id}/items" -> ("/orders/", Segment, "/items"). `text` is for people."""

    text: str
    parts: tuple[str | Segment, ...]

    @property
    def slots(self) -> Iterator[Slot]:
        """Yield the placeholders, in order."""
        for part in self.parts:
            if isinstance(part, Segment):
                yield from (piece for piece in part.pieces if isinstance(piece, Slot))

    def render(self, scope: Scope) -> str:
        """Return the encoded path.

        Raises: InputError.
        """
        return "".join(part if isinstance(part, str) else part.render(scope) for part in self.parts)


@dataclass(frozen=True, slots=True)
class FixedQuery:
    """What stands after `?` in a path: pairs in order; one whose value is absent drops out."""

    pairs: tuple[tuple[str | Slot, ...], ...]

    @property
    def slots(self) -> Iterator[Slot]:
        """Yield the placeholders, in order."""
        for pair in self.pairs:
            yield from (piece for piece in pair if isinstance(piece, Slot))

    def names(self) -> Iterator[str]:
        """Yield the names of the pairs, without any value."""
        for pair in self.pairs:
            first = pair[0] if pair else ""
            yield first.partition("=")[0] if isinstance(first, str) else f"{{{first.name}}}"

    def render(self, scope: Scope) -> Iterator[str]:
        """Yield the encoded pairs."""
        for pair in self.pairs:
            out: list[str] = []
            for piece in pair:
                if isinstance(piece, str):
                    out.append(piece)
                    continue
                text = piece.text(scope)
                if text is None:
                    break
                out.append(percent_encode(text, piece.name, "query"))
            else:
                yield "".join(out)


@dataclass(frozen=True, slots=True)
class ParsedPath:
    """A `path` cut into its parts. `fragment` is never sent; AWS documents name a target there."""

    pieces: tuple[Piece, ...]
    query: FixedQuery
    fragment: str

    @property
    def text(self) -> str:
        """Return the path for people: "/orders/{id}"."""
        return "".join(map(show_piece, self.pieces))


def parse_path(text: Scalar, compile_slot: SlotCompiler) -> ParsedPath:
    """Cut a path.

    "/a/{id}?kind={{kind}}#X" -> path "/a/{id}", query "kind={{kind}}", fragment "X".
    Both `{x}` and `{{x}}` are placeholders.

    Raises: ExpressionError.
    """
    path, query, fragment = _cut(split_placeholders(text, compile_slot))
    return ParsedPath(tuple(path), FixedQuery(tuple(_pairs(query))), fragment)


def split_placeholders(text: Scalar, compile_slot: SlotCompiler) -> list[Piece]:
    """Cut a text into literal strings and placeholders.

    Raises: ExpressionError.
    """
    pieces: list[Piece] = []
    position = 0
    for begin, stop in _placeholders(text.text):
        if begin > position:
            pieces.append(text.text[position:begin])
        pieces.append(_slot(text, begin, stop, compile_slot))
        position = stop
    if position < len(text.text):
        pieces.append(text.text[position:])
    return pieces


def _placeholders(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each `{x}` and `{{x}}` begins and ends. Braces around other text stay text."""
    start = 0
    while (start := text.find("{", start)) >= 0:
        if text.startswith("{{", start):
            end = expression_end(text, start + 2)
        else:
            single = _SINGLE.match(text, start)
            end = single.end() if single else -1
        if end >= 0:
            yield start, end
        start = max(end, start + 1)


def _slot(text: Scalar, begin: int, end: int, compile_slot: SlotCompiler) -> Slot | Known:
    single = _SINGLE.fullmatch(text.text, begin, end)
    template = "{{" + single.group(1) + "}}" if single else text.text[begin:end]
    shift = 1 if single else 0

    def at(offset: int, length: int = 0, /) -> Location:
        return text.at(begin + max(0, offset - shift), length)

    name = template.strip("{}& ")
    compiled = compile_slot(template, at)
    return Known(name, compiled) if isinstance(compiled, str) else Slot(name, compiled)


def _cut(pieces: Iterable[Piece]) -> tuple[list[Piece], list[Piece], str]:
    """Cut at the first literal `#`, then at the first literal `?`."""
    parts: tuple[list[Piece], list[Piece], list[Piece]] = ([], [], [])
    current = 0
    for piece in pieces:
        if not isinstance(piece, str):
            parts[current].append(piece)
            continue
        rest = piece
        while current < 2:
            at = _next_cut(rest, current)
            if at < 0:
                break
            parts[current].append(rest[:at])
            current = 2 if rest[at] == "#" else 1
            rest = rest[at + 1 :]
        parts[current].append(rest)
    return parts[0], parts[1], "".join(map(show_piece, parts[2]))


def _next_cut(text: str, current: int) -> int:
    found = [text.find("#")] + ([text.find("?")] if current == 0 else [])
    return min((at for at in found if at >= 0), default=-1)


def compile_pieces(pieces: Sequence[Piece]) -> PathTemplate:
    """Group the pieces of a path by segment, and join what is constant."""
    parts: list[str | Segment] = []
    shown: list[str] = []
    for pieces_of_segment, slash in _segments(pieces):
        shown.append(("/" if slash else "") + "".join(map(show_piece, pieces_of_segment)))
        if slash:
            _append_text(parts, "/")
        encoded = tuple(_encode(piece, _PATH_SAFE) for piece in pieces_of_segment)
        constant = [piece for piece in encoded if isinstance(piece, str)]
        if len(constant) == len(encoded):
            _append_text(parts, "".join(constant))
        else:
            parts.append(Segment(_joined(encoded)))
    return PathTemplate("".join(shown), tuple(parts))


def _segments(pieces: Sequence[Piece]) -> Iterator[tuple[list[Piece], bool]]:
    """Yield each segment and whether a slash stands before it."""
    segment: list[Piece] = []
    slash = False
    for piece in pieces:
        if not isinstance(piece, str):
            segment.append(piece)
            continue
        first, *others = piece.split("/")
        if first:
            segment.append(first)
        for text in others:
            yield segment, slash
            segment, slash = ([text] if text else []), True
    yield segment, slash


def _pairs(pieces: Sequence[Piece]) -> Iterator[tuple[str | Slot, ...]]:
    pair: list[str | Slot] = []
    for piece in pieces:
        if not isinstance(piece, str):
            pair.append(_encode(piece, _QUERY_SAFE))
            continue
        first, *others = piece.split("&")
        pair.append(quote(first, safe=_QUERY_SAFE))
        for text in others:
            if any(pair):
                yield _joined(pair)
            pair = [quote(text, safe=_QUERY_SAFE)]
    if any(pair):
        yield _joined(pair)


def _encode(piece: Piece, safe: str) -> str | Slot:
    if isinstance(piece, Slot):
        return piece
    if isinstance(piece, Known):
        return quote(piece.value, safe="")
    return quote(piece, safe=safe)


def _joined(pieces: Sequence[str | Slot]) -> tuple[str | Slot, ...]:
    out: list[str | Slot] = []
    for piece in pieces:
        if piece == "":
            continue
        last = out[-1] if out else None
        if isinstance(piece, str) and isinstance(last, str):
            out[-1] = last + piece
        else:
            out.append(piece)
    return tuple(out)


def _append_text(parts: list[str | Segment], text: str) -> None:
    last = parts[-1] if parts else None
    if isinstance(last, str):
        parts[-1] = last + text
    elif text:
        parts.append(text)


def show_piece(piece: Piece) -> str:
    """Return a piece as a person may see it: placeholders by name, never by value."""
    return piece if isinstance(piece, str) else "{" + piece.name + "}"
