"""What the parameters of nested workflows and recipes are given. Spec: section 3, rule 6."""

from __future__ import annotations

from collections.abc import Mapping

from naftiko.document.nodes import Node
from naftiko.errors import did_you_mean
from naftiko.values import JsonObject
from naftiko.workflow import ast
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.lowering.constraints import RULES, check_constant, constraint
from naftiko.workflow.lowering.frame import Frame
from naftiko.workflow.lowering.lowering import Context, Nested
from naftiko.workflow.lowering.parameters import constant
from naftiko.workflow.types import Type, of_parameter


def workflow_arguments(
    context: Context, frame: Frame, step: ast.Step, action: ast.CallWorkflow, nested: Nested
) -> dict[str, Typed]:
    """Return the trees of the parameters of a nested workflow."""
    given = {name.text: (name, node) for name, node in action.parameters}
    known = {str(item["name"]): item for item in nested.parameters}
    for text, (name, _) in given.items():
        if text not in known:
            context.problems.error(
                "WF320",
                f"`{nested.workflow.name}` has no parameter `{text}`",
                name.location,
                did_you_mean(text, known),
            )
    arguments: dict[str, Typed] = {}
    for name_text, description in known.items():
        entry = given.get(name_text)
        typed = (
            given_argument(context, frame, entry[1], description)
            if entry is not None
            else _unbound(context, frame, step, action, description, nested)
        )
        if typed is not None:
            arguments[name_text] = typed
    return arguments


def given_argument(
    context: Context, frame: Frame, node: Node, description: JsonObject
) -> Typed | None:
    """Return the tree of a value for a parameter, if it may be that."""
    expected = _type(description)
    typed = context.value(frame, node, expected)
    if typed is None:
        return None
    if typed.type.kind not in {"opaque", "null"} and not _is_assignable(typed.type, expected):
        context.problems.error(
            "WF322",
            f"`{description['name']}` takes {expected.kind}, found {typed.type.kind}",
            node.location,
        )
        return None
    if "lit" in typed.tree:
        reason = check_constant(description, typed.tree["lit"])
        if reason:
            context.problems.error("WF304", f"`{description['name']}` {reason}", node.location)
            return None
    return typed


def _is_assignable(given: Type, wanted: Type) -> bool:
    return given.kind == wanted.kind or (given.kind == "integer" and wanted.kind == "number")


def _unbound(
    context: Context,
    frame: Frame,
    step: ast.Step,
    action: ast.CallWorkflow,
    description: JsonObject,
    nested: Nested,
) -> Typed | None:
    name = str(description["name"])
    if not context.stack[-1].steps_given:
        if frame.arguments is None and name in context.parameters:
            return context.parameters.typed(name)
        if frame.arguments is not None and name in frame.arguments:
            return frame.arguments[name]
    if description["required"]:
        context.problems.error(
            "WF305",
            f"`{nested.workflow.name}` needs its parameter `{name}`",
            action.workflow.location,
            f"give it under `parameters` of `{step.id}`",
        )
        return None
    return constant(description.get("default"))


def _type(description: JsonObject) -> Type:
    items = description.get("items")
    return of_parameter(
        str(description["type"]),
        items if isinstance(items, str) else None,
        sensitive=bool(description.get("sensitive")),
    )


def check_of_arguments(
    context: Context,
    frame: Frame,
    step: ast.Step,
    nested: Nested,
    arguments: Mapping[str, Typed],
    guard: str | None,
) -> list[JsonObject]:
    """Return the assertion that keeps the rules of the inner parameters, where only a run can."""
    from naftiko.workflow.lowering.steps import operation

    trees: list[JsonObject] = []
    names: list[str] = []
    for description in nested.parameters:
        typed = arguments.get(str(description["name"]))
        if typed is None or "lit" in typed.tree or _has_same_rules(context, description, typed):
            continue
        found = constraint(description, typed)
        if found:
            trees += found
            names.append(str(description["name"]))
    if not trees:
        return []
    that = trees[0]
    for tree in trees[1:]:
        that = {"op": "&&", "a": that, "b": tree}
    text = f"{', '.join(names)}: not what {nested.workflow.name} takes"
    message: JsonObject = {"lit": text, "t": "string"}
    id_ = f"{frame.plan_id(step.id)}__check"
    return [operation(frame, step, "ASSERT", id_, guard, that=that, message=message)]


def _has_same_rules(context: Context, description: JsonObject, typed: Typed) -> bool:
    """Tell whether a value is a parameter of the outermost workflow that keeps to the very rules.

    That is checked before the first operation.
    """
    ref = typed.tree.get("ref")
    if not isinstance(ref, list) or len(ref) != 2 or ref[0] != "params" or "default" in typed.tree:
        return False
    outer = context.parameters.description(str(ref[1]))
    if description["required"] and not outer["required"] and outer.get("default") is None:
        return False
    return all(outer.get(rule) == description.get(rule) for rule in RULES)
