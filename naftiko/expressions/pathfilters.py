"""JSONPath filters: `[?(@.price < 10)]`. jsonpath-ng parses and tests them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from naftiko.expressions.pathsyntax import Filter as PathFilter
from naftiko.expressions.pathsyntax import bad_path
from naftiko.source import Anchor
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from jsonpath_ng import JSONPath

MAX_FILTER_LENGTH = 300
"""jsonpath-ng recurses once for each part of a path, so this bounds its depth."""

Matches: TypeAlias = Callable[[JsonValue, JsonValue], "list[JsonValue]"]
"""(list or object, root) -> those of its members that pass."""

_AT_COLUMN = re.compile(r"at 1:(\d+)|on line 1, col (\d+)")
_LINE_BREAKS = re.compile(r"[\r\n]")
_PREFIX = "@["


def compile_filter(filter_: PathFilter, at: Anchor) -> Matches:
    """Compile a filter.

    Filter("?(@.a > 1)") -> a function that picks {"a": 2} from [{"a": 1}, {"a": 2}]

    Raises: ExpressionError[bad-path].
    """
    parsed = _parse(filter_, at)
    _refuse_costly(parsed, filter_, at)
    from jsonpath_ng import DatumInContext, This

    def matches(value: JsonValue, root: JsonValue) -> list[JsonValue]:
        if not isinstance(value, list | dict):
            return []
        datum = DatumInContext(value, path=This(), context=DatumInContext(root))
        try:
            return [found.value for found in parsed.find(datum)]
        except TypeError:
            # an ordering or a length that the value has not: nothing matches
            return []

    return matches


def _parse(filter_: PathFilter, at: Anchor) -> JSONPath:
    from jsonpath_ng.exceptions import JSONPathError
    from jsonpath_ng.ext.parser import parse

    text, offset = filter_.text, filter_.offset
    if len(text) > MAX_FILTER_LENGTH:
        bad_path(at, f"the filter has more than {MAX_FILTER_LENGTH} characters", offset)
    try:
        with warnings.catch_warnings():
            # what the library says it will drop is refused now
            warnings.simplefilter("error")
            parsed: JSONPath = parse(f"{_PREFIX}{_LINE_BREAKS.sub(' ', text)}]")
    except DeprecationWarning:
        hint = "put texts into quotes, and write `&&` for and"
        bad_path(at, "the filter compares with a word that has no quotes", offset, len(text), hint)
    except JSONPathError as error:
        column = _AT_COLUMN.search(str(error))
        place = int(column.group(1) or column.group(2)) - len(_PREFIX) if column else 0
        hint = "for example `[?(@.status == 'ACTIVE')]`"
        if 0 < place < len(text):
            message = f"the filter is not understood from `{text[place]}` on"
            bad_path(at, message, offset + place, 1, hint)
        bad_path(at, "the filter is not understood", offset, len(text), hint)
    return parsed


def _refuse_costly(parsed: JSONPath, filter_: PathFilter, at: Anchor) -> None:
    """Refuse what a hostile value, or a hostile path, could make slow or large."""
    from jsonpath_ng import Child, Descendants, Fields, Index, Root, Slice, This
    from jsonpath_ng.ext.filter import And, Expression, Filter, Or
    from jsonpath_ng.jsonpath import Wildcard

    allowed = {Child, Fields, Index, Root, Slice, This, Wildcard, Filter, Expression, And, Or}
    found = list(_nodes(parsed))
    what = ""
    if any(isinstance(node, Descendants) for node in found):
        what = "a deep scan (`..`)"
    elif any(getattr(node, "op", None) == "=~" for node in found):
        what = "a regular expression (`=~`)"
    elif any(type(node) not in allowed for node in found):
        what = "arithmetic or a function"
    elif sum(isinstance(node, Filter) for node in found) > 1:
        what = "a filter"
    elif any(isinstance(node, Root) for node in found) and any(
        isinstance(node, Slice | Wildcard) for node in found
    ):
        what = "`$` together with `[*]` or a slice"
    if what:
        message = f"{what} is not possible in a filter"
        bad_path(at, message, filter_.offset, len(filter_.text))


def _nodes(parsed: object) -> Iterator[object]:
    pending = [parsed]
    while pending:
        node = pending.pop()
        yield node
        for name in ("left", "right", "target"):
            child = getattr(node, name, None)
            if child is not None:
                pending.append(child)
        for name in ("expressions", "operands"):
            pending.extend(getattr(node, name, ()))
        value = getattr(node, "value", None)
        if value is not None and not isinstance(value, str | int | float | bool):
            pending.append(value)
