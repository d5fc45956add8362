"""Declared inputs whose value the file gives: constants, and variables of the environment.

Behaviour reference, section 3.1: a `value` that is no path wins over whatever a client sends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from naftiko.errors import Problems
from naftiko.expressions import ExpressionError
from naftiko.model.parameters import InputParameter
from naftiko.plan.declared import check_declared
from naftiko.plan.infer import Place, declared_place, declared_schema, leads_into_body
from naftiko.plan.inputs import Input, InputTable
from naftiko.plan.templates import PlanTemplates, input_references
from naftiko.values import JsonObject, JsonValue, Missing


def split_fixed(
    declared: Iterable[InputParameter],
    *,
    place: Place,
    templates: PlanTemplates,
    problems: Problems,
) -> tuple[list[InputParameter], JsonObject]:
    """Return the inputs that callers give, and the values of the others.

    `{name: version, in: query, type: integer, value: "2"}` -> [], {"version": 2}

    Raises: LeftOut for an input that cannot be checked.
    """
    open_: list[InputParameter] = []
    fixed: JsonObject = {}
    for item in {item.name: item for item in declared}.values():
        if item.in_ == "environment" and item.value is None:
            fixed[item.name] = _variable(item.name, templates)
        elif item.value is None:
            open_.append(item)
        elif not leads_into_body(item):
            fixed[item.name] = _constant(item, templates)
        else:
            open_.append(_read_from_body(item, place, problems))
    for item in open_:
        check_declared(item, problems)
    return open_, fixed


def _variable(name: str, templates: PlanTemplates) -> JsonValue:
    value = templates.variables.value(name) or templates.variables.environment.get(name) or None
    if value is not None:
        templates.masker.add(value)
    return value


def _constant(item: InputParameter, templates: PlanTemplates) -> JsonValue:
    """Return the value, bound variables filled in; whatever else looks like a template is text."""
    assert item.value is not None
    try:
        template = templates.value(item.value)
    except ExpressionError:
        return item.value.plain()
    if input_references(template, templates):
        return item.value.plain()
    templates.warn_settled(template.references)
    value = template.render({})
    if not isinstance(value, str):
        return None if isinstance(value, Missing) else value
    typed = Input(name=item.name, schema=declared_schema(item, {}))
    return InputTable(inputs=(typed,)).read_text(typed, [value])


def _read_from_body(item: InputParameter, place: Place, problems: Problems) -> InputParameter:
    where = declared_place(item, place)
    if where == "body":
        return item
    problems.warn(
        "unused-value",
        f"the `value` of `{item.name}` is a path into the body, but the input is read from the "
        f"{where}; the path is not used",
        item.value.location if item.value is not None else item.location,
        "declare it `in: body`",
    )
    return replace(item, value=None)
