"""Watching what a mutating call did, and what identifies it."""

from __future__ import annotations

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.lowering.calls import make_call
from naftiko.workflow.lowering.frame import Lowered
from naftiko.workflow.lowering.given import input_trees, typed_inputs
from naftiko.workflow.lowering.lowering import Context
from naftiko.workflow.lowering.scope import select
from naftiko.workflow.resolution.observers import find_observer
from naftiko.workflow.resolution.paths import find_shape, parse_path
from naftiko.workflow.resolution.rows import Observer, Undo
from naftiko.workflow.resolution.undo import find_undo


def region_beside(call: JsonObject) -> JsonObject | None:
    """Return the region for a call about what another one made: the same name is elsewhere too."""
    region = call["region"]
    return dict(region) if isinstance(region, dict) else None


def observing_call(context: Context, mutating: Lowered, observer: Observer) -> JsonObject | None:
    """Return the call that watches a mutating one; None where its inputs are not known."""
    assert mutating.call is not None  # it is mutating
    inputs = typed_inputs(
        context, mutating.call, mutating.call_id, observer.input, mutating.location
    )
    if inputs is None:
        return None
    region = region_beside(mutating.call)
    return make_call(context, observer.service, observer.operation, inputs, region=region)


def select_variables(context: Context, call: JsonObject, paths: dict[str, str]) -> None:
    """Note the types of what the variables of a poll read. Paths are right: data was checked."""
    from naftiko.awsapi.catalog import service_model
    from naftiko.workflow.types import of_shape

    model = service_model(str(call["service"])).operation_model(str(call["operation"]))
    schema = call["output_schema"]
    assert isinstance(schema, dict)  # made by `make_call`
    for path in paths.values():
        shape = find_shape(model.output_shape, path)
        if shape is not None:
            schema[path] = of_shape(shape).kind


def add_observer(context: Context, operation: JsonObject) -> None:
    """Give a call that names what it makes the means to see whether it is there (rule 6.3).

    The observer must not need the answer, which is what is missing then.
    """
    idempotency = operation["idempotency"]
    assert isinstance(idempotency, dict)  # made by `make_call`
    if idempotency["kind"] != "natural":
        return
    observer = find_observer(
        context.data.resolution,
        str(operation["service"]),
        str(operation["operation"]),
        input_trees(operation),
    )
    if observer is None or any(given.kind == "output" for given in observer.input.values()):
        idempotency["observer"] = None
        return
    inputs = typed_inputs(
        context,
        operation,
        str(operation["step_id"]),
        observer.input,
        context.place(str(operation["step_id"])),
    )
    if inputs is None:
        return
    region = region_beside(operation)
    call = make_call(context, observer.service, observer.operation, inputs, region=region)
    paths = dict(sorted(observer.variables.items()))
    created = {"created": observer.created} if observer.created else {}
    select_variables(context, call, {**paths, **created})
    variables: dict[str, JsonValue] = dict(paths)
    idempotency["observer"] = {"call": call, "vars": variables, "created": observer.created}


def select_id(context: Context, lowered: Lowered) -> None:
    """Make a mutating call without declared outputs give `id`, if it is known what that is."""
    call = lowered.call
    assert call is not None  # it is mutating
    path = _identifier(context, call)
    parts = parse_path(path) if path is not None else None
    if parts is None:
        return
    typed = select(call, lowered.call_id, parts, lowered.location, context.problems, "id")
    if typed is not None and typed.type.is_scalar and not typed.type.sensitive:
        lowered.outputs["id"] = typed
        lowered.is_public = True


def _identifier(context: Context, call: JsonObject) -> str | None:
    """Return the path of what identifies what was made: what undoing or watching it takes."""
    service, operation = str(call["service"]), str(call["operation"])
    from naftiko.awsapi.catalog import service_model

    output = service_model(service).operation_model(operation).output_shape
    trees = input_trees(call)
    undo = find_undo(context.data.resolution, service, operation, trees)
    rows: list[Undo | Observer] = [undo] if undo is not None else []
    observer = find_observer(context.data.resolution, service, operation, trees)
    if observer is not None:
        rows.append(observer)
    for row in rows:
        for name in sorted(row.input):
            given = row.input[name]
            if given.kind == "output":
                return given.path
            found = _beside(output, given.path) if given.kind == "input" else None
            if found is not None:
                return found
    return None


def _beside(shape: object, member: str) -> str | None:
    """Return where an answer repeats an input member: "DBSnapshot.DBSnapshotIdentifier"."""
    members = getattr(shape, "members", None)
    if not members:
        return None
    if member in members:
        return member
    return next(
        (
            f"{name}.{member}"
            for name, inner in members.items()
            if inner.type_name == "structure" and member in inner.members
        ),
        None,
    )
