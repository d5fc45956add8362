"""`paginate` of a consumed HTTP operation, read: how to get from one page to the next."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.consumes.resilience.members import Members
from naftiko.document.nodes import Mapping, Scalar
from naftiko.expressions.jsonpath import Path, compile_path

if TYPE_CHECKING:
    from naftiko.document.nodes import Node
    from naftiko.errors import Problems
    from naftiko.values import JsonValue

DEFAULT_LIMIT = 1000
"""Items that are collected when the file sets no limit, as for AWS."""
DEFAULT_MAX_PAGES = 100
MAX_LIMIT = 1_000_000
MAX_PAGES = 10_000
TYPES = ("page", "offset", "cursor", "link")
MEMBERS = (
    *("type", "parameter", "in", "start", "size", "items", "next", "nextUrl", "hasMore", "total"),
    *("limit", "maxPages", "stream"),
)
CODE = "invalid-paginate"
_PLAIN = re.compile(r"\$((?:\.[^\s.\[\]()\"'*?@]+)*)")
"""`$.data.items`: a path along which a value can be put back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A compiled path; `names` are the members it leads through where it is a plain one."""

    path: Path
    names: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How an operation pages.

    `type_` is page, offset, cursor or link. `parameter` changes from page to page; in a body it may
    be `variables.after`. `size` is a parameter and its value. `start` is the first number; for a
    cursor the first token, mostly none.
    """

    type_: str
    parameter: str
    in_: str
    start: int | str | None
    size: tuple[str, int] | None
    items: Place | None
    next_: Place | None
    next_url: Place | None
    has_more: Place | None
    total: Path | None
    limit: int = DEFAULT_LIMIT
    max_pages: int = DEFAULT_MAX_PAGES
    stream: bool = False

    @property
    def parameters(self) -> frozenset[str]:
        """The parameters by which a caller would page."""
        names = {self.parameter} if self.parameter else set()
        return frozenset(names | ({self.size[0]} if self.size else set()))


def read_paging(node: Node, problems: Problems) -> Paging | None:
    """Read `paginate`; None for `false`, or where it cannot be used, which is a problem.

    Raises: ExpressionError for a path that does not parse.
    """
    if isinstance(node, Scalar) and (node.value is False or node.value is None):
        return None
    if not isinstance(node, Mapping):
        problems.error(
            CODE,
            "`paginate` of an HTTP operation must say how its pages follow each other",
            node.location,
            "write `paginate: {type: page, parameter: page}`",
        )
        return None
    members = Members(node=node, name="paginate", code=CODE, problems=problems)
    members.check_names(MEMBERS)
    before = len(problems)
    paging = _Reader(members).read()
    return paging if len(problems) == before else None


class _Reader:
    """Reads the members of one block."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def read(self) -> Paging | None:
        members = self._members
        type_ = self._type()
        if type_ is None:
            return None
        next_, next_url = self._place("next"), self._place("nextUrl")
        if type_ == "cursor" and (next_ is None) == (next_url is None):
            members.note(
                members.location,
                "`paginate` of type `cursor` must say where the next token or URL is"
                if next_ is None
                else "`paginate` names both `next` and `nextUrl`",
                "add `next: $.next_cursor`, or `nextUrl: $.next`"
                if next_ is None
                else "keep the one that the answer holds",
            )
        items = self._place("items")
        if items is not None and items.names is None:
            members.note(
                self._location("items"),
                f"`paginate.items` must be a path of names such as `$.data.items`, found "
                f"`{items.path.text}`",
            )
        return Paging(
            type_=type_,
            parameter=self._parameter(type_, by_url=next_url is not None),
            in_=members.choice("in", ("query", "body", "header")) or "query",
            start=self._start(type_),
            size=self._size(),
            items=items,
            next_=next_,
            next_url=next_url,
            has_more=self._place("hasMore"),
            total=self._path("total"),
            limit=members.integer("limit", 1, MAX_LIMIT) or DEFAULT_LIMIT,
            max_pages=members.integer("maxPages", 1, MAX_PAGES) or DEFAULT_MAX_PAGES,
            stream=members.boolean("stream"),
        )

    def _type(self) -> str | None:
        members = self._members
        if members.has("type"):
            return members.choice("type", TYPES)
        for name, type_ in (("next", "cursor"), ("nextUrl", "cursor")):
            if members.has(name):
                return type_
        message = "`paginate` does not say its `type`"
        members.note(members.location, message, "one of page, offset, cursor, link")
        return None

    def _parameter(self, type_: str, *, by_url: bool) -> str:
        scalar = self._members.scalar("parameter")
        if scalar is not None:
            return scalar.text
        if type_ in ("page", "offset"):
            return type_
        if type_ == "cursor" and not by_url:
            message = "`paginate` does not say which parameter takes the token"
            self._members.note(self._members.location, message, "add `parameter: cursor`")
        return ""

    def _start(self, type_: str) -> int | str | None:
        if type_ in ("page", "offset"):
            start = self._members.integer("start", 0, 1_000_000_000)
            return (1 if type_ == "page" else 0) if start is None else start
        scalar = self._members.scalar("start")
        return scalar.text if scalar is not None else None

    def _size(self) -> tuple[str, int] | None:
        size = self._members.block("size")
        if size is None:
            return None
        size.check_names(("parameter", "value"))
        parameter, value = size.scalar("parameter"), size.integer("value", 1, 100_000)
        if parameter is None or not size.has("value"):
            message = "`paginate.size` must name a `parameter` and its `value`"
            size.note(size.location, message, "write `size: {parameter: per_page, value: 100}`")
        return (parameter.text, value) if parameter is not None and value is not None else None

    def _place(self, name: str) -> Place | None:
        scalar = self._members.scalar(name)
        if scalar is None:
            return None
        plain = _PLAIN.fullmatch(scalar.text.strip())
        names = tuple(plain.group(1).split(".")[1:]) if plain else None
        return Place(path=self._compiled(name, scalar), names=names)

    def _path(self, name: str) -> Path | None:
        scalar = self._members.scalar(name)
        return self._compiled(name, scalar) if scalar is not None else None

    def _compiled(self, name: str, scalar: Scalar) -> Path:
        if not isinstance(scalar.value, str):
            message = f"`paginate.{name}` must be a path such as `$.more`, found `{scalar.text}`"
            self._members.note(scalar.location, message)
        path = compile_path(scalar.text, scalar.at)
        if not path.definite and name != "items":
            message = f"`paginate.{name}` must lead to one value, found `{scalar.text}`"
            hint = f"a filter, `*` or `..` gives a list: `{scalar.text}.first()` is one of it"
            self._members.note(scalar.location, message, hint)
        return path

    def _location(self, name: str) -> Location:
        node = self._members.node.get(name)
        return node.location if node is not None else self._members.location


def replaced(document: JsonValue, names: tuple[str, ...], value: JsonValue) -> JsonValue:
    """Return the document with another value at a path of names; what it holds is not changed.

    {"data": {"items": [1], "n": 2}}, ("data", "items"), [1, 2] -> {"data": {"items": [1, 2], ...}}
    """
    if not names:
        return value
    inner = document if isinstance(document, dict) else {}
    return {**inner, names[0]: replaced(inner.get(names[0]), names[1:], value)}


if TYPE_CHECKING:
    from naftiko.source import Location
