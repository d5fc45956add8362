"""What the engine passes to an exported state machine: its input, its execution's name.

JSONata has no version 5 UUIDs, and a machine does not know as whom the engine runs. So the input is
`{"parameters": {...}, "facts": {...}}`; facts are the values that `now()`, `execution_id()`,
`region()`, `account_id()`, `partition()` and `uuid()` have in the engine. Without `facts` (someone
starts the machine by hand) the execution's own start, name and ARN stand in for all but `uuid()`,
which is null then.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import Principal


def execution_input(
    plan: JsonObject,
    parameters: JsonObject,
    *,
    execution_id: str,
    now: datetime,
    principal: Principal,
) -> JsonObject:
    """Return the input of an execution, whose name is the execution id.

    `parameters` have been checked against the plan; so have permissions and integrity.
    """
    moment = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "parameters": parameters,
        "facts": {
            "now": moment,
            "execution_id": execution_id,
            "region": principal.region,
            "account_id": principal.account_id,
            "partition": principal.partition,
            "uuid": uuids(plan, execution_id),
        },
    }


def uuids(plan: JsonObject, execution_id: str) -> JsonObject:
    """Return what `uuid()` gives in each operation that uses it; a list for those in loops."""
    from naftiko.workflow.vm.scope import Facts, Frame

    facts = Facts(execution_id=execution_id, parameters={}, now=datetime.min, principal=Principal())
    outer = Frame(facts)
    found: JsonObject = {}
    for op, items in _operations(plan):
        step_id = str(op["step_id"])
        if not _uses_uuid({name: value for name, value in op.items() if name != "body"}):
            continue
        if items is None:
            found[step_id] = outer.uuid(step_id)
        else:
            found[step_id] = [outer.for_item(None, n).uuid(step_id) for n in range(items)]
    return found


def _operations(plan: JsonObject) -> list[tuple[JsonObject, int | None]]:
    lists = [plan["execution_plan"]]
    lists.extend(handler["ops"] for handler in cast("list[JsonObject]", plan["rollback"]))
    found: list[tuple[JsonObject, int | None]] = []
    for operations in lists:
        for op in cast("list[JsonObject]", operations):
            found.append((op, None))
            body = cast("list[JsonObject]", op.get("body", []))
            found.extend((inner, int(cast("int", op["max_items"]))) for inner in body)
    return found


def _uses_uuid(value: JsonValue) -> bool:
    if isinstance(value, list):
        return any(_uses_uuid(item) for item in value)
    if not isinstance(value, dict):
        return False
    if value.get("fn") == "uuid" or (value.get("kind") == "token" and "member" in value):
        return True
    return any(_uses_uuid(item) for item in value.values())
