"""What the worker of a plan may ask for: the plan's own reading operations, and nothing else.

The parent decides it from the plan, not from what the worker says. Spec: section 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import AwsRequest

MAX_REQUESTS = 20_000
"""An execution makes no more; the caps of a plan of 500 operations are far below."""

_LEVELS = {"List", "Read"}
_CONSTANT = {"string", "integer", "boolean"}


class Refused(Exception):  # noqa: N818 - what was done with the request
    """The plan does not allow a request. The worker is not to be trusted any longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Allowed:
    position: int | None  # among the operations of the plan; None: of a rollback
    service: str
    operation: str
    members: frozenset[str]
    constants: tuple[tuple[str, JsonValue], ...]
    has_region: bool
    timeout_s: float


class Guard:
    """Checks the requests of one execution."""

    def __init__(self, plan: JsonObject) -> None:
        """Read what the plan allows."""
        self._allowed = {}
        for step_id, allowed in _allowed_of(plan):
            self._allowed[step_id] = allowed
        self._position = 0
        self._count = 0

    def check(self, request: AwsRequest) -> None:
        """Let a request pass.

        Raises: Refused.
        """
        allowed = self._allowed.get(request.step_id)
        if allowed is None or request.mutating:
            raise Refused("it is no reading operation of the plan")
        if (request.service, request.operation) != (allowed.service, allowed.operation):
            raise Refused("the operation of the plan is another one")
        if not allowed.members.issuperset(request.members):
            raise Refused("the operation of the plan does not send these members")
        for name, value in allowed.constants:
            found = request.members.get(name)
            if found != value or type(found) is not type(value):
                raise Refused("a constant of the plan has another value")
        if request.region is not None and not allowed.has_region:
            raise Refused("the operation of the plan names no region")
        if not 0 < request.timeout_s <= allowed.timeout_s:
            raise Refused("it may not take so long")
        self._count_on(allowed)

    def _count_on(self, allowed: _Allowed) -> None:
        self._count += 1
        if self._count > MAX_REQUESTS:
            raise Refused("these are too many requests")
        if allowed.position is None:
            return
        if allowed.position < self._position:
            raise Refused("the plan is past this operation")
        self._position = allowed.position


def is_reading(plan: JsonObject) -> bool:
    """Tell whether every call of a plan, with its loops and rollbacks, may run isolated."""
    return all(_reads(call) for _, _, call in _calls_of(plan))


def _allowed_of(plan: JsonObject) -> Iterator[tuple[str, _Allowed]]:
    for position, op, call in _calls_of(plan):
        if not _reads(call):
            continue
        mapping, paging = _object(call, "input_mapping"), _object(call, "paginate")
        tokens, size = paging.get("input"), paging.get("size")
        members = {*mapping, *(tokens if isinstance(tokens, list) else ()), size}
        yield (
            str(op.get("step_id")),
            _Allowed(
                position=position,
                service=str(call.get("service")),
                operation=str(call.get("operation")),
                members=frozenset(name for name in members if isinstance(name, str)),
                constants=tuple(_constants(mapping, paging)),
                has_region=call.get("region") is not None,
                timeout_s=_number(op.get("timeout")),
            ),
        )


def _calls_of(plan: JsonObject) -> Iterator[tuple[int | None, JsonObject, JsonObject]]:
    for position, op in enumerate(_objects(plan, "execution_plan")):
        for inner, call in _calls_in(op):
            yield position, inner, call
    for handler in _objects(plan, "rollback"):
        for op in _objects(handler, "ops"):
            for inner, call in _calls_in(op):
                yield None, inner, call


def _calls_in(op: JsonObject) -> Iterator[tuple[JsonObject, JsonObject]]:
    match op.get("op"):
        case "AWS_CALL":
            yield op, op
        case "POLL":
            yield op, _object(op, "call")
        case "FOR_EACH":
            for inner in _objects(op, "body"):
                yield from _calls_in(inner)


def _reads(call: JsonObject) -> bool:
    return (
        call.get("access_level") in _LEVELS
        and call.get("mutating") is False
        and call.get("secret_read") is False
    )


def _constants(mapping: JsonObject, paging: JsonObject) -> Iterator[tuple[str, JsonValue]]:
    for name, tree in mapping.items():
        if name == paging.get("size") or not isinstance(tree, dict) or "lit" not in tree:
            continue  # of a page's size the machine asks for less where less is left
        if tree.get("t") in _CONSTANT and tree["lit"] is not None:
            yield name, tree["lit"]


def _object(of: JsonObject, name: str) -> JsonObject:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _objects(of: JsonObject, name: str) -> list[JsonObject]:
    found = of.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _number(value: JsonValue) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
