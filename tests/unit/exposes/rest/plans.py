"""Small REST plans to test against: plans are a port, so tests bring their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from naftiko.model.capability import Info
from naftiko.model.parameters import Hints
from naftiko.plan.capability import (
    OperationPlan,
    RestAdapterPlan,
    RestOperationPlan,
    RoutePlan,
    ServerAuth,
)
from naftiko.plan.inputs import Input, InputTable
from naftiko.plan.ports import Effect, Result
from naftiko.plan.run import Run
from naftiko.source import Location
from naftiko.values import JsonSchema, JsonValue

HERE = Location("demo.yaml", 1, 1)
INFO = Info(label="Demo", description="A capability for tests.", version="1.2.3")

Work = Callable[[Run], Awaitable[Result]]


@dataclass(slots=True)
class StubPlan:
    """A plan that does what a test wants, and remembers its runs."""

    work: Work
    runs: list[Run] = field(default_factory=list)

    async def run(self, run: Run) -> Result:
        self.runs.append(run)
        return await self.work(run)

    def explain(self) -> Sequence[str]:
        return ["does what the test wants"]


async def echo(run: Run) -> Result:
    return Result(value=dict(run.inputs))


def text(name: str, *sources: str, required: bool = False, **keywords: JsonValue) -> Input:
    return typed(name, "string", *sources, required=required, **keywords)


def typed(
    name: str, type_: str, *sources: str, required: bool = False, **keywords: JsonValue
) -> Input:
    schema: dict[str, JsonValue] = {"type": type_, **keywords}
    return Input(name=name, schema=schema, required=required, sources=sources)


def operation(
    name: str = "do-it",
    *inputs: Input,
    work: Work = echo,
    closed: bool = True,
    output_schema: JsonSchema | None = None,
) -> OperationPlan:
    return OperationPlan(
        name=name,
        label="",
        description=f"Does {name}.",
        inputs=InputTable(inputs=inputs, closed=closed),
        plan=StubPlan(work),  # type: ignore[arg-type]  # stands in for the closed union of plans
        output_schema=output_schema,
        effect=Effect.UNKNOWN,
        hints=Hints(),
        location=HERE,
    )


def route(path: str, **operations: OperationPlan) -> RoutePlan:
    """Return a route: `route("/v1/x", GET=operation(...))`."""
    return RoutePlan(
        path=path,
        name=path.strip("/").replace("/", "-").replace("{", "").replace("}", ""),
        description="",
        operations=tuple(
            RestOperationPlan(method=method, operation=plan) for method, plan in operations.items()
        ),
        location=HERE,
    )


def adapter(*routes: RoutePlan, auth: ServerAuth | None = None) -> RestAdapterPlan:
    return RestAdapterPlan(
        namespace="demo-api",
        address=None,
        port=0,
        description="Routes for tests.",
        auth=auth,
        routes=routes,
        location=HERE,
    )
