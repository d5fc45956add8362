"""An operation of an HTTP entry, called as the AWS operation that it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from naftiko.consumes.aws.operation import AwsOperation
from naftiko.consumes.http.amazon_arguments import SUPPLIED, AmazonArguments
from naftiko.errors import FieldError, InputError
from naftiko.plan.ports import Effect, Parameter, Result
from naftiko.plan.run import Run
from naftiko.values import JsonSchema, JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class AmazonOperation:
    """A `ClientOperation`: the file's arguments in front, the API's operation behind."""

    inner: AwsOperation
    arguments: AmazonArguments

    @property
    def address(self) -> str:
        """`namespace.operation`."""
        return self.inner.address

    @property
    def description(self) -> str:
        """What the file says, else the API."""
        return self.inner.description

    @property
    def parameters(self) -> Sequence[Parameter]:
        """The arguments it takes, with the schemas of the API's parameters they fill."""
        return self.arguments.parameters

    @property
    def open_arguments(self) -> bool:
        """False: the API knows its parameters."""
        return False

    @property
    def supplied(self) -> frozenset[str]:
        """Target, signature and the query protocol's `Action`, which the model supplies."""
        known = {parameter.name.lower() for parameter in self.parameters}
        return SUPPLIED - known

    @property
    def output_schema(self) -> JsonSchema | None:
        """The API's."""
        return self.inner.output_schema

    @property
    def effect(self) -> Effect:
        """The API's; the HTTP method, nearly always POST, says nothing."""
        return self.inner.effect

    def explain(self) -> Sequence[str]:
        """Return what a call sends; no secrets."""
        return [*self.inner.explain(), *self.arguments.explain()]

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call the API's operation.

        Raises: InputError, ConsumedError, DeadlineError, ShapingError.
        """
        try:
            return await self.inner.call(self.arguments.render(arguments), run)
        except InputError as error:
            error.fields = tuple(map(self._as_given, error.fields))
            raise

    def _as_given(self, item: FieldError) -> FieldError:
        """Name the caller's argument, not the API's parameter that it fills."""
        member = item.name.partition(".")[0].partition("[")[0]
        name = self.arguments.filled_by.get(member, member)
        if name == member:
            return item
        return replace(
            item,
            name=name + item.name[len(member) :],
            message=item.message.replace(f"`{member}", f"`{name}", 1),
        )
