"""`complete` -> CompletionPlan: what may be typed for an argument of a prompt or a template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Scalar
from naftiko.document.nodes import Sequence as SequenceNode
from naftiko.errors import Problems, did_you_mean
from naftiko.expressions.jsonpath import Path, compile_path
from naftiko.expressions.text import value_text
from naftiko.model.build_parameters import build_call
from naftiko.model.exposes import ExposedOperation
from naftiko.model.fields import Fields
from naftiko.model.mcp import Completion
from naftiko.model.parameters import InputParameter
from naftiko.plan.called import Setting
from naftiko.plan.capability import CompletionPlan
from naftiko.plan.clients import leave_out
from naftiko.plan.operations import OperationCompiler
from naftiko.source import Location

MAX_VALUES = 10_000
"""Values that the file may list for one argument."""


@dataclass(slots=True, kw_only=True)
class CompletionCompiler:
    """Compiles what is known of arguments."""

    adapter: str
    operations: OperationCompiler
    problems: Problems

    def compile(
        self,
        owner: str,
        completions: Iterable[Completion],
        names: Sequence[str],
        location: Location,
    ) -> Mapping[str, CompletionPlan]:
        """Compile the completions of one prompt or resource, by argument.

        Raises: ExpressionError, LeftOut.
        """
        found: dict[str, CompletionPlan] = {}
        for completion in completions:
            if completion.name not in names:
                self.problems.warn(
                    "unknown-argument",
                    f"`{owner}` has no argument `{completion.name}` to complete",
                    completion.node.location,
                    did_you_mean(completion.name, names),
                )
                continue
            plan = self._one(owner, completion, names)
            if plan is not None:
                found[completion.name] = plan
        return found

    def _one(
        self, owner: str, completion: Completion, names: Sequence[str]
    ) -> CompletionPlan | None:
        node = completion.node
        if isinstance(node, SequenceNode):
            values = [value_text(item.value) for item in node if isinstance(item, Scalar)]
            return CompletionPlan(values=tuple(dict.fromkeys(values))[:MAX_VALUES])
        call = build_call(Fields(node)) if isinstance(node, MappingNode) else None
        if not isinstance(node, MappingNode) or call is None:
            raise leave_out(
                "bad-completion",
                f"`complete` of `{completion.name}` is neither a list of values nor a `call`",
                node.location,
                "write `complete: [a, b]` or `complete: {call: namespace.operation, items: $.x}`",
            )
        others = [name for name in names if name != "value"]
        inputs = tuple(
            InputParameter(name=name, location=node.location, type_="string", required=False)
            for name in ("value", *others)
        )
        operation = self.operations.compile(
            ExposedOperation(
                name=f"{owner}.{completion.name}",
                location=node.location,
                description=f"Completes `{completion.name}` of `{owner}`.",
                input_parameters=inputs,
                call=call,
            ),
            Setting(adapter=self.adapter),
        )
        if operation is None:
            return None
        return CompletionPlan(operation=operation, items=_items(node))


def _items(node: MappingNode) -> Path | None:
    items = node.get("items")
    return compile_path(items.text, items.at) if isinstance(items, Scalar) else None
