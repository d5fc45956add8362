"""Where the inputs of an observing or undoing call come from -> trees. Spec: section 3, 4 and 5."""

from __future__ import annotations

from collections.abc import Mapping

from naftiko.awsapi.catalog import service_model
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.lowering.lowering import Context
from naftiko.workflow.lowering.parameters import constant
from naftiko.workflow.lowering.scope import select
from naftiko.workflow.resolution.paths import parse_path
from naftiko.workflow.resolution.rows import Given
from naftiko.workflow.types import Type, of_shape


def typed_inputs(
    context: Context,
    call: JsonObject,
    call_id: str,
    given: Mapping[str, Given],
    at: Location,
) -> dict[str, Typed] | None:
    """Return the members of a call that is about what another call made.

    `call` is the mutating one. None where it does not give one of them. A value of its answer is
    selected in it.
    """
    found: dict[str, Typed] = {}
    for name in sorted(given):
        typed = _typed(context, call, call_id, given[name], at)
        if typed is None:
            return None
        found[name] = _one_element(typed) if given[name].as_list else typed
    return found


def _typed(
    context: Context, call: JsonObject, call_id: str, given: Given, at: Location
) -> Typed | None:
    if given.kind == "literal":
        return constant(given.value)
    if given.kind == "output":
        path = parse_path(given.path)
        assert path is not None  # checked when the data was read
        return select(call, call_id, path, at, context.problems)
    mapping = call["input_mapping"]
    tree = mapping.get(given.path) if isinstance(mapping, dict) else None
    if not isinstance(tree, dict):
        return None
    model = service_model(str(call["service"])).operation_model(str(call["operation"]))
    shape = model.input_shape.members[given.path]
    return Typed(tree=tree, type=of_shape(shape))


def _one_element(typed: Typed) -> Typed:
    element = typed.type
    return Typed(tree={"list": [typed.tree]}, type=Type(kind="list", item=lambda: element))


def input_trees(call: JsonObject) -> dict[str, JsonObject]:
    """Return the trees of a call's members."""
    mapping = call["input_mapping"]
    given = mapping if isinstance(mapping, dict) else {}
    return {name: tree for name, tree in given.items() if isinstance(tree, dict)}
