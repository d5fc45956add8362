"""Whether a constant is a value of a parameter: WF206 for defaults, WF203 for `enum`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.document.scalars import shorten
from naftiko.values import JsonValue
from naftiko.workflow.expressions.pattern_syntax import PatternFault
from naftiko.workflow.expressions.patterns import compile_pattern
from naftiko.workflow.source.schema import MAX_TEXT, Section, kind_of

MAX_ITEMS = 1_000

_TYPES: dict[str, Callable[[Node], bool]] = {
    "string": lambda node: isinstance(node, Scalar) and isinstance(node.value, str),
    "integer": lambda node: isinstance(node, Scalar) and type(node.value) is int,
    "number": lambda node: isinstance(node, Scalar) and type(node.value) in {int, float},
    "boolean": lambda node: isinstance(node, Scalar) and isinstance(node.value, bool),
    "array": lambda node: isinstance(node, Sequence),
    "object": lambda node: isinstance(node, Mapping),
}
_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a mapping",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the value of a parameter has to be."""

    type_: str | None
    pattern: Scalar | None = None
    low: int | float | None = None
    high: int | float | None = None
    items: str | None = None
    options: tuple[JsonValue, ...] = ()


def check_options(section: Section, limits: Limits, most: int) -> Limits:
    """Return the limits with the values of `enum`."""
    node = section.sequence("enum")
    if node is None:
        return limits
    section.at_most("enum", node, most)
    if not len(node):
        section.out_of_range("`enum` lists no value", node.location)
    for item in node:
        if limits.type_ is not None and not _TYPES[limits.type_](item):
            section.wrong_type("an item of `enum`", item, _WORDS[limits.type_], _quote_hint(item))
    return replace(limits, options=tuple(item.plain() for item in node))


def check_default(section: Section, limits: Limits) -> bool:
    """Tell whether there is a default; report one that the parameter would not take."""
    node = section.node.get("default")
    if node is None:
        return False
    is_null = isinstance(node, Scalar) and node.value is None
    if limits.type_ is None or is_null:
        return True
    message, hint = _wrong(node, limits)
    if message:
        section.problems.error("WF206", f"the default {message}", node.location, hint)
    return True


def _wrong(node: Node, limits: Limits) -> tuple[str, str]:
    """Return what is wrong with a value and the way out, "" where nothing is."""
    type_ = limits.type_ or ""
    if not _TYPES[type_](node):
        hint = _quote_hint(node) if type_ == "string" else ""
        if isinstance(node, Scalar) and "${" in node.text:
            hint = "a default is a constant, no expression may stand here"
        return f"is {kind_of(node)} where {_WORDS[type_]} is expected", hint
    return _out_of_bounds(node, limits) or _no_match(node, limits) or _bad_item(node, limits), ""


def _out_of_bounds(node: Node, limits: Limits) -> str:
    size, unit = _size(node)
    if size is None:
        return ""
    most = {" characters": MAX_TEXT, " items": MAX_ITEMS}.get(unit)
    high = limits.high if limits.high is not None else most
    verb = "has" if unit else "is"
    if limits.low is not None and size < limits.low:
        return f"{verb} {size}{unit}, less than the `min` of {limits.low}"
    if high is not None and size > high:
        named = "the `max`" if limits.high is not None else "the limit"
        return f"{verb} {size}{unit}, more than {named} of {high}"
    return ""


def _size(node: Node) -> tuple[int | float | None, str]:
    match node:
        case Sequence():
            return len(node), " items"
        case Scalar(value=bool()):
            return None, ""
        case Scalar(value=int() | float() as value):
            return value, ""
        case Scalar(value=str() as text):
            return len(text), " characters"
        case _:
            return None, ""


def _no_match(node: Node, limits: Limits) -> str:
    if limits.options and node.plain() not in limits.options:
        shown = shorten(node.text) if isinstance(node, Scalar) else "a collection"
        return f"`{shown}` is none of the values of `enum`"
    if limits.pattern is not None and isinstance(node, Scalar):
        matches = matcher(limits.pattern.text)
        if matches is not None and matches(node.text) is None:
            return f"`{shorten(node.text)}` does not match the `pattern`"
    return ""


def _bad_item(node: Node, limits: Limits) -> str:
    if limits.items is None or not isinstance(node, Sequence):
        return ""
    for item in node:
        if not _TYPES[limits.items](item):
            return f"holds {kind_of(item)} where {_WORDS[limits.items]} is expected"
    return ""


def _quote_hint(node: Node) -> str:
    if isinstance(node, Scalar) and not isinstance(node.value, str) and node.text:
        return f'quote it: "{shorten(node.text, 40)}"'
    return ""


def matcher(pattern: str) -> Callable[[str], object] | None:
    """Return what tells whether a whole text matches; None for a pattern that is refused.

    Only the language's own patterns are tried: a stranger's could run for hours.
    """
    try:
        return compile_pattern(pattern).fullmatch
    except PatternFault:
        return None
