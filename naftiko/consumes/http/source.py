"""An operation where it stands in its API, and what is read from there alike for every kind."""

from __future__ import annotations

import re
from dataclasses import dataclass

from naftiko.consumes.http.operation import RefusedOperation, effect_of
from naftiko.consumes.http.parameters import merge_levels
from naftiko.errors import Problems
from naftiko.expressions.durations import parse_duration_s
from naftiko.model.consumes import ConsumedHttpOperation, ConsumedHttpResource, ConsumesHttp
from naftiko.model.parameters import InputParameter
from naftiko.plan.ports import ClientContext

_NAME_IN_BRACES = re.compile(r"\{\s*([^{}]+?)\s*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSource:
    """An operation where it stands in its API."""

    consumes: ConsumesHttp
    resource: ConsumedHttpResource
    operation: ConsumedHttpOperation

    @property
    def address(self) -> str:
        """`namespace.operation`."""
        return f"{self.consumes.namespace}.{self.operation.name}"

    def parameters(self, context: ClientContext) -> tuple[InputParameter, ...]:
        """Return the parameters that hold for it, of all three levels."""
        path = (self.operation.path or self.resource.path).text
        return merge_levels(
            (
                self.consumes.input_parameters,
                self.resource.input_parameters,
                self.operation.input_parameters,
            ),
            path_names=set(_NAME_IN_BRACES.findall(path)),
            method=self.operation.method,
            problems=context.problems,
        )

    def refused(self, code: str, reason: str, hint: str = "") -> RefusedOperation:
        """Return what stands in for it where it cannot be called."""
        return RefusedOperation(
            address=self.address,
            description=self.operation.description,
            parameters=(),
            effect=effect_of(self.operation.method),
            code=code,
            reason=reason,
            hint=hint,
        )


def timeout_s(source: OperationSource, problems: Problems) -> float | None:
    """Return the seconds that the operation or its API gives a call, None where neither says."""
    scalar = source.operation.timeout or source.consumes.timeout
    if scalar is None:
        return None
    try:
        seconds = parse_duration_s(scalar.value)
    except ValueError as error:
        problems.error("invalid-timeout", str(error), scalar.location)
        return None
    if seconds > 0:
        return seconds
    message = "`timeout` is 0, so that no call could ever be answered"
    problems.error("invalid-timeout", message, scalar.location)
    return None
