"""Operations of a service in short, straight from its model: a search looks at all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from naftiko.awsapi import catalog
from naftiko.consumes.aws.rules import effect_of
from naftiko.consumes.aws.schema import JSON_KINDS, plain_text
from naftiko.plan.ports import Outline, Parameter

if TYPE_CHECKING:
    from botocore.model import OperationModel

    from naftiko.consumes.aws.service import AwsService
    from naftiko.model.consumes import ConsumedAwsOperation


def outline_of(
    service: AwsService, api_name: str, name: str, entry: ConsumedAwsOperation | None
) -> Outline:
    """Return an operation in short, under the name that calls have for it."""
    model = service.model.operation_model(api_name)
    command = catalog.command_name(service.name)
    return Outline(
        name=name,
        description=(entry.description if entry is not None else "")
        or plain_text(model.documentation),
        effect=effect_of(service.name, model),
        parameters=_parameters(model),
        spelled=(f"aws {command} {catalog.kebab_case(api_name)}",),
    )


def _parameters(model: OperationModel) -> tuple[Parameter, ...]:
    """Return the members of the input, those that a request must have first, with their types."""
    shape = model.input_shape
    if shape is None:
        return ()
    needed = set(shape.required_members) - set(model.idempotent_members)
    found = [
        Parameter(
            name=name,
            schema={"type": JSON_KINDS.get(member.type_name, "string")},
            required=name in needed,
        )
        for name, member in shape.members.items()
    ]
    return tuple(sorted(found, key=lambda item: not item.required))
