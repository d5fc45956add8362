"""The parts of a plan document -> nodes. Spec: docs/workflow-plan.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.own_fields import OWN, Hidden, hidden_in
from naftiko.workflow.vm import program as p
from naftiko.workflow.vm.data import Path, path
from naftiko.workflow.vm.reads import Reads, Secrets


def load_program(plan: JsonObject) -> p.Program:
    """Compile a plan document."""
    parameters = tuple(_objects(plan["parameters"]))
    sensitive = frozenset(str(item["name"]) for item in parameters if item.get("sensitive"))
    loader = _Loader(Secrets(sensitive), hidden_in(plan))
    listed = _objects(plan["execution_plan"])
    ops = tuple(loader.node(op, index) for index, op in enumerate(listed))
    positions = _positions(listed)
    handlers = [_handler(loader, item, positions) for item in _objects(plan["rollback"])]
    metadata = _object(plan["metadata"])
    outputs = []
    for name, source in _object(plan["outputs"]).items():
        tree = p.compile_one(_object(source))
        outputs.append((name, tree, loader.secrets.touches(tree.reads)))
    return p.Program(
        plan=plan,
        workflow={
            "name": plan["name"],
            "version": plan["version"],
            "checksum": plan["checksum"],
            "tier": metadata["tier"],
            "risk_score": metadata["risk_score"],
        },
        checksum=str(plan["checksum"]),
        max_duration_s=_number(metadata["max_duration"]),
        parameters=parameters,
        ops=ops,
        handlers=tuple(sorted(handlers, key=lambda handler: -handler.latest)),
        outputs=tuple(outputs),
        sensitive=sensitive,
        positions=positions,
    )


def _positions(listed: list[JsonObject]) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, op in enumerate(listed):
        found[str(op["step_id"])] = index
        if op["op"] == "FOR_EACH":
            for inner in _objects(op["body"]):
                found[str(inner["step_id"])] = index
        if op["op"] == "CONDITION":
            found.setdefault(str(op["dest"]), index)
    return found


def _handler(loader: _Loader, item: JsonObject, positions: Mapping[str, int]) -> p.Handler:
    steps = frozenset(_texts(item["steps"]))
    return p.Handler(
        name=str(item["handler"]),
        steps=steps,
        ops=tuple(loader.node(op, index) for index, op in enumerate(_objects(item["ops"]))),
        latest=max((positions.get(step, -1) for step in steps), default=-1),
    )


class _Loader:
    """Makes nodes, in plan order, so that what is secret is known before it is read."""

    def __init__(self, secrets: Secrets, hidden: Hidden) -> None:
        """Keep what is secret so far, and which outputs hide a field of their step's own."""
        self.secrets = secrets
        self._hidden = hidden
        self._kinds: dict[str, Callable[[JsonObject, int], p.Node]] = {
            "AWS_CALL": self._call_node,
            "POLL": self._poll,
            "FOR_EACH": self._loop,
            "FILTER": self._filter,
            "WAIT": self._wait,
            "ASSERT": self._assert,
            "SET": self._set,
            "CONDITION": self._condition,
        }

    def node(self, op: JsonObject, position: int) -> p.Node:
        """Compile an operation."""
        return self._kinds[str(op["op"])](op, position)

    def _call_node(self, op: JsonObject, position: int) -> p.CallNode:
        call = self._call(op)
        hidden = self._hide(op, call)
        return p.CallNode(common=self._common(op, position, call.reads, hidden), call=call)

    def _poll(self, op: JsonObject, position: int) -> p.PollNode:
        call = self._call(_object(op["call"]))
        until = p.compile_one(_object(op["until"]))
        fail_when = _tree(op["fail_when"])
        reads = p.reads_union([*_trees(call), until, fail_when])
        return p.PollNode(
            common=self._common(op, position, reads, self._hide(op, call)),
            call=call,
            variables=_variables(op["vars"], call.types),
            until=until,
            fail_when=fail_when,
            max_attempts=int(_number(op["max_attempts"])),
            interval_s=_number(op["interval"]),
        )

    def _loop(self, op: JsonObject, position: int) -> p.LoopNode:
        over = p.compile_one(_object(op["over"]))
        self.secrets.item = self.secrets.touches(over.reads)
        body = tuple(self.node(inner, position) for inner in _objects(op["body"]))
        self.secrets.item = False
        if any(node.common.hidden for node in body):
            self.secrets.add(str(op["step_id"]), "results")
        return p.LoopNode(
            common=self._common(op, position, over.reads),
            over=over,
            max_items=int(_number(op["max_items"])),
            max_concurrency=int(_number(op["max_concurrency"])),
            on_item_error=str(op["on_item_error"]),
            body=body,
        )

    def _filter(self, op: JsonObject, position: int) -> p.FilterNode:
        from_, where = p.compile_one(_object(op["from"])), p.compile_one(_object(op["where"]))
        hidden: frozenset[str] = frozenset()
        if self.secrets.touches(from_.reads):
            self.secrets.add(str(op["step_id"]), "items")
            hidden = frozenset({"items"})
        return p.FilterNode(
            common=self._common(op, position, p.reads_union([from_, where]), hidden),
            from_=from_,
            where=where,
            max_items=int(_number(op["max_items"])),
        )

    def _wait(self, op: JsonObject, position: int) -> p.WaitNode:
        return p.WaitNode(
            common=self._common(op, position, Reads()), seconds=_number(op["seconds"])
        )

    def _assert(self, op: JsonObject, position: int) -> p.AssertNode:
        that, message = p.compile_one(_object(op["that"])), p.compile_one(_object(op["message"]))
        return p.AssertNode(
            common=self._common(op, position, that.reads), that=that, message=message
        )

    def _set(self, op: JsonObject, position: int) -> p.SetNode:
        values = tuple(
            (name, p.compile_one(_object(tree))) for name, tree in _object(op["values"]).items()
        )
        hidden = frozenset(name for name, tree in values if self.secrets.touches(tree.reads))
        for name in sorted(hidden):
            self.secrets.add(str(op["step_id"]), name)
        reads = p.reads_union([tree for _, tree in values])
        return p.SetNode(common=self._common(op, position, reads, hidden), values=values)

    def _condition(self, op: JsonObject, position: int) -> p.ConditionNode:
        expr = p.compile_one(_object(op["expr"]))
        common = self._common(op, position, expr.reads)
        return p.ConditionNode(common=common, dest=str(op["dest"]), expr=expr)

    def _common(
        self, op: JsonObject, position: int, reads: Reads, hidden: frozenset[str] = frozenset()
    ) -> p.Common:
        step_id, guard, undoes = str(op["step_id"]), op["guard"], op.get("undoes")
        return p.Common(
            step_id=step_id,
            op=str(op["op"]),
            guard=guard if isinstance(guard, str) else None,
            timeout_s=_number(op["timeout"]),
            on_error=str(op["on_error"]),
            position=position,
            reads=self._needing(reads),
            undoes=undoes if isinstance(undoes, str) else None,
            hidden=hidden,
            own=tuple(name for name in OWN if (step_id, name) not in self._hidden),
        )

    def _needing(self, reads: Reads) -> Reads:
        """Add the steps whose outputs are called as what a step says of itself."""
        more = [step_id for step_id, name in reads.own if (step_id, name) in self._hidden]
        return replace(reads, needs=(*dict.fromkeys((*reads.needs, *more)),)) if more else reads

    def _hide(self, op: JsonObject, call: p.Call) -> frozenset[str]:
        hidden = frozenset(item.name for item in call.selected if item.sensitive)
        for name in sorted(hidden):
            self.secrets.add(str(op["step_id"]), name)
        return hidden

    def _call(self, op: JsonObject) -> p.Call:
        types = {name: str(type_) for name, type_ in _object(op["output_schema"]).items()}
        region = _tree(op["region"])
        inputs = self._inputs(op)
        trees = [*(item.tree for item in inputs), region]
        return p.Call(
            service=str(op["service"]),
            operation=str(op["operation"]),
            inputs=inputs,
            region=region,
            selected=_selected(op, types),
            types=types,
            mutating=bool(op["mutating"]),
            idempotency=self._idempotency(_object(op["idempotency"])),
            retry=_retry(_object(op["retry"])),
            pages=_pages(op["paginate"]),
            dry_run=bool(op["dry_run"]),
            reads=p.reads_union(trees),
        )

    def _inputs(self, op: JsonObject) -> tuple[p.Input, ...]:
        schema = _object(op["input_schema"])
        masked = _texts(_object(op["sensitive"])["input"])
        found = []
        for member, source in _object(op["input_mapping"]).items():
            tree = p.compile_one(_object(source))
            type_ = str(schema.get(member, "opaque"))
            found.append(
                p.Input(
                    member=member,
                    tree=tree,
                    type_=type_.removesuffix("!"),
                    required=type_.endswith("!"),
                    sensitive=member in masked or self.secrets.touches(tree.reads),
                )
            )
        return tuple(found)

    def _idempotency(self, source: JsonObject) -> p.Idempotency:
        observer = source.get("observer")
        return p.Idempotency(
            kind=str(source["kind"]),
            member=str(source.get("member", "")),
            exists_error=str(source.get("exists_error", "")),
            observer=self._observer(observer) if isinstance(observer, dict) else None,
        )

    def _observer(self, source: JsonObject) -> p.Observer:
        call = self._call(_object(source["call"]))
        return p.Observer(call=call, created=p.path_or_none(source.get("created")))


def _trees(call: p.Call) -> list[p.Tree | None]:
    return [*(item.tree for item in call.inputs), call.region]


def _selected(op: JsonObject, types: Mapping[str, str]) -> tuple[p.Selected, ...]:
    fields = _object(op.get("fields") or {})
    masked = _texts(_object(op["sensitive"])["output"])
    found = []
    for name, where in _object(op["select"]).items():
        kept = fields.get(name)
        found.append(
            p.Selected(
                name=name,
                path=path(str(where)),
                type_=types.get(str(where), "opaque"),
                fields=tuple(_texts(kept)) if isinstance(kept, list) else None,
                sensitive=name in masked,
            )
        )
    return tuple(found)


def _variables(source: JsonValue, types: Mapping[str, str]) -> tuple[p.Variable, ...]:
    return tuple(
        p.Variable(name=name, path=path(str(where)), type_=types.get(str(where), "opaque"))
        for name, where in _object(source).items()
    )


def _retry(source: JsonObject) -> p.RetryRule:
    return p.RetryRule(
        max_attempts=int(_number(source["max_attempts"])),
        backoff=str(source["backoff"]),
        initial_delay=_number(source["initial_delay"]),
        max_delay=_number(source["max_delay"]),
        jitter=str(source["jitter"]),
        retry_on=frozenset(_texts(source["retry_on"])),
        ambiguous=bool(source["ambiguous"]),
    )


def _pages(source: JsonValue) -> p.Pages | None:
    if not isinstance(source, dict):
        return None
    size, page_size = source["size"], source["page_size"]
    return p.Pages(
        input=tuple(_texts(source["input"])),
        output=tuple(_paths(item) for item in cast("list[JsonValue]", source["output"])),
        result=_paths(source["result"]),
        more=p.path_or_none(source["more"]),
        size=size if isinstance(size, str) else None,
        max_items=int(_number(source["max_items"])),
        page_size=page_size if isinstance(page_size, int) else None,
    )


def _paths(source: JsonValue) -> tuple[Path, ...]:
    return tuple(path(text) for text in _texts(source))


def _tree(source: JsonValue) -> p.Tree | None:
    return p.compile_one(source) if isinstance(source, dict) else None


def _object(value: JsonValue) -> JsonObject:
    assert isinstance(value, dict)
    return value


def _objects(value: JsonValue) -> list[JsonObject]:
    assert isinstance(value, list)
    return [_object(item) for item in value]


def _texts(value: JsonValue) -> list[str]:
    assert isinstance(value, list)
    return [str(item) for item in value]


def _number(value: JsonValue) -> float:
    assert isinstance(value, int | float)
    return value
