"""`plan` and `dry_run`: what an execution would do, changing nothing. Spec: section 6.8.

*plan* makes no call at all. *dry_run* reads live and lets AWS check what it would change, where
the operation can. What is not known by that is shown as `<step.field>`.
"""

from __future__ import annotations

from dataclasses import replace

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.values import TypeMismatch
from naftiko.workflow.ports import AwsFailure
from naftiko.workflow.vm import calls, operations
from naftiko.workflow.vm.calls import Tally, Where, render
from naftiko.workflow.vm.confirm import MASK
from naftiko.workflow.vm.data import prune
from naftiko.workflow.vm.environment import Ending
from naftiko.workflow.vm.failures import Halt, StepFailure
from naftiko.workflow.vm.loops import is_shown
from naftiko.workflow.vm.program import (
    AssertNode,
    Call,
    CallNode,
    ConditionNode,
    FilterNode,
    Input,
    LoopNode,
    Node,
    PollNode,
    SetNode,
    Tree,
    WaitNode,
)
from naftiko.workflow.vm.reads import refs
from naftiko.workflow.vm.records import Done
from naftiko.workflow.vm.results import ending, outputs_of, step_of
from naftiko.workflow.vm.run import Run
from naftiko.workflow.vm.scope import Frame

MAX_SHOWN_ITEMS = 50
"""More items of a loop are not shown one by one."""

_ITEM = "item"
"""Stands among the unknown steps where the element of a loop is not known."""


async def preview(run: Run) -> Ending:
    """Walk the plan and show it."""
    walk = _Walk(run)
    steps: list[JsonValue] = []
    for node in run.program.ops:
        common = node.common
        where = Where(
            frame=run.frame, key=common.step_id, step_id=common.step_id, deadline=run.deadline
        )
        halt = run.stopping()
        if halt is not None:
            return _halted(run, steps, common.step_id, halt)
        try:
            done, rendered = await walk.step(node, where)
        except Halt as stop:
            return _halted(run, steps, common.step_id, stop)
        run.finished += 1
        run.event(common.step_id, common.op, _phase(done.status), done.attempts)
        steps.append({**step_of(node, done), **rendered})
        if done.status == "failed" and common.on_error == "fail":
            return _with_plan(run, ending(run, "failed", steps=steps, error=done.error))
    try:
        outputs = _known_outputs(run)
    except StepFailure as failure:
        error = failure.to_json(None)
        return _with_plan(run, ending(run, "failed", steps=steps, error=error))
    return _with_plan(run, ending(run, "succeeded", steps=steps, outputs=outputs))


def _phase(status: str) -> str:
    return "skipped" if status == "planned" else status


def _halted(run: Run, steps: list[JsonValue], step_id: str, halt: Halt) -> Ending:
    status = {"cancelled": "cancelled", "timed_out": "timed_out"}.get(halt.reason, "failed")
    type_ = {"cancelled": "Cancelled", "timed_out": "StepTimeout"}.get(
        halt.reason, "IntegrityError"
    )
    message = "the preview was stopped before its end"
    error: JsonObject = {"type": type_, "step_id": step_id, "message": message}
    return ending(run, status, steps=steps, error=error)


def _with_plan(run: Run, shown: Ending) -> Ending:
    metadata = run.program.plan["metadata"]
    assert isinstance(metadata, dict)
    plan: JsonObject = {
        name: metadata.get(name)
        for name in ("required_permissions", "advisory_permissions", "risk_score", "risk")
    }
    return Ending(status=shown.status, result={**shown.result, "plan": plan})


def _known_outputs(run: Run) -> JsonObject:
    if not run.frame.unknown:
        return outputs_of(run)
    outputs: JsonObject = {}
    for name, tree, is_secret in run.program.outputs:
        where = Where(frame=run.frame, key="outputs", step_id="outputs", deadline=run.deadline)
        outputs[name] = MASK if is_secret else shown_value(tree, where)
    return outputs


class _Walk:
    """Goes through a plan; once something would have been changed, polls are not tried."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._changed = False

    async def step(self, node: Node, where: Where) -> tuple[Done, JsonObject]:
        """Show one operation, or do it if it changes nothing and all it needs is known."""
        run, common = self._run, node.common
        skipped = self._skipped(node, where)
        if skipped is not None:
            where.frame.settle(common, skipped)
            if isinstance(node, ConditionNode):
                where.frame.registers[node.dest] = False
            return skipped, {}
        within = where.deadline.within(common.timeout_s, run.clock.monotonic())
        own = replace(where, deadline=within)
        tally = Tally()
        rendered: JsonObject = {}
        try:
            outputs, rendered = await self._do(node, own, tally)
            status = "succeeded" if outputs is not None else "planned"
            done = Done(
                status=status,
                outputs=outputs or {},
                attempts=tally.attempts,
                ids=tuple(tally.ids),
            )
        except StepFailure as failure:
            done = Done(
                status="failed",
                attempts=tally.attempts,
                ids=tuple(tally.ids),
                error=run.error_of(failure, common.step_id),
            )
        self._settle(node, where.frame, done)
        return done, rendered

    def _skipped(self, node: Node, where: Where) -> Done | None:
        frame, guard = where.frame, node.common.guard
        if guard is not None and not frame.registers.get(guard, False):
            return Done(status="skipped", reason="its condition is false")
        lacking = frame.lacks(node.common)
        if lacking is not None:
            return Done(status="skipped", reason=f"`{lacking}` has no outputs")
        return None

    def _settle(self, node: Node, frame: Frame, done: Done) -> None:
        frame.settle(node.common, done)
        if done.status == "planned":
            frame.unknown.add(node.common.step_id)
        if isinstance(node, ConditionNode):
            # What is not known may be true: what depends on it is shown.
            value = done.outputs.get("value", True) if done.status != "failed" else False
            frame.registers[node.dest] = value is True

    async def _do(
        self, node: Node, where: Where, tally: Tally
    ) -> tuple[JsonObject | None, JsonObject]:
        run = self._run
        match node:
            case CallNode():
                return await self._call(node, where, tally)
            case PollNode():
                return await self._poll(node, where, tally)
            case LoopNode():
                return await self._loop(node, where)
            case WaitNode():
                return None, {"rendered": {"seconds": node.seconds}}
            case _ if self._is_unknown(where.frame, _trees_of(node)):
                return None, {}
            case FilterNode():
                return await operations.filter_(run, node, where, tally), {}
            case AssertNode():
                return await operations.check(run, node, where, tally), {}
            case SetNode():
                return await operations.set_(run, node, where, tally), {}
            case ConditionNode():
                return await operations.condition(run, node, where, tally), {}

    def _is_unknown(self, frame: Frame, trees: list[Tree]) -> bool:
        return any(is_unknown(tree, frame) for tree in trees)

    async def _call(
        self, node: CallNode, where: Where, tally: Tally
    ) -> tuple[JsonObject | None, JsonObject]:
        run, call = self._run, node.call
        members = shown_members(call, where)
        rendered: JsonObject = {"rendered": _rendered(call, members)}
        is_known = not self._is_unknown(where.frame, [item.tree for item in call.inputs])
        if is_known:
            render(call, where)
        if run.mode == "plan" or not is_known:
            self._changed = self._changed or call.mutating
            return None, rendered
        if not call.mutating:
            return await self._read(node, where, tally), rendered
        self._changed = True
        if call.dry_run:
            await self._dry(node, where, tally)
        return None, rendered

    async def _read(self, node: CallNode, where: Where, tally: Tally) -> JsonObject | None:
        run = self._run
        try:
            answer = await calls.read(run, node.call, where, tally)
        except StepFailure as failure:
            if not self._changed or failure.type_ != "AwsError":
                raise
            run.warn(where.step_id, "could not be read, for what comes before was not done")
            return None
        return calls.selected(run, node.call, answer)

    async def _dry(self, node: CallNode, where: Where, tally: Tally) -> None:
        """Let AWS check a change: it answers with an error that says that it would have done it.

        Raises: StepFailure.
        """
        run, call = self._run, node.call
        members = {**render(call, where), "DryRun": True}
        region = calls.region_of(call, where)
        try:
            await calls.send_once(run, call, members, region, where, tally)
        except AwsFailure as failure:
            tally.note(failure.request_id)
            if failure.code != "DryRunOperation":
                raise calls.failed(call, failure) from None

    async def _poll(
        self, node: PollNode, where: Where, tally: Tally
    ) -> tuple[JsonObject | None, JsonObject]:
        run, call = self._run, node.call
        rendered: JsonObject = {"rendered": _rendered(call, shown_members(call, where))}
        trees = [item.tree for item in call.inputs] + _trees_of(node)
        is_unknown_ = self._is_unknown(where.frame, trees)
        if run.mode == "plan" or self._changed or is_unknown_:
            return None, rendered
        return await operations.poll(run, node, where, tally), rendered

    async def _loop(self, node: LoopNode, where: Where) -> tuple[JsonObject | None, JsonObject]:
        if is_unknown(node.over, where.frame):
            frame = where.frame.for_item(None, 0)
            frame.unknown.add(_ITEM)
            shown, _ = await self._item(node, where, frame)
            return None, {"rendered": {"over": shown_value(node.over, where), "body": shown}}
        items = operations.elements(node.over, where)
        if len(items) > node.max_items:
            message = f"the list has {len(items)} elements, more than the {node.max_items} allowed"
            raise StepFailure("FanOutExceeded", message)
        listed: list[JsonValue] = []
        for index, item in enumerate(items[:MAX_SHOWN_ITEMS]):
            shown, error = await self._item(node, where, where.frame.for_item(item, index))
            listed.append({"index": index, "body": shown})
            if error is not None and node.on_item_error == "fail":
                raise StepFailure(str(error["type"]), f"item {index} failed: {error['message']}")
        if len(items) > MAX_SHOWN_ITEMS:
            run, cut = self._run, len(items) - MAX_SHOWN_ITEMS
            run.warn(where.step_id, f"{cut} more items are not shown")
        return None, {"rendered": {"count": len(items), "items": listed}}

    async def _item(
        self, node: LoopNode, where: Where, frame: Frame
    ) -> tuple[list[JsonValue], JsonObject | None]:
        body: list[JsonValue] = []
        for inner in node.body:
            step_id = inner.common.step_id
            key = f"{where.key}[{frame.index}].{step_id}"
            at = Where(frame=frame, key=key, step_id=step_id, deadline=where.deadline)
            done, rendered = await self.step(inner, at)
            body.append({**step_of(inner, done), **rendered})
            if done.status == "failed" and inner.common.on_error == "fail":
                return body, done.error
        return body, None


def _trees_of(node: Node) -> list[Tree]:
    match node:
        case FilterNode():
            return [node.from_, node.where]
        case AssertNode():
            return [node.that]
        case SetNode():
            return [tree for _, tree in node.values]
        case ConditionNode():
            return [node.expr]
        case PollNode():
            return [node.until, *([node.fail_when] if node.fail_when is not None else [])]
    return []


def is_unknown(tree: Tree, frame: Frame) -> bool:
    """Return whether a tree reads what was not done."""
    if not frame.unknown:
        return False
    if tree.reads.item and _ITEM in frame.unknown:
        return True
    return any(step_id in frame.unknown for step_id in tree.reads.steps)


def shown_members(call: Call, where: Where) -> JsonObject:
    """Return the input of a call as far as it is known; the rest as `<step.field>`."""
    shown: JsonObject = {}
    for item in call.inputs:
        value = _shown_member(item, where)
        if value is not None:
            shown[item.member] = value
    return shown


def _shown_member(item: Input, where: Where) -> JsonValue:
    value = prune(shown_value(item.tree, where))
    return MASK if item.sensitive and value is not None else value


def shown_value(tree: Tree, where: Where) -> JsonValue:
    """Return the value of a tree, or its text with `<step.field>` for what is not known.

    Raises: StepFailure[TypeMismatch].
    """
    if not is_unknown(tree, where.frame):
        return calls.evaluate(tree, where)
    return _shown_tree(tree.source, where)


def _shown_tree(source: JsonValue, where: Where) -> JsonValue:
    from naftiko.workflow.vm.program import compile_one

    assert isinstance(source, dict)
    tree = compile_one(source)
    if not is_unknown(tree, where.frame):
        return calls.evaluate(tree, where)
    listed, members = source.get("list"), source.get("obj")
    if isinstance(listed, list):
        return [_shown_tree(inner, where) for inner in listed]
    if isinstance(members, dict):
        return {name: _shown_tree(inner, where) for name, inner in members.items()}
    parts = source.get("cat")
    if isinstance(parts, list):
        return "".join(_shown_part(inner, where) for inner in parts)
    return _placeholder(source, where.frame)


def _shown_part(source: JsonValue, where: Where) -> str:
    value = _shown_tree(source, where)
    try:
        wrapped: JsonObject = {"cat": [{"lit": value, "t": "opaque"}]}
        from naftiko.workflow.vm.program import compile_one

        return str(calls.evaluate(compile_one(wrapped), where))
    except (StepFailure, TypeMismatch):
        return "…"


def _placeholder(source: JsonObject, frame: Frame) -> str:
    """Name what is not known: {"ref": ["steps", "create", "output.Id"]} -> "<create.Id>"."""
    for ref in refs(source):
        where = ref["ref"]
        assert isinstance(where, list)
        root, *rest = (str(part) for part in where)
        if root == "item":
            return f"<{'.'.join(['item', *rest])}>"
        if root == "steps" and rest[0] in frame.unknown:
            step_id, *field = rest
            if field and not is_shown(field[0]):
                field[0] = field[0].removeprefix("output.")
            return f"<{'.'.join([step_id, *field])}>"
    return "<unknown>"


def _rendered(call: Call, members: JsonObject) -> JsonObject:
    return {"service": call.service, "operation": call.operation, "input": members}
