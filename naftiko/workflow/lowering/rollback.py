"""Rollback handlers -> operations that take back what was done. Spec: section 3, rule 5."""

from __future__ import annotations

from naftiko.errors import did_you_mean
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow import ast
from naftiko.workflow.lowering.calls import lower_command, make_call
from naftiko.workflow.lowering.frame import Frame, Lowered
from naftiko.workflow.lowering.given import input_trees, typed_inputs
from naftiko.workflow.lowering.lowering import Context
from naftiko.workflow.lowering.observing import region_beside
from naftiko.workflow.lowering.parameters import constant
from naftiko.workflow.lowering.recipes import lower_recipe
from naftiko.workflow.lowering.scope import select
from naftiko.workflow.resolution.paths import parse_path
from naftiko.workflow.resolution.recipes import Recipe
from naftiko.workflow.resolution.rows import Undo
from naftiko.workflow.resolution.undo import find_undo, why_no_undo

UNDO_RETRY = ast.Retry(max_attempts=3)


def lower_rollback(context: Context, frame: Frame, workflow: ast.Workflow) -> None:
    """Lower the handlers of a workflow whose steps have been lowered in a frame."""
    frame.reachable = frozenset(frame.steps)
    for handler in workflow.rollback:
        covered = _covered(context, frame, handler)
        if covered is None:
            continue
        created = len(context.created)
        operations = _operations(context, frame, handler, covered)
        del context.created[created:]
        if operations is None:
            continue
        ids: list[JsonValue] = [
            str(operation["step_id"])
            for lowered in covered
            for operation in lowered.operations
            if operation["op"] != "CONDITION"
        ]
        ops: list[JsonValue] = list(operations)
        name = f"{frame.prefix}{_name(handler)}"
        context.rollback.append({"handler": name, "steps": ids, "ops": ops})


def _name(handler: ast.Handler) -> str:
    return handler.on_failure.text.replace(".", "_").partition("@")[0]


def _covered(context: Context, frame: Frame, handler: ast.Handler) -> list[Lowered] | None:
    """Return the steps that a handler covers, in plan order."""
    if handler.steps is None:
        return list(frame.steps.values())
    unknown = [scalar for scalar in handler.steps if scalar.text not in frame.steps]
    for scalar in unknown:
        if scalar.text in frame.failed:
            continue
        context.problems.error(
            "WF330",
            f"`rollback` names `{scalar.text}`, which is no step",
            scalar.location,
            did_you_mean(scalar.text, frame.steps),
        )
    wanted = {scalar.text for scalar in handler.steps}
    return None if unknown else [one for id_, one in frame.steps.items() if id_ in wanted]


def _operations(
    context: Context, frame: Frame, handler: ast.Handler, covered: list[Lowered]
) -> list[JsonObject] | None:
    """Return what a handler does: written out, a recipe, a workflow, else the undo rule."""
    step = ast.Step(
        id=_name(handler),
        action=handler.command or ast.Command(),
        location=handler.location,
        intent=handler.on_failure,
        retry=UNDO_RETRY,
    )
    inner = Frame(
        origin=frame.origin,
        prefix=frame.prefix,
        arguments=frame.arguments,
        outer=frame,
        reachable=frozenset(),
        in_rollback=True,
    )
    lowered: Lowered | None = None
    recipe = _recipe(context, handler, covered)
    if handler.command is not None:
        lowered = lower_command(context, inner, step, handler.command, None)
    elif recipe is not None:
        lowered = lower_recipe(context, inner, step, recipe, ast.Command(), None)
    elif _is_workflow(context, handler):
        from naftiko.workflow.lowering.nested import lower_workflow

        action = ast.CallWorkflow(workflow=handler.on_failure)
        lowered = lower_workflow(context, inner, step, action, None)
    else:
        return _undo(context, frame, handler, step, covered)
    if lowered is None:
        return None
    for operation in lowered.operations:
        operation["undoes"] = None
    return lowered.operations


def _recipe(context: Context, handler: ast.Handler, covered: list[Lowered]) -> Recipe | None:
    service, dot, name = handler.on_failure.text.partition(".")
    if dot:
        return context.data.resolution.service(service).recipes.get(name)
    services = sorted({str(one.call["service"]) for one in covered if one.call is not None})
    for one in services:
        found = context.data.resolution.service(one).recipes.get(handler.on_failure.text)
        if found is not None:
            return found
    return None


def _is_workflow(context: Context, handler: ast.Handler) -> bool:
    name, _, version = handler.on_failure.text.partition("@")
    return context.data.library.source(name, version or None) is not None


def _undo(
    context: Context,
    frame: Frame,
    handler: ast.Handler,
    step: ast.Step,
    covered: list[Lowered],
) -> list[JsonObject] | None:
    operations: list[JsonObject] = []
    reasons: list[str] = []
    calls = [operation for lowered in covered for operation in lowered.operations]
    for call in reversed(calls):
        if call["op"] == "FOR_EACH":
            reasons.append(
                "what is made inside `for_each` has to be taken back by a written handler"
            )
        if call["op"] != "AWS_CALL" or not call["mutating"]:
            continue
        made = _undo_call(context, frame, step, call)
        if isinstance(made, str):
            reasons.append(made)
        else:
            operations += made
    if not operations and handler.steps is None and frame.failed:
        return None  # they have been reported
    if not operations:
        why = (
            f"nothing is known that takes back what its steps do: {reasons[0]}"
            if reasons
            else "its steps change nothing that could be taken back"
        )
        context.problems.error(
            "WF307",
            f"`{handler.on_failure.text}` is no recipe and no workflow, and {why}",
            handler.on_failure.location,
            "write out what it does: a `context` with `service` and `action`"
            if reasons
            else "leave the handler out, or write a `context` with `service` and `action`",
        )
        return None
    shown = ", ".join(f"`{one['operation']}`" for one in operations if one["op"] == "AWS_CALL")
    context.problems.info(
        "WF314",
        f"`{handler.on_failure.text}` is defined nowhere: it takes back what its steps made with "
        f"{shown}",
        handler.on_failure.location,
    )
    return operations


def _undo_call(
    context: Context, frame: Frame, step: ast.Step, call: JsonObject
) -> list[JsonObject] | str:
    """Return the operations that take back one call, or why there are none."""
    from naftiko.workflow.lowering.steps import operation

    service, name, call_id = str(call["service"]), str(call["operation"]), str(call["step_id"])
    given = input_trees(call)
    undo = find_undo(context.data.resolution, service, name, given)
    if undo is None:
        return why_no_undo(context.data.resolution, service, name, given)
    inputs = typed_inputs(context, call, call_id, undo.input, context.place(call_id))
    if inputs is None:
        return f"`{undo.operation}` needs more than `{name}` was given"
    region = region_beside(call)
    made = make_call(context, undo.service, undo.operation, inputs, retry=UNDO_RETRY, region=region)
    id_ = f"{frame.prefix}{step.id}__{call_id.removeprefix(frame.prefix)}"
    context.places[(id_, "")] = step.location
    condition = _when(context, frame, step, call, id_, undo)
    guard = id_ if condition else None
    return [
        *condition,
        operation(frame, step, "AWS_CALL", id_, guard, undoes=call_id, **made),
    ]


def _when(
    context: Context, frame: Frame, step: ast.Step, call: JsonObject, id_: str, undo: Undo
) -> list[JsonObject]:
    """Return the condition under which undoing is right: what the call's answer has to say."""
    from naftiko.workflow.lowering.steps import operation

    if undo.when is None:
        return []
    path = parse_path(undo.when[0])
    assert path is not None  # checked when the data was read
    typed = select(call, str(call["step_id"]), path, step.location, context.problems)
    assert typed is not None  # the same
    tree: JsonObject = {"op": "==", "a": typed.tree, "b": constant(undo.when[1]).tree}
    made = operation(frame, step, "CONDITION", f"{id_}__if", dest=id_, expr=tree)
    return [{**made, "guard": None, "undoes": str(call["step_id"])}]
