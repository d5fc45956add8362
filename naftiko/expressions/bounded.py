"""What values in an expression are: JSON values, within bounds, and their texts.

Importing this module imports Jinja2 (40 ms).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext

from naftiko.expressions.text import value_text
from naftiko.values import MISSING

MAX_TEXT = 1024 * 1024
MAX_ITEMS = 100_000
MAX_VALUES = 1_000_000
MAX_DEPTH = 200
MAX_WRITTEN = 64 * 1024 * 1024
"""Characters of the texts in a value that is written as JSON, those that it shares each counted."""


class ValueFaultError(TypeError):
    """Values do not fit an expression. The message shows none of them."""


@dataclass(slots=True)
class Budget:
    """How many values may still be copied: lists of lists of the same list grow fast."""

    left: int = MAX_VALUES
    characters: int | None = None

    def take(self, count: int) -> None:
        """Charge it.

        Raises: SecurityError where nothing is left.
        """
        self.left -= count
        if self.left < 0:
            message = f"a value grows to more than {MAX_VALUES:,} values"
            raise SecurityError(message)

    def take_text(self, length: int) -> None:
        """Charge a text, where texts are counted at all.

        Raises: SecurityError where nothing is left.
        """
        if self.characters is not None:
            self.characters -= length
            if self.characters < 0:
                message = "a value grows too large to be written"
                raise SecurityError(message)


def bound_text(length: int) -> None:
    """Refuse a text of more than 1 MiB.

    Raises: SecurityError.
    """
    if length > MAX_TEXT:
        message = "a text grows to more than 1 MiB"
        raise SecurityError(message)


def is_number(value: Any) -> bool:
    """Tell whether a value is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def text_of(value: Any) -> str:
    """Return the text of a value inside an expression; undefined is ""."""
    if isinstance(value, Undefined):
        return ""
    if isinstance(value, str):
        return str(value)
    return value_text(to_json(value, Budget(characters=MAX_WRITTEN)))


def to_json(value: Any, budget: Budget | None = None) -> Any:
    """Return a copy of what an expression gave, as JSON; MISSING for undefined.

    Raises: ValueFaultError for what has no JSON value, SecurityError past the budget.
    """
    return _copy(value, budget or Budget(), 0)


def member_json(value: Any, budget: Budget | None = None) -> Any:
    """Return a copy of a value as JSON; null for undefined.

    Raises: ValueFaultError for what has no JSON value, SecurityError past the budget.
    """
    return _member_copy(value, budget or Budget(), -1)


def _copy(value: Any, budget: Budget, depth: int) -> Any:
    if isinstance(value, Undefined):
        return MISSING
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        budget.take_text(len(value))
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    if depth > MAX_DEPTH:
        raise nested_too_deep()
    if isinstance(value, dict):
        budget.take(len(value))
        return {text_of(key): _member_copy(item, budget, depth) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, LoopContext):
        items = list(value)
        budget.take(len(items))
        return [_member_copy(item, budget, depth) for item in items]
    message = "the result is no JSON value"
    raise ValueFaultError(message)


def _member_copy(value: Any, budget: Budget, depth: int) -> Any:
    found = _copy(value, budget, depth + 1)
    return None if found is MISSING else found


def nested_too_deep() -> ValueFaultError:
    """Return the error of a value with too many levels."""
    return ValueFaultError("a value is nested too deep")
