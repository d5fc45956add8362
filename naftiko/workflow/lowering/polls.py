"""Polls: a reading call until a condition holds. Spec: section 1 "poll", section 3, rule 4."""

from __future__ import annotations

from naftiko.document.nodes import Scalar
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow import ast
from naftiko.workflow.lowering.calls import build_call, tell
from naftiko.workflow.lowering.frame import Frame, Lowered
from naftiko.workflow.lowering.given import input_trees
from naftiko.workflow.lowering.lowering import Context
from naftiko.workflow.lowering.observing import observing_call, select_variables
from naftiko.workflow.lowering.scope import select
from naftiko.workflow.resolution.observers import require_observer
from naftiko.workflow.resolution.operations import find_operation
from naftiko.workflow.resolution.paths import find_shape, parse_path, path_type
from naftiko.workflow.resolution.rows import Observer
from naftiko.workflow.types import INTEGER, Type, of_shape

POLL_MARGIN_S = 60


def lower_poll(
    context: Context, frame: Frame, step: ast.Step, poll: ast.Poll, guard: str | None
) -> Lowered | None:
    """Lower a poll, with its own call or the observer of the nearest mutating call before it."""
    if poll.command is None or poll.command.service is None or poll.command.action is None:
        return _observing(context, frame, step, poll, guard)
    found = find_operation(
        context.data.resolution, poll.command.service, poll.command.action, context.problems
    )
    if found is None:
        return None
    if found.recipe is not None:
        context.problems.error(
            "WF301",
            "a poll calls one reading operation, not a recipe",
            poll.command.action.location,
            "name an operation that describes, gets or lists what is waited for",
        )
        return None
    tell(context, found, poll.command.action)
    id_ = frame.plan_id(step.id)
    call = build_call(context, frame, id_, poll.command, found, step)
    if call is None:
        return None
    if call["mutating"]:
        context.problems.error(
            "WF306",
            f"a poll only reads, but `{found.operation}` changes something",
            poll.command.action.location,
            "make the call in a `command` step, and poll with one that describes, gets or lists",
        )
        return None
    variables = _variables(context, poll, call)
    return _made(context, frame, step, poll, call, variables, guard)


def _variables(context: Context, poll: ast.Poll, call: JsonObject) -> dict[str, str]:
    from naftiko.awsapi.catalog import service_model

    model = service_model(str(call["service"])).operation_model(str(call["operation"]))
    paths: dict[str, str] = {}
    for name, path in poll.select:
        if path_type(model.output_shape, path.text, path.location, context.problems) is not None:
            paths[name.text] = path.text
    return paths


def lower_waiting(
    context: Context, frame: Frame, step: ast.Step, guard: str | None
) -> Lowered | None:
    """Lower "wait for the snapshot to complete": what is watched says what complete is."""
    return _observing(context, frame, step, ast.Poll(condition=None), guard)


def _observing(
    context: Context, frame: Frame, step: ast.Step, poll: ast.Poll, guard: str | None
) -> Lowered | None:
    mutating = _nearest(context, frame)
    if mutating is None or mutating.call is None:
        context.problems.error(
            "WF306",
            f"`{step.id}` has no call to make: no step that it depends on changes anything",
            step.location,
            "give it a `context` with `service` and `action`, and `select` its variables",
        )
        return None
    observer = require_observer(
        context.data.resolution,
        str(mutating.call["service"]),
        str(mutating.call["operation"]),
        step.location,
        context.problems,
        input_trees(mutating.call),
    )
    if observer is None:
        return None
    call = observing_call(context, mutating, observer)
    if call is None:
        context.problems.error(
            "WF306",
            f"`{observer.operation}` could watch `{mutating.id}`, but not all that it needs is "
            "given there",
            step.location,
            "give the poll a `context` of its own",
        )
        return None
    names = ", ".join(f"`{name}`" for name in sorted(observer.variables))
    context.problems.info(
        "WF314",
        f"`{step.id}` watches `{mutating.id}` with `{observer.operation}`: {names}",
        step.location,
    )
    return _made(context, frame, step, poll, call, dict(observer.variables), guard, observer)


def _nearest(context: Context, frame: Frame) -> Lowered | None:
    """Return the last mutating call that the step depends on."""
    here: Frame | None = frame
    while here is not None:
        for lowered in reversed(context.created):
            if here.steps.get(lowered.id) is lowered and lowered.id in here.reachable:
                return lowered
        here = here.outer
    return None


def _made(
    context: Context,
    frame: Frame,
    step: ast.Step,
    poll: ast.Poll,
    call: JsonObject,
    paths: dict[str, str],
    guard: str | None,
    observer: Observer | None = None,
) -> Lowered | None:
    from naftiko.workflow.lowering.steps import operation, output

    inner = Frame(
        origin=frame.origin,
        outer=frame,
        arguments=frame.arguments,
        reachable=frame.reachable,
        variables=_types(call, paths),
    )
    condition = poll.condition or _written(observer.until if observer else None, step.location)
    if condition is None:
        context.problems.error(
            "WF306",
            f"nothing says when `{step.id}` is complete",
            step.location,
            "write the poll out, with its `condition`",
        )
        return None
    until = context.condition(inner, condition)
    fails = poll.fail_when
    if fails is None and poll.condition is None and observer is not None:
        fails = _written(observer.fail_when, step.location)
    fail_when = context.condition(inner, fails) if fails is not None else None
    if until is None:
        return None
    used = _used([until, fail_when])
    variables: dict[str, JsonValue] = {
        name: path for name, path in sorted(paths.items()) if name in used
    }
    select_variables(context, call, {name: paths[name] for name in variables})
    id_ = frame.plan_id(step.id)
    made = operation(
        frame,
        step,
        "POLL",
        id_,
        guard,
        call=call,
        vars=variables,
        until=until,
        fail_when=fail_when,
        max_attempts=poll.max_attempts,
        interval=poll.interval,
    )
    if poll.condition is None:
        made["timeout"] = poll.max_attempts * poll.interval + POLL_MARGIN_S
    lowered = Lowered(id=step.id, location=step.location, operations=[made], call=call, call_id=id_)
    for item in step.outputs:
        path = parse_path(item.path.text)
        typed = path and select(
            call, id_, path, item.path.location, context.problems, item.name.text
        )
        if typed:
            lowered.outputs[item.name.text] = typed
            lowered.is_public = True
    lowered.outputs.setdefault("attempts", output(id_, "attempts", INTEGER))
    return lowered


def _written(text: str | None, location: Location) -> Scalar | None:
    """Return a condition of the data as one of the source."""
    return Scalar(value=text, text=text, location=location) if text is not None else None


def _types(call: JsonObject, paths: dict[str, str]) -> dict[str, Type]:
    from naftiko.awsapi.catalog import service_model

    model = service_model(str(call["service"])).operation_model(str(call["operation"]))
    shapes = {name: find_shape(model.output_shape, path) for name, path in paths.items()}
    return {name: of_shape(shape) for name, shape in shapes.items() if shape is not None}


def _used(trees: list[JsonObject | None]) -> set[str]:
    """Return the names of the variables in trees."""
    found: set[str] = set()
    rest: list[JsonValue] = list(trees)
    while rest:
        tree = rest.pop()
        if isinstance(tree, list):
            rest += tree
        elif isinstance(tree, dict):
            ref = tree.get("ref")
            if isinstance(ref, list) and ref[0] == "vars":
                found.add(str(ref[1]))
            rest += tree.values()
    return found
