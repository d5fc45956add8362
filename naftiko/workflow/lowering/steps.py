"""Each kind of step -> its operations. Spec: section 1, "Step"; docs/workflow-plan.md."""

from __future__ import annotations

from naftiko.document.nodes import Node, Scalar
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow import ast
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.lowering import polls
from naftiko.workflow.lowering.calls import lower_command
from naftiko.workflow.lowering.frame import Frame, Lowered
from naftiko.workflow.lowering.lowering import Context, lower_steps
from naftiko.workflow.lowering.nested import lower_workflow
from naftiko.workflow.types import INTEGER, OPAQUE, STRING, Type, list_of, record


def lower_step(context: Context, frame: Frame, step: ast.Step) -> Lowered | None:
    """Lower one step. None where it has problems, which have been reported.

    A condition becomes an operation of its own, whose register guards what the step becomes.
    """
    id_ = frame.plan_id(step.id)
    context.places[(id_, "")] = step.location
    guard = frame.guard
    conditions: list[JsonObject] = []
    if step.condition is not None:
        tree = context.condition(frame, step.condition)
        context.places[(f"{id_}__if", "")] = step.condition.location
        if tree is not None:
            conditions.append(
                operation(frame, step, "CONDITION", f"{id_}__if", dest=id_, expr=tree)
            )
        guard = id_
    lowered = _lower(context, frame, step, guard)
    if lowered is None:
        return None
    lowered.operations[:0] = conditions
    lowered.status_of = lowered.status_of or id_
    lowered.may_be_skipped = lowered.may_be_skipped or step.condition is not None
    lowered.parents = frame.reachable
    lowered.goes_on = step.on_error == "continue"
    if lowered.is_public:
        context.public.add(id_)
    return lowered


def _lower(context: Context, frame: Frame, step: ast.Step, guard: str | None) -> Lowered | None:
    action = step.action
    if isinstance(action, ast.Command):
        return lower_command(context, frame, step, action, guard)
    if isinstance(action, ast.Poll):
        return polls.lower_poll(context, frame, step, action, guard)
    if isinstance(action, ast.CallWorkflow):
        return lower_workflow(context, frame, step, action, guard)
    if isinstance(action, ast.ForEach):
        return _for_each(context, frame, step, action, guard)
    if isinstance(action, ast.Filter):
        return _filter(context, frame, step, action, guard)
    if isinstance(action, ast.SetValues):
        return _set(context, frame, step, action, guard)
    if isinstance(action, ast.Assert):
        return _assert(context, frame, step, action, guard)
    made = operation(frame, step, "WAIT", frame.plan_id(step.id), guard, seconds=action.seconds)
    return Lowered(id=step.id, location=step.location, operations=[made])


def operation(
    frame: Frame,
    step: ast.Step,
    kind: str,
    id_: str,
    guard: str | None = None,
    **members: JsonValue,
) -> JsonObject:
    """Return an operation with what all have; a CONDITION has its frame's guard."""
    return {
        "step_id": id_,
        "op": kind,
        "guard": frame.guard if kind == "CONDITION" else guard,
        "timeout": step.timeout,
        "on_error": step.on_error,
        "next_step": None,
        "at": [frame.origin, step.location.line],
        **members,
    }


def _list(context: Context, frame: Frame, scalar: Scalar, what: str) -> Typed | None:
    """Return the tree of a list."""
    typed = context.value(frame, scalar if _is_template(scalar) else _as_template(scalar))
    if typed is None:
        return None
    if typed.type.kind not in {"list", "opaque"}:
        context.problems.error(
            "WF322",
            f"`{what}` must be a list, found `{scalar.text}`, a {typed.type.kind}",
            scalar.location,
        )
        return None
    return typed


def _is_template(node: Node) -> bool:
    return isinstance(node, Scalar) and "${" in node.text


def _as_template(scalar: Scalar) -> Scalar:
    """Return a bare expression as a template: `steps.list.items` -> `${steps.list.items}`."""
    place = scalar.location
    start = max(1, place.column - 2 + (1 if scalar.quoted else 0))
    location = Location(place.path, place.line, start, place.end_column)
    text = f"${{{scalar.text}}}"
    return Scalar(value=text, text=text, location=location)


def _filter(
    context: Context, frame: Frame, step: ast.Step, action: ast.Filter, guard: str | None
) -> Lowered | None:
    source = _list(context, frame, action.from_, "from")
    if source is None:
        return None
    element = source.type.element()
    inner = Frame(
        origin=frame.origin,
        item=element,
        outer=frame,
        reachable=frame.reachable,
    )
    where = context.condition(inner, action.where)
    if where is None:
        return None
    id_ = frame.plan_id(step.id)
    made = operation(frame, step, "FILTER", id_, guard, where=where, max_items=action.max_items)
    made["from"] = source.tree
    return Lowered(
        id=step.id,
        location=step.location,
        operations=[made],
        outputs={
            "items": output(id_, "items", list_of(element)),
            "count": output(id_, "count", INTEGER),
        },
    )


def _for_each(
    context: Context, frame: Frame, step: ast.Step, action: ast.ForEach, guard: str | None
) -> Lowered | None:
    source = _list(context, frame, action.over, "over")
    if source is None:
        return None
    id_ = frame.plan_id(step.id)
    inner = Frame(
        origin=frame.origin,
        prefix=f"{id_}__",
        item=source.type.element(),
        outer=frame,
        reachable=frozenset(),
        in_loop=True,
        is_recipe=frame.is_recipe,
    )
    body = lower_steps(context, inner, action.do, parents=frozenset())
    made = operation(
        frame,
        step,
        "FOR_EACH",
        id_,
        guard,
        over=source.tree,
        max_items=action.max_items,
        max_concurrency=action.max_concurrency,
        on_item_error=action.on_item_error,
        body=list(body),
    )
    results = list_of(
        record(
            {"index": INTEGER, "status": STRING, "outputs": Type(kind="map", value=lambda: OPAQUE)}
        )
    )
    outputs = {name: output(id_, name, INTEGER) for name in ("count", "succeeded", "failed")}
    outputs["results"] = output(id_, "results", results)
    return Lowered(id=step.id, location=step.location, operations=[made], outputs=outputs)


def _set(
    context: Context, frame: Frame, step: ast.Step, action: ast.SetValues, guard: str | None
) -> Lowered | None:
    id_ = frame.plan_id(step.id)
    trees: JsonObject = {}
    outputs: dict[str, Typed] = {}
    for name, node in action.values:
        typed = context.value(frame, node)
        if typed is not None:
            trees[name.text] = typed.tree
            outputs[name.text] = output(id_, name.text, typed.type)
    made = operation(frame, step, "SET", id_, guard, values=trees)
    return Lowered(
        id=step.id, location=step.location, operations=[made], outputs=outputs, is_public=True
    )


def _assert(
    context: Context, frame: Frame, step: ast.Step, action: ast.Assert, guard: str | None
) -> Lowered | None:
    that = context.condition(frame, action.condition)
    message = context.value(frame, action.message, STRING)
    if that is None or message is None:
        return None
    made = operation(
        frame, step, "ASSERT", frame.plan_id(step.id), guard, that=that, message=message.tree
    )
    return Lowered(id=step.id, location=step.location, operations=[made])


def output(id_: str, name: str, type_: Type) -> Typed:
    """Return the tree that reads an output of an operation."""
    return Typed(tree={"ref": ["steps", id_, name], "t": type_.kind}, type=type_)
