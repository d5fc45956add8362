"""What a capability exposes. Spec: `exposes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.model.consumes import Authentication
from naftiko.model.parameters import Call, Hints, InputParameter, OutputParameter, WithEntry
from naftiko.model.steps import OutputMapping, Step
from naftiko.source import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposedOperation:
    """What a route and a tool share: a name, inputs, what is called, what comes out.

    `input_parameters` is None where the file declares none, so that they are inferred. One of
    `call`, `steps` and `ref` says what runs; `with_` is the `with` beside `call` or `ref`.
    `content` lists MCP content blocks, `response` maps the REST status and headers: both are this
    engine's own.
    `unsupported` names members the engine does not serve yet (`steps`), with their places.
    """

    name: str
    location: Location
    label: str = ""
    description: str = ""
    input_parameters: tuple[InputParameter, ...] | None = None
    input_schema: Mapping | None = None
    call: Call | None = None
    with_: tuple[WithEntry, ...] = ()
    steps: tuple[Step, ...] = ()
    mappings: tuple[OutputMapping, ...] = ()
    ref: Scalar | None = None
    output_parameters: tuple[OutputParameter, ...] = ()
    hints: Hints | None = None
    content: Node | None = None
    response: Mapping | None = None
    responses: Mapping | None = None
    response_binary: Mapping | None = None
    output_media_type: Scalar | None = None
    max_binary_size: Scalar | None = None
    tags: tuple[str, ...] = ()
    unsupported: tuple[tuple[str, Location], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOperation:
    """An operation under an HTTP method."""

    method: str
    operation: ExposedOperation


@dataclass(frozen=True, slots=True, kw_only=True)
class RestResource:
    """A path and its operations."""

    path: Scalar
    operations: tuple[RestOperation, ...]
    location: Location
    name: str = ""
    description: str = ""
    input_parameters: tuple[InputParameter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposesRest:
    """REST routes on a port."""

    namespace: str
    port: Scalar | None
    location: Location
    address: Scalar | None = None
    description: str = ""
    authentication: Authentication | None = None
    input_parameters: tuple[InputParameter, ...] = ()
    resources: tuple[RestResource, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposesMcp:
    """MCP tools over Streamable HTTP on a port, or over stdio."""

    namespace: str
    location: Location
    port: Scalar | None = None
    address: Scalar | None = None
    transport: str = "http"
    description: str = ""
    authentication: Authentication | None = None
    tools: tuple[ExposedOperation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownExposes:
    """An entry of a type no adapter serves; reported, the rest goes on."""

    namespace: str
    type_: str
    location: Location


Exposes: TypeAlias = ExposesRest | ExposesMcp | UnknownExposes
