"""Plans that do the same under another name: their operations are compared, names set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.catalog import Catalog
from naftiko.workflow.contribution.findings import Finding
from naftiko.workflow.plan.canonical import canonical
from naftiko.workflow.plan.refused import IntegrityError
from naftiko.workflow.plan.walk import mapping, objects, operations

LIKE = 0.9
"""How much of two plans' operations may be the same, of all that either has."""

_MEANS = (
    *("op", "service", "operation", "input_mapping", "select", "until", "fail_when", "vars"),
    *("over", "from", "where", "that", "values", "expr", "seconds"),
)


def same_plans(plan: JsonObject, catalog: Catalog) -> Iterator[Finding]:
    """Report workflows of the catalog, of other names, that do nearly the same."""
    own = _meaning(plan)
    for entry in catalog.entries:
        if entry.plan is None or entry.name == plan["name"]:
            continue
        try:
            other = catalog.plan(entry)
        except IntegrityError:
            continue  # `verify` tells; it takes nobody's place
        alike = _alike(own, _meaning(other))
        if alike >= LIKE:
            yield Finding(
                code="WF941",
                message=f"the plan is the same as that of `{entry.ref}`, but for names"
                if alike == 1
                else f"{int(alike * 100)} % of the plan is that of `{entry.ref}`",
                path="source.yaml",
                hint=f"use `{entry.name}`, or submit a new version of it",
            )


def _alike(one: Counter[bytes], other: Counter[bytes]) -> float:
    together = (one | other).total()
    return (one & other).total() / together if together else 0.0


def _meaning(plan: JsonObject) -> Counter[bytes]:
    """Return what a plan does, operation by operation; names of steps and parameters are counted.

    `params.bucket` of the first parameter is `params.0`, `steps.list` of the first step `steps.0`.
    """
    names: dict[tuple[str, str], str] = {}
    for index, parameter in enumerate(objects(plan["parameters"])):
        names["params", str(parameter["name"])] = str(index)
    every = list(operations(objects(plan["execution_plan"])))
    for index, operation in enumerate(every):
        names["steps", str(operation["step_id"])] = str(index)
    return Counter(canonical(_bare(operation, names)) for operation in every)


def _bare(operation: JsonObject, names: dict[tuple[str, str], str]) -> JsonObject:
    call = mapping(operation["call"]) if operation["op"] == "POLL" else operation
    return {
        name: _renamed(value, names)
        for name in _MEANS
        if (value := operation.get(name, call.get(name))) is not None
    }


def _renamed(value: JsonValue, names: dict[tuple[str, str], str]) -> JsonValue:
    if isinstance(value, list):
        head = value[:2]
        if len(head) == 2 and all(isinstance(part, str) for part in head):
            known = names.get((str(head[0]), str(head[1])))
            if known is not None:
                return [head[0], known, *value[2:]]
        return [_renamed(item, names) for item in value]
    if isinstance(value, dict):
        return {name: _renamed(item, names) for name, item in value.items()}
    return value
