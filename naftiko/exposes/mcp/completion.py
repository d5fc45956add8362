"""completion/complete: what may be typed for an argument of a prompt or a resource template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcp_types import (
    CompleteRequestParams,
    CompleteResult,
    Completion,
    PromptReference,
)

from naftiko.exposes.mcp.failures import guarded, refuse_failed
from naftiko.exposes.mcp.prompts import PromptTable
from naftiko.exposes.mcp.resources import ResourceTable
from naftiko.expressions.text import value_text
from naftiko.plan.capability import CompletionPlan
from naftiko.plan.masking import Masker
from naftiko.plan.run import Run
from naftiko.values import MISSING, JsonValue

MAX_SHOWN_VALUES = 100
"""Values of one answer. MCP 2025-11-25, server/utilities/completion."""
MAX_VALUES = 10_000


class Completer:
    """Answers completion requests of one adapter."""

    def __init__(self, prompts: PromptTable, resources: ResourceTable, masker: Masker) -> None:
        """Keep where arguments are declared."""
        self._prompts, self._resources, self._masker = prompts, resources, masker

    async def complete(self, params: CompleteRequestParams) -> CompleteResult:
        """Return the values that fit what is typed so far.

        Raises: MCPError (-32602) for an unknown prompt or template.
        """
        plans = self._plans(params)
        plan = plans.get(params.argument.name)
        if plan is None:
            return CompleteResult(completion=Completion(values=[], total=0, has_more=False))
        typed = params.argument.value
        known = params.context.arguments if params.context else None
        values = await self._values(plan, typed, known or {})
        fitting = ranked(values, typed)
        return CompleteResult(
            completion=Completion(
                values=fitting[:MAX_SHOWN_VALUES],
                total=len(fitting),
                has_more=len(fitting) > MAX_SHOWN_VALUES,
            )
        )

    def _plans(self, params: CompleteRequestParams) -> Mapping[str, CompletionPlan]:
        if isinstance(params.ref, PromptReference):
            return self._prompts.find(params.ref.name).completions
        uri = str(params.ref.uri)
        found = self._resources.template(uri) or self._resources.find(uri).resource
        return found.completions

    async def _values(
        self, plan: CompletionPlan, typed: str, known: Mapping[str, str]
    ) -> Sequence[str]:
        operation = plan.operation
        if operation is None:
            return plan.values

        async def run() -> Sequence[str]:
            named = {name: text for name, text in known.items() if operation.inputs.get(name)}
            inputs = operation.inputs.check({**named, "value": typed})
            result = await operation.plan.run(Run(inputs=inputs))
            value = await result.decoded()
            refuse_failed(result, f"the completion `{operation.name}`")
            if value is MISSING and result.raw is not None:
                import orjson

                value = orjson.loads(result.raw)
            if plan.items is not None and value is not MISSING:
                value = plan.items.find(value)
            return _texts(value if value is not MISSING else [])

        return await guarded(f"the completion `{operation.name}`", run, self._masker, {})


def _texts(value: JsonValue) -> list[str]:
    items = value if isinstance(value, list) else [value]
    texts = [value_text(item) for item in items[:MAX_VALUES] if not isinstance(item, dict | list)]
    return list(dict.fromkeys(text for text in texts if text))


def ranked(values: Sequence[str], typed: str) -> list[str]:
    """Return the values that hold what is typed, those that start with it first.

    ["paris", "oslo", "cambridge"], "ri" -> ["paris", "cambridge"]
    """
    low = typed.casefold()
    holding = [value for value in values if low in value.casefold()]
    return sorted(holding, key=lambda value: not value.casefold().startswith(low))
