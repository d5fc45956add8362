"""What a plan's parts have to do with each other: ids, order, references, guards, sums.

The form of the plan has been checked by then (`schema`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.own_fields import OWN, names_of
from naftiko.workflow.plan import walk
from naftiko.workflow.plan.trees import Wrong, references
from naftiko.workflow.security.calls import Origins, calls_of, rollback_calls

MAX_OPERATIONS = 500


def check_flow(plan: JsonObject) -> None:
    """Check that all a plan refers to is there, and stands before it.

    Raises: Wrong.
    """
    _check_name(plan)
    _check_order(plan)
    _check_signatures(plan)
    steps = walk.objects(plan["execution_plan"])
    _check_count(steps, "execution_plan")
    _check_count(walk.handler_operations(plan), "rollback")
    _check_ids(plan)
    names = [str(item["name"]) for item in walk.objects(plan["parameters"])]
    if len(set(names)) != len(names):
        raise Wrong("a name stands twice").inside("parameters")
    sight = _Sight(parameters=frozenset(names))
    _list(steps, sight, "execution_plan")
    _check_rollback(plan, sight)
    _check_regions(plan)
    for name, tree in walk.mapping(plan["outputs"]).items():
        with _At("outputs", name):
            sight.check(tree)
    _check_sums(plan)


class _At:
    """Adds a place to what is found wrong inside."""

    def __init__(self, *parts: str | int) -> None:
        self._parts = parts

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, Wrong):
            for part in reversed(self._parts):
                error.inside(part)


def _check_name(plan: JsonObject) -> None:
    expected = f"{plan['name']}_v{str(plan['version']).replace('.', '_')}"
    if plan["workflow_id"] != expected:
        raise Wrong(f"expected `{expected}`").inside("workflow_id")


def _check_order(plan: JsonObject) -> None:
    nested = [(str(item["name"]), str(item["version"])) for item in walk.objects(plan["nested"])]
    _ascending(nested, "nested")
    metadata = walk.mapping(plan["metadata"])
    for name in ("services", "required_permissions", "advisory_permissions"):
        with _At("metadata"):
            _ascending([(text,) for text in walk.texts(metadata[name])], name)


def _check_signatures(plan: JsonObject) -> None:
    signatures = walk.objects(plan["signatures"])
    _ascending([(str(one["key_id"]), str(one["role"])) for one in signatures], "signatures")


def _ascending(keys: Sequence[tuple[str, ...]], where: str) -> None:
    if list(keys) != sorted(set(keys)):
        raise Wrong("not sorted, or one stands twice").inside(where)


def _check_count(operations: Sequence[JsonObject], where: str) -> None:
    count = sum(1 for _ in walk.operations(operations))
    if count > MAX_OPERATIONS:
        raise Wrong(f"{count} operations, {MAX_OPERATIONS} are allowed").inside(where)


def _check_ids(plan: JsonObject) -> None:
    seen: set[str] = set()
    for operation in walk.all_operations(plan):
        id_ = str(operation["step_id"])
        if id_ in seen:
            raise Wrong(f"the step_id `{id_}` stands twice")
        seen.add(id_)


@dataclass(slots=True, kw_only=True)
class _Sight:
    """What may be referred to at a place of the plan."""

    parameters: frozenset[str]
    outputs: dict[str, frozenset[str]] = field(default_factory=dict)
    """The outputs of the steps before it."""

    registers: set[str] = field(default_factory=set)
    item: bool = False

    def inner(self, *, item: bool) -> _Sight:
        """Return a copy, which a body or a handler may add to."""
        return _Sight(
            parameters=self.parameters,
            outputs=dict(self.outputs),
            registers=set(self.registers),
            item=self.item or item,
        )

    def check(
        self, tree: JsonValue, *, item: bool = False, variables: Collection[str | int] = ()
    ) -> None:
        """Check that every reference of a tree leads somewhere."""
        for path in references(tree):
            self._check(path, item=item or self.item, variables=variables)

    def _check(
        self, path: list[str | int], *, item: bool, variables: Collection[str | int]
    ) -> None:
        root, rest = path[0], path[1:]
        if root == "item":
            if not item:
                raise Wrong("`item` has no value here")
        elif root == "params":
            if not rest or rest[0] not in self.parameters:
                raise Wrong(f"no parameter `{_dotted(path)}`")
        elif root == "vars":
            if not rest or rest[0] not in variables:
                raise Wrong(f"no variable `{_dotted(path)}` here")
        else:
            self._check_step(path)

    def _check_step(self, path: list[str | int]) -> None:
        outputs = self.outputs.get(str(path[1])) if len(path) > 2 else None
        if outputs is None:
            raise Wrong(f"`{_dotted(path)}` is no output of a step before this one")
        if path[2] not in outputs and path[2] not in OWN:
            raise Wrong(f"`{path[1]}` has no output `{path[2]}`")


def _dotted(path: list[str | int]) -> str:
    return ".".join(str(part) for part in path)[:200]


def _list(operations: Sequence[JsonObject], sight: _Sight, *where: str | int) -> None:
    """Check a list of operations in their order; `sight` grows by what they give."""
    for index, operation in enumerate(operations):
        following = operations[index + 1]["step_id"] if index + 1 < len(operations) else None
        with _At(*where, index):
            if operation["next_step"] != following:
                raise Wrong(
                    f"expected `{following}`, the operation after this one"
                    if following is not None
                    else "expected null, for this is the last operation"
                ).inside("next_step")
            _operation(operation, sight)
        sight.outputs[str(operation["step_id"])] = frozenset(names_of(operation))


def _operation(operation: JsonObject, sight: _Sight) -> None:
    guard = operation["guard"]
    if guard is not None and guard not in sight.registers:
        raise Wrong(f"no CONDITION before this writes `{guard}`").inside("guard")
    for where, call in walk.calls(operation):
        with _At(*([where] if where else ())):
            _call(call, is_reading=bool(where))
    kind = operation["op"]
    _trees(operation, sight)
    if kind == "POLL":
        paths = walk.mapping(operation["vars"])
        _known_paths(paths, walk.mapping(operation["call"]), "vars")
    elif kind == "CONDITION":
        register = str(operation["dest"])
        if register in sight.registers:
            raise Wrong(f"`{register}` has been written before").inside("dest")
        sight.registers.add(register)
    elif kind == "FOR_EACH":
        _list(walk.objects(operation["body"]), sight.inner(item=True), "body")


def _trees(operation: JsonObject, sight: _Sight) -> None:
    variables: tuple[str | int, ...] = tuple(walk.mapping(operation.get("vars")))
    for where, tree in walk.trees(operation):
        with _At(where):
            if where in {"until", "fail_when"}:
                sight.check(tree, variables=variables)
            else:
                sight.check(tree, item=where == "where")


def _call(call: JsonObject, *, is_reading: bool) -> None:
    idempotency = walk.mapping(call["idempotency"])
    if call["mutating"] and is_reading:
        raise Wrong("a call that observes must not change anything").inside("mutating")
    if call["mutating"] and idempotency["kind"] == "read":
        raise Wrong("a call that changes something is no `read`").inside("idempotency")
    if not call["mutating"] and idempotency["kind"] != "read":
        raise Wrong("a call that changes nothing is a `read`").inside("idempotency")
    given, schema = walk.mapping(call["input_mapping"]), walk.mapping(call["input_schema"])
    for member in given:
        if member not in schema:
            raise Wrong(f"`{member}` has no type").inside("input_schema")
    for member, kind in schema.items():
        is_filled = member in given or member == idempotency.get("member")
        if str(kind).endswith("!") and not is_filled:
            raise Wrong(f"`{member}` is required, and not set").inside("input_mapping")
    selected = walk.mapping(call["select"])
    _known_paths(selected, call, "select")
    sensitive = walk.mapping(call["sensitive"])
    for name in (*walk.mapping(call["fields"]), *walk.texts(sensitive["output"])):
        if name not in selected:
            raise Wrong(f"`{name}` is not selected")


def _known_paths(paths: JsonObject, call: JsonObject, where: str) -> None:
    schema = walk.mapping(call["output_schema"])
    for name, path in paths.items():
        if path not in schema:
            raise Wrong(f"`{path}` has no type in output_schema").inside(name).inside(where)


def _check_rollback(plan: JsonObject, sight: _Sight) -> None:
    """Check handlers: each sees all steps, and of rollback only its own operations."""
    known = {
        str(operation["step_id"])
        for operation in walk.operations(walk.objects(plan["execution_plan"]))
    }
    for index, handler in enumerate(walk.objects(plan["rollback"])):
        with _At("rollback", index):
            for step in walk.texts(handler["steps"]):
                if step not in known:
                    raise Wrong(f"no step `{step}`").inside("steps")
            operations = walk.objects(handler["ops"])
            for operation in walk.operations(operations):
                undone = operation.get("undoes")
                if undone is not None and undone not in known:
                    raise Wrong(f"no step `{undone}`").inside("undoes").inside("ops")
            _list(operations, sight.inner(item=False), "ops")


def _check_regions(plan: JsonObject) -> None:
    """Check that no data of a response says where a call goes (I3)."""
    steps, handlers = walk.objects(plan["execution_plan"]), walk.objects(plan["rollback"])
    origins = Origins.of(steps)
    calls = (*calls_of(steps, observers=True), *rollback_calls(handlers, observers=True))
    for call in calls:
        region = call.call["region"]
        if region is not None and origins.decides(call, region):
            raise Wrong(f"the region of `{call.step_id}` comes from a response")


def _check_sums(plan: JsonObject) -> None:
    """Check what metadata says of the operations: a permission left out would not be asked for."""
    metadata = walk.mapping(plan["metadata"])
    required = frozenset(walk.texts(metadata["required_permissions"]))
    services = frozenset(walk.texts(metadata["services"]))
    for operation in walk.all_operations(plan):
        for _, call in walk.calls(operation):
            missing = [one for one in walk.texts(call["permissions"]) if one not in required]
            if missing:
                message = f"`{missing[0]}` of `{operation['step_id']}` is missing"
                raise Wrong(message).inside("required_permissions").inside("metadata")
            if call["service"] not in services:
                message = f"`{call['service']}` is missing"
                raise Wrong(message).inside("services").inside("metadata")
    main = walk.operations(walk.objects(plan["execution_plan"]))
    mutates = any(call["mutating"] for operation in main for _, call in walk.calls(operation))
    if metadata["read_only"] is mutates:
        found = "something" if mutates else "nothing"
        raise Wrong(f"the plan changes {found}").inside("read_only").inside("metadata")
    if metadata["cache"] and mutates:
        raise Wrong("only a plan that changes nothing is cached").inside("cache").inside("metadata")
