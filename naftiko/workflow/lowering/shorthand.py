"""Commands that only say what they want: `create_snapshot: "create RDS snapshot"`. Rule 3."""

from __future__ import annotations

import re

from naftiko.document.nodes import Scalar
from naftiko.workflow import ast
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.lowering.calls import as_list, tell
from naftiko.workflow.lowering.frame import Frame
from naftiko.workflow.lowering.lowering import Context
from naftiko.workflow.resolution.operations import Found
from naftiko.workflow.resolution.shapes import check_value
from naftiko.workflow.resolution.shorthand import Binding, Intent, read_intent
from naftiko.workflow.types import OPAQUE, STRING, Type, of_shape

_PARAMETER = re.compile(r"\bparams\.([a-z][a-z0-9_]*)")


def read(context: Context, frame: Frame, step: ast.Step) -> Intent | None:
    """Return what a step without `context` means, and say it."""
    if step.intent is None:
        context.problems.error(
            "WF202",
            f"`{step.id}` says neither what to call nor what it wants",
            step.location,
            "give it `context` with `service` and `action`, or an `intent`",
        )
        return None
    names = frame.arguments if frame.arguments is not None else context.parameters.names()
    intent = read_intent(context.data.resolution, step.intent, tuple(names), context.problems)
    if intent is None:
        return None
    if intent.found is not None:
        tell(context, intent.found, step.intent)
    return intent


def bind(
    context: Context, frame: Frame, step: ast.Step, intent: Intent, taken: set[str]
) -> dict[str, Typed]:
    """Return the required members that the source does not give, from parameters and defaults."""
    assert intent.found is not None  # the caller looked
    bound: dict[str, Typed] = {}
    for binding in intent.bindings:
        if binding.member in taken:
            continue
        typed = _value(context, frame, step, binding, intent.found)
        if typed is not None:
            bound[binding.member] = typed
            context.problems.info(
                "WF314",
                f"`{binding.member}` of `{step.id}` is bound to `{binding.source}`",
                step.location,
            )
    return bound


def _value(
    context: Context, frame: Frame, step: ast.Step, binding: Binding, found: Found
) -> Typed | None:
    input_shape = found.model.input_shape
    assert input_shape is not None  # it has a required member
    shape = input_shape.members[binding.member]
    expected = of_shape(shape)
    if frame.arguments is None:
        _declare(context, step, binding, expected if binding.kind == "implicit" else STRING)
    text = Scalar(value=binding.source, text=binding.source, location=step.location)
    typed = context.value(frame, text, expected)
    if typed is None:
        return None
    if shape.type_name == "list":
        typed = as_list(typed)
    return (
        typed
        if check_value(shape, typed, step.location, context.problems, name=binding.member)
        else None
    )


def _declare(context: Context, step: ast.Step, binding: Binding, expected: Type) -> None:
    """Declare the parameters that a binding brings in (WF210)."""
    for name in _PARAMETER.findall(binding.source):
        if name not in context.parameters:
            wanted = expected if expected.kind != OPAQUE.kind else STRING
            context.parameters.declare(name, wanted, step.location, required=True)
