"""A SPARQL query with placeholders, whose values stay data wherever they stand.

In quotes a value is escaped, in `<...>` percent-encoded; outside of both only numbers, booleans and
names are let in, for there anything else would be query. SPARQL 1.1, section 19.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from naftiko.consumes.http.binder import Binder
from naftiko.consumes.http.encoding import bad_value, utf8
from naftiko.consumes.http.paths import Scope
from naftiko.document.nodes import Scalar
from naftiko.errors import InputError
from naftiko.expressions.template import expression_end
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from naftiko.expressions.template import Template

SPARQL = "application/sparql-query"

_QUOTES = ('"""', "'''", '"', "'")
_IRI = re.compile(r"<(?:[^<>\"{}|^`\\\s]|\{\{[^{}]*\}\})*>")
_TOKEN = re.compile(r"\{\{|\"\"\"|'''|[\"'#<>\n\\]")
_BARE = re.compile(
    r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[A-Za-z_][A-Za-z0-9_-]*(?::[A-Za-z0-9_-]*)?|"
)
_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        '"': '\\"',
        "'": "\\'",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\b": "\\b",
        "\f": "\\f",
    }
)
_IRI_SAFE = "!#$%&'()*+,-./:;=?@_~[]"


@dataclass(frozen=True, slots=True)
class Inserted:
    """A placeholder, and how its value is written where it stands."""

    template: Template
    escape: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class SparqlBody:
    """A query: text, and what is inserted into it."""

    pieces: tuple[str | Inserted, ...]
    media_type: str = SPARQL
    takes_rest: bool = False

    def render(self, scope: Scope, rest: Mapping[str, JsonValue]) -> bytes | None:
        """Return the query.

        Raises: InputError for a value that cannot stand where it is wanted.
        """
        out = (
            piece
            if isinstance(piece, str)
            else piece.template.render_text(scope, escape=piece.escape)
            for piece in self.pieces
        )
        return utf8("body", "".join(out))

    def explain(self) -> str:
        """Return the media type."""
        return f"{self.media_type} from a query with placeholders"


def compile_sparql(query: Scalar, media_type: str, binder: Binder) -> SparqlBody:
    """Compile a query.

    Raises: ExpressionError.
    """
    return SparqlBody(tuple(_pieces(query, binder)), media_type)


def _pieces(query: Scalar, binder: Binder) -> Iterator[str | Inserted]:
    text = query.text
    position, inside = 0, ""
    while (match := _TOKEN.search(text, position)) is not None:
        yield text[position : match.start()]
        sign, start = match.group(), match.start()
        position = match.end()
        if sign == "{{":
            position = expression_end(text, match.end())
            position = len(text) if position < 0 else position
            part = text[start:position]
            at = query.at(start, len(part))
            yield Inserted(binder.text(Scalar(part, part, at)), _ESCAPES_IN.get(inside, _in_quotes))
            continue
        if sign == "\\" and inside in _QUOTES:
            sign = text[start : start + 2]
            position = start + len(sign)
        elif inside in ('"', "'") and len(sign) == 3:
            # Three quotes inside of one kind end the text with their first.
            sign, position = sign[0], start + 1
            inside = _after(sign, inside, text, start)
        else:
            inside = _after(sign, inside, text, start)
        yield sign
    yield text[position:]


def _after(sign: str, inside: str, text: str, start: int) -> str:
    """Return what the text is inside of after a sign: a kind of quotes, `<`, `#` or ""."""
    if not inside:
        if sign == "<":
            return "<" if _IRI.match(text, start) else ""
        return sign if sign in _QUOTES or sign == "#" else ""
    closes = {"<": ">", "#": "\n"}.get(inside, inside)
    return "" if sign == closes else inside


def _in_quotes(text: str) -> str:
    return text.translate(_ESCAPES)


def _in_iri(text: str) -> str:
    try:
        return quote(text, safe=_IRI_SAFE)
    except UnicodeEncodeError:
        raise bad_value(
            "body", "body", "holds half of a surrogate pair, which is no text"
        ) from None


def _in_comment(text: str) -> str:
    return re.sub(r"[\r\n]+", " ", text)


def _bare(text: str) -> str:
    if _BARE.fullmatch(text) is None:
        raise InputError(
            message="a value that stands outside of quotes in the query is no number and no name",
            hint="put quotes around its placeholder where it is a text",
        )
    return text


_ESCAPES_IN: dict[str, Callable[[str], str]] = {"": _bare, "<": _in_iri, "#": _in_comment}
