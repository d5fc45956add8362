"""CallPlan: inputs -> `with` -> a consumed operation -> the shaped result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from naftiko.errors import RunError
from naftiko.plan.ports import ClientOperation, Origin, Result, StreamsPages
from naftiko.plan.run import Run
from naftiko.plan.shaping import Shaper
from naftiko.plan.streaming import in_pages, pages_of
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonValue


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Argument:
    """One entry of `with`, compiled: what is passed under `name`."""

    name: str
    value: ValueTemplate
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CallPlan:
    """Calls one consumed operation.

    `passed` are the inputs that go on under their own names. `pass_rest` passes on every further
    input that `consumed` (the names used up by `with` and the exposed path) does not hold.
    `mapped_status` is the status of a shaped answer where it is not that of the call.
    """

    origin: Origin
    operation: ClientOperation
    arguments: tuple[Argument, ...]
    passed: tuple[str, ...]
    pass_rest: bool
    consumed: frozenset[str]
    shaper: Shaper
    mapped_status: int | None = None
    _pages: StreamsPages | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Notice whether pages can go out one by one."""
        object.__setattr__(self, "_pages", pages_of(self.operation, self.shaper))

    @property
    def calls(self) -> Sequence[str]:
        """Return the one address."""
        return (self.operation.address,)

    async def run(self, run: Run) -> Result:
        """Call, then shape the answer.

        Raises: RunError, with the place of the call.
        """
        inputs = run.inputs
        try:
            if self._pages is not None and run.streams:
                opened = await self._pages.open(self._arguments(inputs), run)
                if opened.stream is not None:
                    return in_pages(opened, self._pages, self.shaper, inputs)
                result = opened
            else:
                result = await self.operation.call(self._arguments(inputs), run)
        except RunError as error:
            error.location = error.location or self.origin.location
            raise
        if self.shaper.identity and (result.decode is None or not self.shaper.shapes):
            return result  # a mapping of the whole root asks for its JSON, and no mapping for bytes
        value = result.value if result.decode is None else await result.decoded()
        if value is MISSING:
            return result
        shaped = self.shaper.shape(value, inputs)
        if shaped is MISSING:
            return result
        return Result(
            value=shaped,
            status=self.mapped_status or result.status,
            failed=result.failed,
            headers=result.headers,
        )

    def _arguments(self, inputs: Mapping[str, JsonValue]) -> JsonObject:
        if self.pass_rest:
            arguments = {name: value for name, value in inputs.items() if name not in self.consumed}
        else:
            arguments = {name: inputs[name] for name in self.passed if name in inputs}
        for argument in self.arguments:
            value = argument.value.render(inputs)
            if value is not MISSING:
                arguments[argument.name] = value
        return arguments

    def explain(self) -> Sequence[str]:
        """Return what is called with what, and what becomes of the answer."""
        lines = [f"call {self.operation.address}"]
        lines += [f"  {argument.name} = {argument.text}" for argument in self.arguments]
        if self.passed:
            lines.append(f"  under their own names: {', '.join(self.passed)}")
        if self.pass_rest:
            lines.append("  every other input under its own name")
        lines += [f"  {line}" for line in self.operation.explain()]
        lines += [f"answer: {line}" for line in self.shaper.explain()]
        return lines
