"""The parameters of an execution against those of the plan. Spec: sections 1 and 6.1."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

from naftiko.errors import nearest
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.vm.data import misfit, size_of
from naftiko.workflow.vm.failures import InvalidParameters
from naftiko.workflow.vm.program import Program

MAX_PARAMETERS = 50
MAX_BYTES = 64 * 1024
MAX_TEXT = 4_096
MAX_ELEMENTS = 1_000
MAX_WHOLE = 2**64
MAX_SHOWN = 80
"""More of a caller's own text is not repeated to them."""

_TYPES: dict[str, Callable[[JsonValue], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def check_parameters(program: Program, given: JsonObject) -> JsonObject:
    """Return every parameter of the plan with its value; optional ones without default are null.

    Raises: InvalidParameters, with all that is wrong.
    """
    found = _Findings()
    if len(given) > MAX_PARAMETERS:
        found.add("", f"{len(given)} parameters are more than {MAX_PARAMETERS}")
        raise InvalidParameters(found.problems)
    found.check_size(given)
    for name in given:
        if not _is_json(given[name]):
            found.no_json(name)
    known = {str(item["name"]): item for item in program.parameters}
    for name in given:
        if name not in known:
            found.unknown(name, list(known))
    values: JsonObject = {}
    for name, declared in known.items():
        values[name] = _value(found, declared, given)
    if found.problems:
        raise InvalidParameters(found.problems)
    return values


def _value(found: _Findings, declared: JsonObject, given: JsonObject) -> JsonValue:
    name = str(declared["name"])
    value = given.get(name)
    if value is None:
        if declared.get("required"):
            found.add(name, f"`{name}` is required and was not given")
            return None
        return declared.get("default")
    type_ = str(declared["type"])
    if type_ == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not _TYPES[type_](value):
        found.add(name, misfit(name, value, type_))
        return None
    _check_range(found, declared, name, value)
    _check_text(found, declared, name, value)
    _check_items(found, declared, name, value)
    return value


def _check_range(found: _Findings, declared: JsonObject, name: str, value: JsonValue) -> None:
    if isinstance(value, bool | dict) or value is None:
        return
    measure, of = (len(value), "the length of ") if isinstance(value, str | list) else (value, "")
    low, high = declared.get("min"), declared.get("max")
    if isinstance(low, int | float) and measure < low:
        found.add(name, f"{of}`{name}` must be at least {low}")
    if isinstance(high, int | float) and measure > high:
        found.add(name, f"{of}`{name}` must be at most {high}")


def _check_text(found: _Findings, declared: JsonObject, name: str, value: JsonValue) -> None:
    allowed = declared.get("enum")
    if isinstance(allowed, list) and allowed and not any(_same(value, one) for one in allowed):
        listed = ", ".join(json.dumps(one, ensure_ascii=False) for one in allowed)
        found.add(name, f"`{name}` must be one of {listed}")
    if not isinstance(value, str):
        return
    if len(value) > MAX_TEXT:
        found.add(name, f"`{name}` has more than {MAX_TEXT} characters")
        return
    pattern = declared.get("pattern")
    if isinstance(pattern, str) and not _matches(pattern, value):
        found.add(name, f"`{name}` does not match `{pattern}`")


def _same(left: JsonValue, right: JsonValue) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _matches(pattern: str, value: str) -> bool:
    from naftiko.workflow.expressions.patterns import compile_pattern

    return compile_pattern(pattern).fullmatch(value) is not None


def _check_items(found: _Findings, declared: JsonObject, name: str, value: JsonValue) -> None:
    if not isinstance(value, list):
        return
    if len(value) > MAX_ELEMENTS:
        found.add(name, f"`{name}` has more than {MAX_ELEMENTS} elements")
        return
    items = declared.get("items")
    type_ = str(items.get("type", "")) if isinstance(items, dict) else str(items or "")
    check = _TYPES.get(type_)
    if check is None:
        return
    for index, element in enumerate(value):
        if not check(element):
            found.add(name, misfit(f"{name}[{index}]", element, type_))
            return


def _is_json(value: JsonValue) -> bool:
    """Tell whether a value is one of JSON: NaN is none, nor is half a surrogate pair."""
    rest: list[JsonValue] = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, dict):
            rest += [*item, *item.values()]
        elif isinstance(item, list):
            rest += item
        elif isinstance(item, str):
            if not item.isascii() and any("\ud800" <= letter <= "\udfff" for letter in item):
                return False
        elif isinstance(item, float):
            if not math.isfinite(item):
                return False
        elif isinstance(item, int) and abs(item) >= MAX_WHOLE:
            return False
    return True


class _Findings:
    """What is wrong, in words that never hold a value."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.problems: list[JsonObject] = []

    def add(self, name: str, message: str) -> None:
        """Note a problem."""
        self.problems.append({"name": name, "message": message})

    def unknown(self, name: str, known: list[str]) -> None:
        """Note a name that the plan does not have."""
        shown = name[:MAX_SHOWN] if name.isprintable() else "…"
        near = nearest(name, known) if len(name) <= MAX_SHOWN else None
        hint = f", did you mean `{near}`?" if near else ""
        self.add(shown, f"there is no parameter `{shown}`{hint}")

    def no_json(self, name: str) -> None:
        """Note a value that JSON does not have."""
        shown = name[:MAX_SHOWN] if name.isprintable() else "…"
        self.add(shown, f"`{shown}` holds a number or a text that is none in JSON")

    def check_size(self, given: JsonObject) -> None:
        """Note too much.

        Raises: InvalidParameters, at once: nothing else of it is looked at.
        """
        from naftiko.workflow.vm.data import WrongData

        try:
            fits = size_of(given, MAX_BYTES) <= MAX_BYTES
        except WrongData:
            fits = False
        if not fits:
            self.add("", f"the parameters are larger than {MAX_BYTES // 1024} KiB")
            raise InvalidParameters(self.problems)
