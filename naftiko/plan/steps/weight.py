"""About how much memory a JSON value takes."""

from __future__ import annotations

from naftiko.values import JsonValue

_VALUE = 56
_MEMBER = 80


def weigh(value: JsonValue) -> int:
    """Return about how many bytes a value takes, counting what it shares each time."""
    if isinstance(value, str):
        return _VALUE + len(value)
    if not isinstance(value, list | dict):
        return _VALUE
    total = 0
    pending: list[JsonValue] = [value]
    while pending:
        item = pending.pop()
        total += _VALUE
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            total += sum(_MEMBER + len(name) for name in item)
            pending.extend(item.values())
    return total
