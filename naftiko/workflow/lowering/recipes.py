"""Recipes, expanded into their steps. Spec: section 3, rule 6."""

from __future__ import annotations

from collections.abc import Mapping

from naftiko.errors import did_you_mean
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow import ast
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.lowering.arguments import given_argument
from naftiko.workflow.lowering.frame import Frame, Lowered
from naftiko.workflow.lowering.lowering import Context, lower_steps
from naftiko.workflow.lowering.parameters import constant
from naftiko.workflow.lowering.scope import select
from naftiko.workflow.resolution.paths import parse_path
from naftiko.workflow.resolution.recipes import Recipe, RecipeParameter
from naftiko.workflow.types import Type, list_of, of_parameter


def lower_recipe(
    context: Context,
    frame: Frame,
    step: ast.Step,
    recipe: Recipe,
    command: ast.Command,
    guard: str | None,
) -> Lowered | None:
    """Expand a recipe: `<step>__<n>`."""
    before = len(context.problems.errors)
    arguments = _arguments(context, frame, step, recipe, command)
    steps = recipe.steps(context.problems, _constants(context, recipe, arguments, step))
    if len(context.problems.errors) > before:
        return None
    id_ = frame.plan_id(step.id)
    inner = Frame(
        origin=recipe.title,
        prefix=f"{id_}__",
        guard=guard,
        arguments=arguments,
        is_recipe=True,
        in_loop=frame.in_loop,
    )
    operations = lower_steps(context, inner, steps, parents=frozenset())
    if not operations:
        return None
    for operation in operations:
        context.places.setdefault((str(operation["step_id"]), ""), step.location)
        if step.on_error == "continue":
            operation["on_error"] = "continue"
    return Lowered(
        id=step.id,
        location=step.location,
        operations=operations,
        status_of=str(operations[-1]["step_id"]),
    )


def _arguments(
    context: Context, frame: Frame, step: ast.Step, recipe: Recipe, command: ast.Command
) -> dict[str, Typed]:
    given = {name.text.replace("-", "_"): (name, node) for name, node in command.loose}
    given |= {name.text: (name, node) for name, node in command.input}
    known = {item.name for item in recipe.parameters if not item.created}
    for text, (name, _) in given.items():
        if text not in known:
            context.problems.error(
                "WF303",
                f"the {recipe.title} takes no `{text}`",
                name.location,
                did_you_mean(text, known),
            )
    if command.region is not None:
        context.problems.error(
            "WF303",
            f"the {recipe.title} takes no `region`: it works in the region of the execution",
            command.region.location,
            "leave `region` out, or write out what the recipe does",
        )
    arguments: dict[str, Typed] = {}
    for item in recipe.parameters:
        entry = given.get(item.name)
        if item.created:
            arguments[item.name] = _created(context, frame, item)
        elif entry is not None:
            description = _described(item)
            typed = given_argument(context, frame, entry[1], description)
            if typed is not None:
                arguments[item.name] = typed
        else:
            _bind(context, frame, step, recipe, item, arguments)
    return arguments


def _constants(
    context: Context, recipe: Recipe, arguments: Mapping[str, Typed], step: ast.Step
) -> dict[str, JsonValue]:
    """Return the values of parameters that stand in the plan as they are, such as a loop's cap."""
    values: dict[str, JsonValue] = {}
    for item in recipe.parameters:
        typed = arguments.get(item.name)
        if not item.constant or typed is None:
            continue
        if "lit" not in typed.tree:
            context.problems.error(
                "WF304",
                f"`{item.name}` of the {recipe.title} is a cap, and so must be a constant",
                _given_at(step, item.name),
                f"write a number: `{item.name}: 50`",
            )
            continue
        values[item.name] = typed.tree["lit"]
    return values


def _given_at(step: ast.Step, name: str) -> Location:
    """Return where a step gives something, else where it stands itself."""
    command = step.action
    entries = (*command.loose, *command.input) if isinstance(command, ast.Command) else ()
    found = (node.location for key, node in entries if key.text.replace("-", "_") == name)
    return next(found, step.location)


def _described(item: RecipeParameter) -> JsonObject:
    out: JsonObject = {"name": item.name, "type": item.type_}
    if item.items is not None:
        out["items"] = item.items
    return out


def _bind(
    context: Context,
    frame: Frame,
    step: ast.Step,
    recipe: Recipe,
    item: RecipeParameter,
    arguments: dict[str, Typed],
) -> None:
    """Bind an unbound parameter of a recipe to the workflow's of that name, else its default."""
    typed: Typed | None = None
    if frame.arguments is not None:
        typed = frame.arguments.get(item.name)
    elif item.name in context.parameters:
        typed = context.parameters.typed(item.name)
    if typed is not None:
        arguments[item.name] = typed
        context.problems.info(
            "WF314",
            f"`{item.name}` of the {recipe.title} is bound to `params.{item.name}`",
            step.location,
        )
    elif item.scope and not item.has_default:
        context.problems.error(
            "WF313",
            f"nothing says what the {recipe.title} may touch: `{item.name}` is not bound",
            step.location,
            f"give `{item.name}` in its context, or declare a parameter of that name",
        )
    elif item.has_default:
        value: JsonValue = item.default
        arguments[item.name] = constant(value)
    else:
        context.problems.error(
            "WF305",
            f"the {recipe.title} needs `{item.name}`",
            step.location,
            f"give it in the context: `{item.name}: ...`",
        )


def _created(context: Context, frame: Frame, item: RecipeParameter) -> Typed:
    """Return the list of what earlier steps of this execution made."""
    trees: list[JsonValue] = []
    element: Type | None = None
    here: Frame | None = frame
    while here is not None:
        for lowered in context.created:
            call = lowered.call
            if call is None or here.steps.get(lowered.id) is not lowered:
                continue
            path = parse_path(item.created.get(f"{call['operation']}", ""))
            if path is None or lowered.id not in here.reachable:
                continue
            typed = select(call, lowered.call_id, path, lowered.location, context.problems)
            if typed is not None:
                trees.append(typed.tree)
                element = typed.type
        here = here.outer
    kind = element if element is not None else of_parameter("string")
    return Typed(tree={"list": trees}, type=list_of(kind))
