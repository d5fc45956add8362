"""MockPlan: outputs given in the file, no call. Behaviour reference, section 5.4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from naftiko.model.parameters import OutputParameter
from naftiko.plan.coercion import as_declared
from naftiko.plan.ports import Result
from naftiko.plan.run import Run
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.document.nodes import Node
    from naftiko.expressions.template import Scope


@dataclass(frozen=True, slots=True)
class MockLeaf:
    """A given value. Texts are never absent: what leads nowhere is empty text in them."""

    template: ValueTemplate
    type_: str | None = None

    def render(self, scope: Scope) -> JsonValue | Missing:
        """Return the value in its declared type."""
        value = self.template.render(scope)
        if value is MISSING:
            return "" if self.type_ == "string" else MISSING
        return as_declared(value, self.type_)


@dataclass(frozen=True, slots=True)
class MockObject:
    """Members that have something to show; an object without any is absent."""

    members: tuple[tuple[str, MockNode], ...]

    def render(self, scope: Scope) -> JsonValue | Missing:
        """Return the object, or MISSING when nothing is in it."""
        out: JsonObject = {}
        for name, member in self.members:
            value = member.render(scope)
            if value is not MISSING:
                out[name] = value
        return out or MISSING


@dataclass(frozen=True, slots=True)
class MockArray:
    """A list of one element."""

    item: MockNode

    def render(self, scope: Scope) -> JsonValue | Missing:
        """Return the list, or MISSING when its element is."""
        value = self.item.render(scope)
        return MISSING if value is MISSING else [value]


MockNode: TypeAlias = MockLeaf | MockObject | MockArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MockPlan:
    """Answers with an object keyed by output name; 204 over REST when there is nothing to show."""

    outputs: MockObject

    @property
    def calls(self) -> Sequence[str]:
        """Return nothing: no operation is called."""
        return ()

    async def run(self, run: Run) -> Result:
        """Render the outputs over the inputs."""
        value = self.outputs.render(run.inputs)
        return Result(status=204) if value is MISSING else Result(value=value)

    def explain(self) -> Sequence[str]:
        """Say that nothing is called."""
        names = ", ".join(name for name, _ in self.outputs.members)
        return [f"no call: answers {{{names}}} as given in the file"]


def has_given_values(outputs: Sequence[OutputParameter]) -> bool:
    """Tell whether any output, at any depth, is given by `value`."""
    return any(
        output.value is not None
        or has_given_values([member for _, member in output.properties])
        or (output.items is not None and has_given_values([output.items]))
        for output in outputs
    )


def compile_mock(
    outputs: Sequence[OutputParameter], compile_value: Callable[[Node], ValueTemplate]
) -> MockPlan:
    """Compile outputs that are given by `value`.

    Raises: ExpressionError for a template that does not parse.
    """
    members = ((output.name or "value", _node(output, compile_value)) for output in outputs)
    return MockPlan(outputs=MockObject(tuple((n, node) for n, node in members if node)))


def _node(
    output: OutputParameter, compile_value: Callable[[Node], ValueTemplate]
) -> MockNode | None:
    if output.value is not None:
        return MockLeaf(compile_value(output.value), output.type_)
    if output.properties:
        members = ((name, _node(member, compile_value)) for name, member in output.properties)
        return MockObject(tuple((name, node) for name, node in members if node))
    if output.items is not None:
        item = _node(output.items, compile_value)
        return MockArray(item) if item else None
    return None
