"""The operators of JSONPath filters, one function each.

An indefinite path on the left (`@.tags[*] == 'b'`) passes where any of its values does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from naftiko.expressions.meter import Meter
from naftiko.values import MISSING, JsonValue, Missing

Comparison: TypeAlias = Callable[["JsonValue | Missing", "JsonValue | Missing", Meter], bool]

MAX_PATTERN = 300
_NUMERIC = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")


class Several(list[JsonValue]):
    """What an indefinite path found, as opposed to a list that a definite one found."""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: JsonValue | Missing) -> int | float | None:
    """Return a number, or the number that a text writes."""
    if isinstance(value, str) and _NUMERIC.fullmatch(value):
        return float(value) if not value.lstrip("+-").isdigit() else int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return None


def equal(left: JsonValue | Missing, right: JsonValue | Missing, meter: Meter) -> bool:
    """Compare values; a number equals the text that writes it, as in Jayway JsonPath."""
    if _is_number(left) != _is_number(right):
        number, other = _number(left), _number(right)
        return number is not None and number == other
    return same(left, right, meter)


def same(left: JsonValue | Missing, right: JsonValue | Missing, meter: Meter) -> bool:
    """Compare values of one type, however deep."""
    pending = [(left, right)]
    while pending:
        one, other = pending.pop()
        meter.spend(1)
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            pending += [(value, other[name]) for name, value in one.items()]
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pending += zip(one, other, strict=True)
        elif isinstance(one, bool) != isinstance(other, bool) or one != other:
            return False
    return True


def _different(left: JsonValue | Missing, right: JsonValue | Missing, meter: Meter) -> bool:
    return not equal(left, right, meter)


def _other_type_or_value(
    left: JsonValue | Missing, right: JsonValue | Missing, meter: Meter
) -> bool:
    return not same(left, right, meter)


def _ordered(compare: Callable[[float, float], bool]) -> Comparison:
    def test(left: JsonValue | Missing, right: JsonValue | Missing, _meter: Meter) -> bool:
        numbers = _is_number(left) and _is_number(right)
        texts = isinstance(left, str) and isinstance(right, str)
        return (numbers or texts) and compare(left, right)  # type: ignore[arg-type]  # alike

    return test


def _in(left: JsonValue | Missing, right: JsonValue | Missing, meter: Meter) -> bool:
    if left is MISSING or not isinstance(right, list):
        return False
    return any(equal(left, item, meter) for item in right)


def _not_in(left: JsonValue | Missing, right: JsonValue | Missing, meter: Meter) -> bool:
    return not _in(left, right, meter)


def _subset(left: JsonValue | Missing, right: JsonValue | Missing, meter: Meter) -> bool:
    return isinstance(left, list) and all(_in(item, right, meter) for item in left)


def _any_of(left: JsonValue | Missing, right: JsonValue | Missing, meter: Meter) -> bool:
    return isinstance(left, list) and any(_in(item, right, meter) for item in left)


def _none_of(left: JsonValue | Missing, right: JsonValue | Missing, meter: Meter) -> bool:
    return not _any_of(left, right, meter)


def _contains(left: JsonValue | Missing, right: JsonValue | Missing, meter: Meter) -> bool:
    if isinstance(left, str):
        meter.spend(len(left) // 1000)
        return isinstance(right, str) and right in left
    return isinstance(left, list) and _in(right, left, meter)


def _size(left: JsonValue | Missing, right: JsonValue | Missing, _meter: Meter) -> bool:
    return isinstance(left, (list, str, dict)) and _is_number(right) and len(left) == right


def _empty(left: JsonValue | Missing, right: JsonValue | Missing, _meter: Meter) -> bool:
    return isinstance(left, (list, str, dict)) and (len(left) == 0) is right


def _each(compare: Comparison) -> Comparison:
    """Compare any of several values."""

    def test(left: JsonValue | Missing, right: JsonValue | Missing, meter: Meter) -> bool:
        if isinstance(left, Several):
            return any(compare(item, right, meter) for item in left)
        return compare(left, right, meter)

    return test


OPERATORS: Mapping[str, Comparison] = {
    "==": _each(equal),
    "===": _each(same),
    "!=": _each(_different),
    "!==": _each(_other_type_or_value),
    "<": _each(_ordered(lambda left, right: left < right)),
    "<=": _each(_ordered(lambda left, right: left <= right)),
    ">": _each(_ordered(lambda left, right: left > right)),
    ">=": _each(_ordered(lambda left, right: left >= right)),
    "in": _each(_in),
    "nin": _each(_not_in),
    "subsetof": _subset,
    "anyof": _any_of,
    "noneof": _none_of,
    "contains": _contains,
    "size": _size,
    "empty": _empty,
}


def matching(is_match: Callable[[str], bool]) -> Comparison:
    """Return `=~` for a compiled expression. Text only is matched, and all of it."""

    def test(left: JsonValue | Missing, _right: JsonValue | Missing, meter: Meter) -> bool:
        if not isinstance(left, str):
            return False
        meter.spend(len(left) // 100)
        return is_match(left)

    return _each(test)


def linear_regex(source: str, flags: str) -> Callable[[str], bool]:
    """Compile a regular expression that runs in linear time, whatever it is tried on.

    The engine is Rust's `regex`, by way of jsonschema-rs: it has neither look-around nor back
    references.

    Raises: ValueError with a sentence for a problem.
    """
    import jsonschema_rs

    if unknown := set(flags) - set("imsx"):
        raise ValueError(f"`{min(unknown)}` is no flag of regular expressions; known: i, m, s, x")
    if len(source) > MAX_PATTERN:
        raise ValueError(f"the regular expression has more than {MAX_PATTERN} characters")
    prefix = f"(?{''.join(sorted(set(flags)))})" if flags else ""
    try:
        validator = jsonschema_rs.Draft202012Validator(
            {"pattern": f"{prefix}\\A(?:{source})\\z"},
            pattern_options=jsonschema_rs.RegexOptions(),
            validate_formats=False,
            offline=True,
        )
    except ValueError:
        raise ValueError(
            "the regular expression does not parse, or looks around or back, which is not possible"
        ) from None
    return validator.is_valid
