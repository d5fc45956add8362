"""Nested workflows, inlined. Spec: section 3, rule 6, and section 4, "Flattening"."""

from __future__ import annotations

from collections.abc import Mapping

from naftiko.document.nodes import Scalar
from naftiko.errors import did_you_mean
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow import ast
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.lowering.arguments import check_of_arguments, workflow_arguments
from naftiko.workflow.lowering.frame import Frame, Lowered
from naftiko.workflow.lowering.lowering import Context, Nested, lower_steps, outputs_of
from naftiko.workflow.lowering.rollback import lower_rollback

NESTS: Mapping[str, tuple[str, ...]] = {
    "primitive": (),
    "pattern": ("primitive",),
    "application": ("primitive", "pattern"),
}
MAX_NESTING = 3


def lower_workflow(
    context: Context, frame: Frame, step: ast.Step, action: ast.CallWorkflow, guard: str | None
) -> Lowered | None:
    """Inline a workflow: its ids get the step's as prefix, its parameters the caller's trees."""
    nested = _nested(context, action.workflow)
    if nested is None:
        return None
    if not _may_be_here(context, frame, action, nested.workflow):
        return None
    before = len(context.problems.errors)
    arguments = workflow_arguments(context, frame, step, action, nested)
    if len(context.problems.errors) > before:
        return None
    operations = check_of_arguments(context, frame, step, nested, arguments, guard)
    id_ = frame.plan_id(step.id)
    inner = Frame(
        origin=nested.workflow.ref,
        prefix=f"{id_}__",
        guard=guard,
        arguments=arguments,
        in_loop=frame.in_loop,
    )
    inlined, outputs = _inline(context, inner, nested)
    operations += inlined
    if step.on_error == "continue":
        for operation in operations:
            operation["on_error"] = "continue"
    return Lowered(
        id=step.id,
        location=step.location,
        operations=operations,
        outputs=outputs,
        status_of=str(operations[-1]["step_id"]) if operations else id_,
        is_public=True,
    )


def _may_be_here(
    context: Context, frame: Frame, action: ast.CallWorkflow, workflow: ast.Workflow
) -> bool:
    if not frame.in_loop or not workflow.rollback:
        return True
    context.problems.error(
        "WF504",
        f"`{workflow.name}` has a `rollback`, which cannot be kept inside `for_each`",
        action.workflow.location,
        "call it outside of the loop",
    )
    return False


def _inline(
    context: Context, inner: Frame, nested: Nested
) -> tuple[list[JsonObject], dict[str, Typed]]:
    """Lower what a workflow does, in its frame; return its operations and outputs."""
    context.stack.append(nested.workflow)
    context.inlined.append(nested)
    operations = lower_steps(context, inner, nested.workflow.steps, parents=frozenset())
    operations += lower_listed(context, inner, nested.workflow)
    outputs = _outputs(context, inner, nested.workflow)
    lower_rollback(context, inner, nested.workflow)
    context.stack.pop()
    return operations, outputs


def lower_listed(context: Context, frame: Frame, workflow: ast.Workflow) -> list[JsonObject]:
    """Inline the `nested_workflows` of a workflow without `steps`: each once, in order.

    Their parameters are bound by name; required ones that nothing binds are lifted (WF211).
    """
    if workflow.steps_given or workflow.nested_workflows is None:
        return []
    steps = []
    for scalar in workflow.nested_workflows:
        name = scalar.text.partition("@")[0]
        nested = context.nested_source(name, _version(context, scalar), scalar.location)
        if nested is None:
            continue
        if frame.arguments is None:
            _lift(context, nested, scalar.location)
        steps.append(
            ast.Step(id=name, action=ast.CallWorkflow(workflow=scalar), location=scalar.location)
        )
    return lower_steps(context, frame, steps, parents=frozenset())


def _lift(context: Context, nested: Nested, at: Location) -> None:
    declared = {item.name: item for item in nested.workflow.parameters}
    for description in nested.parameters:
        name = str(description["name"])
        if name in context.parameters:
            continue
        if description["required"] or name in declared:
            context.parameters.lift(description, nested.workflow.name, at)


def _nested(context: Context, reference: Scalar) -> Nested | None:
    """Return a workflow that a step names, if it may be nested there."""
    outer = context.stack[-1]
    name = reference.text.partition("@")[0]
    allowed = outer.nested_workflows
    if allowed is not None and name not in {one.text.partition("@")[0] for one in allowed}:
        context.problems.error(
            "WF505",
            f"`{name}` is not listed in `nested_workflows`",
            reference.location,
            f"add `{name}` to the list"
            if name in context.data.library.names()
            else did_you_mean(name, [one.text for one in allowed]),
        )
        return None
    nested = context.nested_source(name, _version(context, reference), reference.location)
    if nested is None:
        return None
    found = nested.workflow
    if found.type_ not in NESTS[outer.type_] or len(context.stack) >= MAX_NESTING:
        context.problems.error("WF504", *_not_nestable(context, outer, found, reference.location))
        return None
    if found.metadata.tier != context.stack[0].metadata.tier:
        context.problems.info(
            "WF506",
            f"`{name}` is of tier {found.metadata.tier}: here its steps must satisfy "
            f"{context.stack[0].metadata.tier}",
            reference.location,
        )
    return nested


def _not_nestable(
    context: Context, outer: ast.Workflow, found: ast.Workflow, at: Location
) -> tuple[str, Location, str]:
    """Return why a workflow may not be nested in another one, and the way out."""
    if found.type_ in NESTS[outer.type_]:
        path = " -> ".join(f"`{one.name}`" for one in (*context.stack, found))
        return f"workflows nest {MAX_NESTING} levels deep at most: {path}", at, "nest it further up"
    kinds = " and ".join(f"{kind}s" for kind in NESTS[outer.type_]) or "nothing"
    message = f"`{outer.name}` is of type {outer.type_} and nests {kinds}, but `{found.name}` is "
    if found.type_ == "application":
        hint = f"an application is nested by nothing: nest what `{found.name}` nests"
    else:
        kind = "pattern" if found.type_ == "primitive" else "application"
        hint = f"give `{outer.name}` the type `{kind}`"
    return f"{message}of type {found.type_}", at, hint


def _version(context: Context, reference: Scalar) -> str | None:
    """Return the version that is asked for, in the step or in `nested_workflows`."""
    name, _, version = reference.text.partition("@")
    if version:
        return version
    for one in context.stack[-1].nested_workflows or ():
        if one.text.startswith(f"{name}@"):
            return one.text.partition("@")[2]
    context.unpinned.append(reference)
    return None


def _outputs(context: Context, inner: Frame, workflow: ast.Workflow) -> dict[str, Typed]:
    if workflow.outputs is None:
        return outputs_of(inner.steps)
    found = {}
    for name, node in workflow.outputs:
        typed = context.value(inner, node)
        if typed is not None:
            found[name.text] = typed
    return found
