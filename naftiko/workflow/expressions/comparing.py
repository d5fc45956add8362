"""How values compare. docs/workflow-plan.md, "Trees"."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from naftiko.workflow.expressions.values import Computed, TypeMismatch, read_time, type_text


def _same(a: Computed, b: Computed) -> bool:
    """Compare two scalars; true is not 1, and a list or map is like nothing."""
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return a is b
    if isinstance(a, str) or isinstance(b, str):
        return _same_text(a, b)
    if isinstance(a, dict | list) or isinstance(b, dict | list):
        return False
    return a == b


def _same_text(a: Computed, b: Computed) -> bool:
    """Compare where one is a text: with a time, as a time, for lists keep times as text."""
    time, other = (a, b) if isinstance(a, datetime) else (b, a)
    if not isinstance(time, datetime):
        return a == b
    try:
        return read_time(other) == time
    except TypeMismatch:
        return False


def _ordering(
    compare: Callable[[Computed, Computed], bool],
) -> Callable[[Computed, Computed], bool]:
    def ordered(a: Computed, b: Computed) -> bool:
        if a is None or b is None:
            return False
        try:
            return compare(a, b)
        except TypeError as error:
            raise TypeMismatch(f"{type_text(a)} and {type_text(b)} have no order") from error

    return ordered


def _contains(many: Computed, one: Computed) -> bool:
    if many is None or one is None:
        return False
    if isinstance(many, str):
        return isinstance(one, str) and one in many
    return isinstance(many, list) and any(_same(one, element) for element in many)


def _startswith(text: Computed, start: Computed) -> bool:
    return isinstance(text, str) and isinstance(start, str) and text.startswith(start)


def _endswith(text: Computed, end: Computed) -> bool:
    return isinstance(text, str) and isinstance(end, str) and text.endswith(end)


COMPARISONS: dict[str, Callable[[Computed, Computed], bool]] = {
    "==": _same,
    "!=": lambda a, b: not _same(a, b),
    "<": _ordering(lambda a, b: a < b),  # type: ignore[operator]  # a TypeError is caught there
    "<=": _ordering(lambda a, b: a <= b),  # type: ignore[operator]  # the same
    ">": _ordering(lambda a, b: a > b),  # type: ignore[operator]  # the same
    ">=": _ordering(lambda a, b: a >= b),  # type: ignore[operator]  # the same
    "in": lambda a, b: isinstance(b, list) and _contains(b, a),
    "contains": _contains,
    "startswith": _startswith,
    "endswith": _endswith,
}
