"""One entry of `operations` -> what it adjusts of an API operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naftiko.consumes.aws.service import Adjustments
from naftiko.errors import did_you_mean
from naftiko.expressions.durations import parse_duration_s
from naftiko.plan.infer import declared_schema
from naftiko.values import MISSING

if TYPE_CHECKING:
    from botocore.model import OperationModel

    from naftiko.document.nodes import Scalar
    from naftiko.model.consumes import ConsumedAwsOperation
    from naftiko.model.parameters import InputParameter
    from naftiko.plan.ports import ClientContext
    from naftiko.plan.values import ValueTemplate
    from naftiko.source import Location
    from naftiko.values import JsonObject


def read_adjustments(
    entry: ConsumedAwsOperation, model: OperationModel, context: ClientContext
) -> Adjustments:
    """Compile the templates of an entry and check the parameters it names.

    An input that the API does not have is the file's own if a preset parameter reads it.

    Raises: ExpressionError.
    """
    known = tuple(model.input_shape.members) if model.input_shape is not None else ()

    def is_known(name: str, location: Location) -> bool:
        if name in known:
            return True
        context.problems.error(
            "unknown-parameter",
            f"`{name}` is no parameter of `{model.name}`",
            location,
            did_you_mean(name, known),
        )
        return False

    presets: list[tuple[str, ValueTemplate]] = []
    for name, node in entry.parameters:
        if is_known(name, node.location):
            presets.append((name, context.templates.value(node)))
    read = {name.name.partition(".")[0] for _, preset in presets for name in preset.references}
    own = {item.name for item in entry.input_parameters if item.name in read - set(known)}
    stated = [
        item
        for item in entry.input_parameters
        if item.name in own or is_known(item.name, item.location)
    ]
    paginate = entry.paginate
    return Adjustments(
        description=entry.description,
        presets=tuple(presets),
        own=frozenset(own),
        json_parameters=entry.json_parameters,
        parameters={item.name: _stated(item, own=item.name in own) for item in stated},
        required={item.name: item.required for item in stated if item.required is not None},
        defaults={item.name: item.default for item in stated if item.has_default},
        paginate=paginate is None or paginate.enabled,
        limit=paginate.limit if paginate is not None else None,
        timeout_s=read_timeout_s(entry.timeout, context),
    )


def _stated(item: InputParameter, *, own: bool) -> JsonObject:
    """Return what the file says of an input; the type of the API's inputs is the API's."""
    changes: JsonObject = declared_schema(item, {}) if own else dict(item.schema)
    if item.description:
        changes["description"] = item.description
    if item.has_default:
        changes["default"] = item.default
    return changes


def read_timeout_s(scalar: Scalar | None, context: ClientContext) -> float | None:
    """Read a `timeout`: "30s" -> 30.0; None where it is not given or wrong (which is noted)."""
    if scalar is None or scalar.value is None:
        return None
    text = rendered(scalar, context)
    try:
        seconds = parse_duration_s(text)
    except ValueError as error:
        context.problems.error("invalid-timeout", f"`timeout`: {error}", scalar.location)
        return None
    if seconds > 0:
        return seconds
    context.problems.error("invalid-timeout", "`timeout` must be above zero", scalar.location)
    return None


def rendered(scalar: Scalar, context: ClientContext) -> str:
    """Return the text of a scalar with its bound variables; "" where they have no value."""
    value = context.templates.scalar(scalar).render({})
    return "" if value is MISSING or value is None else str(value).strip()
