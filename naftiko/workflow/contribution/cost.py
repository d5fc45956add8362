"""What a plan may come to at worst, by its own caps: calls, and time spent waiting."""

from __future__ import annotations

from math import ceil

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.plan.walk import handler_operations, mapping, objects

MAX_CALLS = {"community": 50_000, "verified": 100_000, "enterprise": 500_000}
_PAGE = 100
"""Elements of a page where the plan asks for no number: what AWS mostly gives."""


def worst_calls(plan: JsonObject) -> int:
    """Return how many calls a plan makes if every cap is reached, and every attempt fails."""
    operations = [*objects(plan["execution_plan"]), *handler_operations(plan)]
    return sum(_calls(operation) for operation in operations)


def waits_of(plan: JsonObject) -> int:
    """Return the seconds that a plan waits between its calls at worst.

    Of loops only one round counts: how many there are is for the data to say, and the time limit.
    """
    return sum(_waits(operation) for operation in objects(plan["execution_plan"]))


def _calls(operation: JsonObject) -> int:
    match operation["op"]:
        case "AWS_CALL":
            return _attempts(operation) * _pages(operation)
        case "POLL":
            call = mapping(operation["call"])
            return _whole(operation["max_attempts"]) * _attempts(call) * _pages(call)
        case "FOR_EACH":
            body = sum(_calls(inner) for inner in objects(operation["body"]))
            return _whole(operation["max_items"]) * body
    return 0


def _waits(operation: JsonObject) -> int:
    match operation["op"]:
        case "WAIT":
            return _whole(operation["seconds"])
        case "POLL":
            return (_whole(operation["max_attempts"]) - 1) * _whole(operation["interval"])
        case "FOR_EACH":
            return sum(_waits(inner) for inner in objects(operation["body"]))
    return 0


def _attempts(call: JsonObject) -> int:
    return _whole(mapping(call["retry"])["max_attempts"])


def _pages(call: JsonObject) -> int:
    pages = mapping(call["paginate"])
    if not pages:
        return 1
    size = pages["page_size"]
    return ceil(_whole(pages["max_items"]) / (size if isinstance(size, int) else _PAGE))


def _whole(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
