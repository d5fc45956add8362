"""Values of tests: what they read from answers, and how they differ from what came."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from naftiko.document.scalars import shorten
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.patterns import compile_pattern
from naftiko.workflow.plan.paths import parts_of
from naftiko.workflow.testing.given import REFERENCE

_MISSING = object()


def filled(value: JsonValue, answers: Mapping[str, JsonObject]) -> JsonValue:
    """Return a value with what it reads from answers in its place.

    "${given.vm.Instances[0].InstanceId}" -> "i-0123". Raises: LookupError[what is not there].
    """
    match value:
        case str() if "${" in value:
            return _filled_text(value, answers)
        case dict():
            return {name: filled(item, answers) for name, item in value.items()}
        case list():
            return [filled(item, answers) for item in value]
        case _:
            return value


def _filled_text(text: str, answers: Mapping[str, JsonObject]) -> JsonValue:
    whole = REFERENCE.fullmatch(text)
    if whole is not None:
        return _looked_up(whole, answers)
    found = REFERENCE.sub(lambda match: _text_of(_looked_up(match, answers)), text)
    return found.replace("$${", "${")


def _looked_up(match: re.Match[str], answers: Mapping[str, JsonObject]) -> JsonValue:
    value: JsonValue = answers[match["id"]]
    for part in parts_of(match["path"]):
        if isinstance(part, str):
            inner = value.get(part, _MISSING) if isinstance(value, dict) else _MISSING
        else:
            is_there = isinstance(value, list) and part < len(value)
            inner = value[part] if is_there else _MISSING  # type: ignore[index]  # a list then
        if inner is _MISSING:
            raise LookupError(f"`{match['id']}{match['path']}`")
        value = inner  # type: ignore[assignment]  # _MISSING is out of the way
    return value


def _text_of(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def difference(wanted: JsonValue, found: JsonValue, what: str) -> str:
    """Return how a value is not as expected, "" where it is.

    Objects may have more fields than are expected; lists have exactly the items.
    """
    match wanted:
        case {"$any": _}:
            return "" if found is not None else f"{what} is null, expected a value"
        case {"$matches": str() as pattern}:
            matches = isinstance(found, str) and compile_pattern(pattern).fullmatch(found)
            return "" if matches else f"{what} is {shown(found)}, expected a match of `{pattern}`"
        case {"$length": int() as length}:
            size = len(found) if isinstance(found, str | list | dict) else None
            return "" if size == length else f"{what} has the length {size}, expected {length}"
        case dict():
            return _object_difference(wanted, found, what)
        case list():
            return _list_difference(wanted, found, what)
        case _:
            is_same = wanted == found and isinstance(wanted, bool) is isinstance(found, bool)
            return "" if is_same else f"{what} is {shown(found)}, expected {shown(wanted)}"


def _object_difference(wanted: JsonObject, found: JsonValue, what: str) -> str:
    if not isinstance(found, dict):
        return f"{what} is {shown(found)}, expected {shown(wanted)}"
    for name, value in wanted.items():
        if name not in found:
            return f"{what} has no `{name}`"
        told = difference(value, found[name], f"`{name}` of {what}")
        if told:
            return told
    return ""


def _list_difference(wanted: list[JsonValue], found: JsonValue, what: str) -> str:
    if not isinstance(found, list):
        return f"{what} is {shown(found)}, expected {shown(wanted)}"
    if len(found) != len(wanted):
        return (
            f"{what} has {len(found)} items, expected {len(wanted)}: {shown(found)} instead of "
            f"{shown(wanted)}"
        )
    told = (
        difference(one, other, f"item {index} of {what}")
        for index, (one, other) in enumerate(zip(wanted, found, strict=True))
    )
    return next((text for text in told if text), "")


def shown(value: JsonValue) -> str:
    """Return a value for people."""
    return f"`{shorten(json.dumps(value, ensure_ascii=False), 300)}`"
