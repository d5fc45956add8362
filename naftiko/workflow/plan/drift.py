"""Is all a plan names still in the installed botocore?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from naftiko.awsapi import catalog
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.plan import walk
from naftiko.workflow.plan.paths import parts_of
from naftiko.workflow.plan.refused import PlanDrift

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape


def check_drift(plan: JsonObject) -> None:
    """Check every operation, input member, selected path and paging path of a plan.

    Raises: PlanDrift, which names all that is gone.
    """
    import botocore

    gone = dict.fromkeys(
        name
        for operation in walk.all_operations(plan)
        for _, call in walk.calls(operation)
        for name in _gone(call, operation)
    )
    if gone:
        raise PlanDrift(
            tuple(gone),
            compiled_with=str(walk.mapping(plan["source"])["botocore"]),
            installed=str(botocore.__version__),
        )


def check_drift_once(plan: JsonObject) -> None:
    """Check a verified plan, the same one only once in a process.

    Raises: PlanDrift.
    """
    found = _drift_of(_ByChecksum(plan))
    if found is not None:
        raise found


class _ByChecksum:
    """A plan, equal to any other of the same checksum."""

    def __init__(self, plan: JsonObject) -> None:
        self.plan = plan
        self._checksum = str(plan["checksum"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByChecksum) and other._checksum == self._checksum

    def __hash__(self) -> int:
        return hash(self._checksum)


@lru_cache(maxsize=1_024)
def _drift_of(key: _ByChecksum) -> PlanDrift | None:
    try:
        check_drift(key.plan)
    except PlanDrift as error:
        return error
    return None


def _gone(call: JsonObject, operation: JsonObject) -> Iterator[str]:
    service, name = str(call["service"]), str(call["operation"])
    if not catalog.is_service(service):
        yield service
        return
    if catalog.operation_names(service).get(str(call["action"])) != name:
        yield f"{service} {name}"
        return
    model = catalog.service_model(service).operation_model(name)
    prefix = f"{service} {name}"
    yield from _gone_inputs(call, model, prefix)
    for path in _output_paths(call, operation):
        if not _has(model.output_shape, path):
            yield f"{prefix} -> {path}"


def _gone_inputs(call: JsonObject, model: OperationModel, prefix: str) -> Iterator[str]:
    shape = model.input_shape
    for member, tree in walk.mapping(call["input_mapping"]).items():
        inner = shape.members.get(member) if shape is not None else None
        if inner is None:
            yield f"{prefix}.{member}"
        else:
            yield from _gone_members(tree, inner, f"{prefix}.{member}")
    paging = walk.mapping(call["paginate"])
    token = walk.mapping(call["idempotency"]).get("member")
    paths = [*walk.texts(paging.get("input")), paging.get("size"), token]
    for path in paths:
        if isinstance(path, str) and not _has(shape, path):
            yield f"{prefix}.{path}"


def _gone_members(tree: JsonValue, shape: Shape, prefix: str) -> Iterator[str]:
    """Yield the members of an object in the input that the shape does not have."""
    given = walk.mapping(tree)
    members = given["obj"] if "obj" in given else given.get("lit")
    is_tree = "obj" in given
    items = given["list"] if "list" in given else given.get("lit")
    if isinstance(members, dict) and shape.type_name in {"structure", "map"}:
        for name, value in members.items():
            inner = _member(shape, name)
            if inner is None:
                yield f"{prefix}.{name}"
            elif inner is not shape:
                yield from _gone_members(
                    value if is_tree else {"lit": value}, inner, f"{prefix}.{name}"
                )
    elif isinstance(items, list) and shape.type_name == "list":
        for value in items:
            element = value if "list" in given else {"lit": value}
            yield from _gone_members(element, shape.member, prefix)


def _output_paths(call: JsonObject, operation: JsonObject) -> Iterator[str]:
    yield from (str(path) for path in walk.mapping(call["output_schema"]))
    paging = walk.mapping(call["paginate"])
    for alternatives in _lists(paging.get("output")):
        yield from walk.texts(alternatives)
    yield from walk.texts(paging.get("result"))
    if isinstance(paging.get("more"), str):
        yield str(paging["more"])
    if operation["op"] == "AWS_CALL":
        observer = walk.mapping(walk.mapping(operation["idempotency"]).get("observer"))
        if observer and observer["call"] is call and isinstance(observer["created"], str):
            yield observer["created"]


def _lists(value: JsonValue) -> list[JsonValue]:
    return list(value) if isinstance(value, list) else []


def _has(shape: Shape | None, path: str) -> bool:
    for part in parts_of(path):
        if shape is None:
            return False
        if isinstance(part, str):
            shape = _member(shape, part)
        else:
            shape = shape.member if shape.type_name == "list" else None
    return shape is not None


def _member(shape: Shape, name: str) -> Shape | None:
    """Return what is under a name; a document holds what it likes, and so is its own member."""
    if shape.metadata.get("document"):
        return shape
    if shape.type_name == "structure":
        return shape.members.get(name)
    return shape.value if shape.type_name == "map" else None
