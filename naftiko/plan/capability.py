"""A capability as it is served: every operation compiled, nothing left to look up by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from naftiko.errors import Problem
from naftiko.model.capability import Info
from naftiko.model.parameters import Hints
from naftiko.plan.inputs import InputTable
from naftiko.plan.masking import Masker
from naftiko.plan.ports import ClientAdapter, Effect, Plan
from naftiko.source import Location
from naftiko.values import JsonSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationPlan:
    """One route or tool: its inputs, what runs, what comes out.

    `output_schema` is the JSON Schema of the result where its shape is known.
    """

    name: str
    label: str
    description: str
    inputs: InputTable
    plan: Plan
    output_schema: JsonSchema | None
    effect: Effect
    hints: Hints
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOperationPlan:
    """An operation under its method."""

    method: str
    operation: OperationPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePlan:
    """A path with `{name}` variables and its operations, one for each method."""

    path: str
    name: str
    description: str
    operations: tuple[RestOperationPlan, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAuth:
    """How an adapter asks callers who they are.

    `type_` is bearer, apikey or basic. `fields` are resolved values: bearer `token`; apikey `key`,
    `value`, `placement` (header or query); basic `username`, `password`. They are secrets.
    """

    type_: str
    fields: Mapping[str, str]

    def __repr__(self) -> str:
        """Show the type only."""
        return f"ServerAuth({self.type_}, ***)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestAdapterPlan:
    """An `exposes: rest` entry."""

    namespace: str
    address: str | None
    port: int
    description: str
    auth: ServerAuth | None
    routes: tuple[RoutePlan, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class McpAdapterPlan:
    """An `exposes: mcp` entry. `transport` is http or stdio; `port` is None for stdio."""

    namespace: str
    transport: str
    address: str | None
    port: int | None
    description: str
    auth: ServerAuth | None
    tools: tuple[OperationPlan, ...]
    location: Location


AdapterPlan: TypeAlias = RestAdapterPlan | McpAdapterPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Disabled:
    """A route or tool that is not served, and the problem that says why."""

    adapter: str
    name: str
    problem: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityPlan:
    """Everything that is served, and what was left out."""

    path: str
    info: Info
    adapters: tuple[AdapterPlan, ...]
    clients: Mapping[str, ClientAdapter]
    masker: Masker
    disabled: tuple[Disabled, ...]
