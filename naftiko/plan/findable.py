"""CapabilityPlan -> everything of it that can be found: what it exposes, what it can call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from naftiko.errors import SpecError
from naftiko.expressions import ExpressionError
from naftiko.model.parameters import Hints
from naftiko.plan.capability import (
    AdapterPlan,
    CapabilityPlan,
    McpAdapterPlan,
    OperationPlan,
    RestAdapterPlan,
)
from naftiko.plan.clients import LeftOut
from naftiko.plan.finding import MAX_NAMED, RANKS, described, document, words_of
from naftiko.plan.ports import ClientAdapter, ClientOperation, Effect, Outline, Outlines, Parameter
from naftiko.search.ports import Document

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

Kind = Literal["tool", "route", "resource", "prompt", "operation"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Findable:
    """One thing that a capability exposes (a tool, route, resource, prompt) or can call.

    `address` is `namespace.name`; `place` how others reach it: "GET /orders/{id}",
    "orders://{id}". `inputs` are what it takes, those that are needed first. `spelled` is how an
    AWS operation is written on the command line of AWS.
    """

    kind: Kind
    address: str
    title: str
    description: str
    effect: Effect
    inputs: tuple[Parameter, ...] = ()
    place: str = ""
    tags: tuple[str, ...] = ()
    spelled: tuple[str, ...] = ()

    @property
    def exposed(self) -> bool:
        """Whether callers reach it; else it can be called by a file."""
        return self.kind != "operation"

    def to_document(self, id_: str) -> Document:
        """Return it as what is searched; what is exposed comes before what it calls."""
        name = self.address.partition(".")[2] or self.address
        parameters = "; ".join(
            described(item.name, item.schema) for item in self.inputs[:MAX_NAMED]
        )
        # Of what is exposed all in a file have the same namespace, which then says nothing.
        about = words_of(self.place if self.exposed else self.address.partition(".")[0])
        return document(
            id_,
            name=name,
            title=self.title,
            description=self.description,
            parameters=parameters,
            tags=(*self.tags, about) if about else self.tags,
            rank=RANKS[self.effect] + (0.0 if self.exposed else 0.5),
        )


def exposed_of(plan: CapabilityPlan) -> Iterator[Findable]:
    """Yield what is exposed, without what is discovered while it serves."""
    for adapter in plan.adapters:
        yield from _adapter(adapter)


def _adapter(adapter: AdapterPlan) -> Iterator[Findable]:
    if isinstance(adapter, RestAdapterPlan):
        for route in adapter.routes:
            for item in route.operations:
                place = f"{item.method} {route.path}"
                yield _operation("route", adapter.namespace, item.operation, place=place)
    elif isinstance(adapter, McpAdapterPlan):
        for tool in adapter.tools:
            yield _operation("tool", adapter.namespace, tool)
        for resource in adapter.resources:
            variables = [
                Parameter(name=name, schema={"type": "string"}, required=True)
                for name in resource.variables
            ]
            yield Findable(
                kind="resource",
                address=f"{adapter.namespace}.{resource.name}",
                title=resource.label,
                description=resource.description,
                effect=Effect.READ,
                inputs=tuple(variables),
                place=resource.uri,
            )
        for prompt in adapter.prompts:
            arguments = [
                Parameter(
                    name=item.name,
                    schema={"type": "string", "description": item.description},
                    required=item.required,
                )
                for item in prompt.arguments
            ]
            yield Findable(
                kind="prompt",
                address=f"{adapter.namespace}.{prompt.name}",
                title=prompt.label,
                description=prompt.description,
                effect=Effect.READ,
                inputs=tuple(arguments),
            )


def _operation(kind: Kind, namespace: str, operation: OperationPlan, place: str = "") -> Findable:
    inputs = [
        Parameter(
            name=item.name,
            schema={**item.schema, "description": item.description}
            if item.description
            else item.schema,
            required=item.required,
        )
        for item in operation.inputs.inputs
    ]
    return Findable(
        kind=kind,
        address=f"{namespace}.{operation.name}",
        title=operation.label,
        description=operation.description,
        effect=_effect(operation),
        inputs=_needed_first(inputs),
        place=place,
        tags=operation.tags,
    )


def _effect(operation: OperationPlan) -> Effect:
    """Return what it does: what is known of its calls, else what its file says."""
    hints = operation.hints
    if operation.effect is not Effect.UNKNOWN or hints == Hints():
        return operation.effect
    if hints.read_only:
        return Effect.READ
    if hints.destructive is None:
        return Effect.UNKNOWN
    return Effect.DESTRUCTIVE if hints.destructive else Effect.WRITE


def callable_of(plan: CapabilityPlan) -> Iterator[Findable]:
    """Yield every operation of the consumed namespaces, called by something or not."""
    for namespace, client in plan.clients.items():
        for outline in _outlines(client):
            yield Findable(
                kind="operation",
                address=f"{namespace}.{outline.name}",
                title="",
                description=outline.description,
                effect=outline.effect,
                inputs=_needed_first(outline.parameters),
                place=outline.place,
                spelled=outline.spelled,
            )


def _outlines(client: ClientAdapter) -> Sequence[Outline]:
    if isinstance(client, Outlines):
        return client.outlines()
    found = (_compiled(client, name) for name in client.operation_names())
    return [item for item in found if item is not None]


def _compiled(client: ClientAdapter, name: str) -> Outline | None:
    """Return an operation that has to be compiled; None where it cannot be, which is warned of."""
    try:
        operation = client.operation(name)
    except (ExpressionError, LeftOut, SpecError):
        return None
    if operation is None:
        return None
    return Outline(
        name=name,
        description=operation.description,
        effect=operation.effect,
        parameters=tuple(operation.parameters),
        place=_sent(operation),
    )


def _sent(operation: ClientOperation) -> str:
    """Return what a call sends, where that is a request of HTTP: "GET https://.../orders"."""
    line = next(iter(operation.explain()), "")
    return line if line.partition(" ")[0] in METHODS else ""


def _needed_first(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    return tuple(sorted(parameters, key=lambda item: not item.required))
