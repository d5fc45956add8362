"""Commands -> AWS_CALL operations. Spec: section 3, rules 1, 2 and 6; docs/workflow-plan.md."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from naftiko.document.nodes import Node, Scalar
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow import ast
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.lowering.frame import Frame, Lowered
from naftiko.workflow.lowering.lowering import Context
from naftiko.workflow.lowering.recipes import lower_recipe
from naftiko.workflow.lowering.scope import select
from naftiko.workflow.resolution.idempotency import has_dry_run, idempotency_of, is_read
from naftiko.workflow.resolution.members import (
    FoundMember,
    check_required,
    find_exact_member,
    find_member,
    required_members,
)
from naftiko.workflow.resolution.operations import Found, find_operation
from naftiko.workflow.resolution.paging import paginate_of
from naftiko.workflow.resolution.paths import parse_path
from naftiko.workflow.resolution.shapes import check_value
from naftiko.workflow.types import Type, of_shape

if TYPE_CHECKING:
    from naftiko.workflow.resolution.shorthand import Intent


def lower_command(
    context: Context, frame: Frame, step: ast.Step, command: ast.Command, guard: str | None
) -> Lowered | None:
    """Lower a command: one call, the steps of a recipe, or what its intent says."""
    from naftiko.workflow.lowering import polls, shorthand

    if command.service is None or command.action is None:
        intent = shorthand.read(context, frame, step)
        if intent is None:
            return None
        if intent.is_poll:
            return polls.lower_waiting(context, frame, step, guard)
        return _lower_intent(context, frame, step, command, intent, guard)
    found = find_operation(
        context.data.resolution, command.service, command.action, context.problems
    )
    if found is None:
        return None
    tell(context, found, command.action)
    if found.recipe is not None:
        return lower_recipe(context, frame, step, found.recipe, command, guard)
    return lower_call(context, frame, step, command, found, guard)


def tell(context: Context, found: Found, action: Scalar) -> None:
    """Say what an action was taken for, unless it is the operation's own name."""
    if found.how in {"exact", "name"}:
        return
    if found.recipe is not None:
        text = f"the recipe `{found.service}.{found.recipe.name}`"
    else:
        text = f"`{found.service}` `{found.operation}`"
    context.problems.info("WF314", f"`{action.text}` is taken as {text}", action.location)


def _lower_intent(
    context: Context,
    frame: Frame,
    step: ast.Step,
    command: ast.Command,
    intent: Intent,
    guard: str | None,
) -> Lowered | None:
    from naftiko.workflow.lowering import shorthand

    found = intent.found
    assert found is not None  # an intent is a poll or a call
    if found.recipe is not None:
        return lower_recipe(context, frame, step, found.recipe, command, guard)
    given = shorthand.bind(context, frame, step, intent, set())
    return lower_call(context, frame, step, command, found, guard, given)


def lower_call(
    context: Context,
    frame: Frame,
    step: ast.Step,
    command: ast.Command,
    found: Found,
    guard: str | None,
    given: dict[str, Typed] | None = None,
) -> Lowered | None:
    """Lower a command to one AWS_CALL."""
    from naftiko.workflow.lowering import observing
    from naftiko.workflow.lowering.steps import operation

    id_ = frame.plan_id(step.id)
    call = build_call(context, frame, id_, command, found, step, given)
    if call is None:
        return None
    made = operation(frame, step, "AWS_CALL", id_, guard, **call)
    lowered = Lowered(id=step.id, location=step.location, operations=[made], call=made, call_id=id_)
    _select_outputs(context, step, lowered)
    if call["mutating"]:
        context.created.append(lowered)
        observing.add_observer(context, made)
        if not lowered.outputs:
            observing.select_id(context, lowered)
    return lowered


def build_call(
    context: Context,
    frame: Frame,
    id_: str,
    command: ast.Command,
    found: Found,
    step: ast.Step,
    given: dict[str, Typed] | None = None,
) -> JsonObject | None:
    """Return the members of an AWS_CALL that make the call; None where it has problems."""
    before = len(context.problems.errors)
    members = _members(context, frame, id_, command, found)
    if members is None:
        return None
    for name, typed in (given or {}).items():
        members.setdefault(name, typed)
    if len(context.problems.errors) == before:
        check_required(
            context.data.resolution,
            found.service,
            found.operation,
            members.keys(),
            command.action.location if command.action is not None else step.location,
            context.problems,
        )
    region = context.value(frame, command.region) if command.region is not None else None
    if len(context.problems.errors) > before:
        return None
    return make_call(
        context,
        found.service,
        found.operation,
        members,
        retry=step.retry,
        paging=command.paginate,
        region=region.tree if region is not None else None,
    )


def _members(
    context: Context, frame: Frame, id_: str, command: ast.Command, found: Found
) -> dict[str, Typed] | None:
    """Resolve the loose names and the exact members; the latter win. None: some cannot be."""
    members: dict[str, Typed] = {}
    places: dict[str, Location] = {}
    problems = context.problems
    for name, node in command.loose:
        member = find_member(
            context.data.resolution, found.service, found.operation, name, problems
        )
        if member is None:
            continue
        if member.name in members:
            problems.error(
                "WF303",
                f"`{name.text}` means `{member.name}`, which is given already",
                name.location,
                "leave one of them out",
            )
            continue
        if member.how not in {"exact", "name"}:
            problems.info("WF314", f"`{name.text}` is taken as `{member.name}`", name.location)
        _add(context, frame, member, node, members)
        places[member.name] = node.location
    for name, node in command.input:
        member = find_exact_member(found.service, found.operation, name, problems)
        if member is not None:
            _add(context, frame, member, node, members)
            places[member.name] = node.location
    for name_text, location in places.items():
        context.places[(id_, name_text)] = location
    return members if members.keys() == places.keys() else None


def _add(
    context: Context, frame: Frame, member: FoundMember, node: Node, members: dict[str, Typed]
) -> None:
    typed = context.value(frame, node, of_shape(member.shape))
    if typed is None:
        return
    if member.is_list:
        typed = as_list(typed)
    name, place = member.name, node.location
    if check_value(member.shape, typed, place, context.problems, name=name, node=node):
        members[member.name] = typed


def as_list(typed: Typed) -> Typed:
    """Return a list of one for a single value."""
    if typed.type.kind in {"list", "opaque", "null"}:
        return typed
    element = typed.type
    return Typed(tree={"list": [typed.tree]}, type=Type(kind="list", item=lambda: element))


def make_call(
    context: Context,
    service: str,
    operation: str,
    members: dict[str, Typed],
    *,
    retry: ast.Retry | None = None,
    paging: ast.Paging | None = None,
    region: JsonObject | None = None,
) -> JsonObject:
    """Return the members of an AWS_CALL. Nothing is selected yet."""
    from naftiko.awsapi.catalog import kebab_case, service_model

    shape = service_model(service).operation_model(operation).input_shape
    shapes = shape.members if shape is not None else {}
    needed = set(required_members(service, operation))
    trees: JsonObject = {name: members[name].tree for name in sorted(members)}
    actions = context.data.iam.actions_of(service, operation, trees)
    level = actions.level if actions is not None else None
    idempotency = idempotency_of(service, operation, members.keys(), level)
    pages = None
    if is_read(operation, level):
        wanted = paging or ast.Paging()
        pages = paginate_of(
            service, operation, max_items=wanted.max_items, page_size=wanted.page_size
        )
    return {
        "service": service,
        "action": kebab_case(operation),
        "operation": operation,
        "input_mapping": trees,
        "input_schema": {
            name: of_shape(shapes[name]).kind + ("!" if name in needed else "")
            for name in sorted(members)
        },
        "select": {},
        "output_schema": {},
        "fields": {},
        "access_level": level or "Write",
        "permissions": list(actions.required) if actions is not None else [],
        "mutating": idempotency.kind != "read",
        "idempotency": idempotency.to_json(),
        "retry": _retry(retry or ast.Retry()),
        "paginate": pages,
        "region": region,
        "sensitive": {
            "input": [
                name
                for name in sorted(members)
                if members[name].type.sensitive or of_shape(shapes[name]).sensitive
            ],
            "output": [],
        },
        "secret_read": actions.secret_read if actions is not None else False,
        "dry_run": has_dry_run(service, operation),
    }


def _retry(retry: ast.Retry) -> JsonObject:
    return {**asdict(retry), "retry_on": list(retry.retry_on)}


def _select_outputs(context: Context, step: ast.Step, lowered: Lowered) -> None:
    """Make the call keep the declared outputs."""
    call = lowered.call
    assert call is not None  # made by the caller
    for item in step.outputs:
        path = parse_path(item.path.text)
        if path is None:
            context.problems.error(
                "WF321",
                f"`{item.path.text}` is no path: expected `A.B[0].C`",
                item.path.location,
            )
            continue
        typed = select(
            call, lowered.call_id, path, item.path.location, context.problems, item.name.text
        )
        if typed is None:
            continue
        if item.type_ is not None and not _fits(item.type_, typed.type):
            context.problems.error(
                "WF322",
                f"`{item.name.text}` is said to be {item.type_}, but `{item.path.text}` is "
                f"{typed.type.kind}",
                item.path.location,
                "leave `type` out: it is known from the path",
            )
        lowered.outputs[item.name.text] = typed
        lowered.is_public = True


def _fits(said: str, type_: Type) -> bool:
    kind = {"array": "list", "object": "map"}.get(said, said)
    return kind in {type_.kind, type_.family} or type_.kind == "opaque"
