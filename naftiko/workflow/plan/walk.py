"""Walks over a plan that has been checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from naftiko.values import JsonObject, JsonValue


def objects(value: JsonValue) -> list[JsonObject]:
    """Return the objects of a list: operations, handlers, parameters."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(value: JsonValue) -> JsonObject:
    """Return an object, empty where it is none."""
    return value if isinstance(value, dict) else {}


def texts(value: JsonValue) -> list[str]:
    """Return the texts of a list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def operations(operations: Sequence[JsonObject]) -> Iterator[JsonObject]:
    """Yield operations, those of a body after their FOR_EACH."""
    for operation in operations:
        yield operation
        yield from objects(operation.get("body"))


def handler_operations(plan: JsonObject) -> list[JsonObject]:
    """Return the operations of all rollback handlers, without bodies."""
    return [op for handler in objects(plan["rollback"]) for op in objects(handler["ops"])]


def all_operations(plan: JsonObject) -> Iterator[JsonObject]:
    """Yield every operation of a plan: the steps, then rollback."""
    yield from operations(objects(plan["execution_plan"]))
    yield from operations(handler_operations(plan))


def calls(operation: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Yield what an operation calls, and where it stands: ("call", ...) of a POLL."""
    if operation["op"] == "POLL":
        yield "call", mapping(operation["call"])
    elif operation["op"] == "AWS_CALL":
        yield "", operation
        observer = mapping(operation["idempotency"]).get("observer")
        if isinstance(observer, dict):
            yield "idempotency.observer.call", mapping(observer["call"])


def trees(operation: JsonObject) -> Iterator[tuple[str, JsonValue]]:
    """Yield the trees of an operation, each with its place: ("input_mapping.Name", ...).

    Not those of a body: its operations have their own.
    """
    for where, call in calls(operation):
        prefix = f"{where}." if where else ""
        for name, tree in mapping(call["input_mapping"]).items():
            yield f"{prefix}input_mapping.{name}", tree
        if call["region"] is not None:
            yield f"{prefix}region", call["region"]
    for name in _TREES.get(str(operation["op"]), ()):
        if operation[name] is not None:
            yield name, operation[name]
    if operation["op"] == "SET":
        for name, tree in mapping(operation["values"]).items():
            yield f"values.{name}", tree


_TREES = {
    "POLL": ("until", "fail_when"),
    "FOR_EACH": ("over",),
    "FILTER": ("from", "where"),
    "ASSERT": ("that", "message"),
    "CONDITION": ("expr",),
}
