"""What a capability exposes. Spec: `exposes`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.model.consumes import Authentication
from naftiko.model.control import ExposesControl
from naftiko.model.mcp import McpOptions, McpPrompt, McpResource
from naftiko.model.parameters import Call, Hints, InputParameter, OutputParameter, WithEntry
from naftiko.model.skills import ExposesSkill
from naftiko.model.steps import OutputMapping, Step
from naftiko.source import Location

if TYPE_CHECKING:
    from naftiko.model.discovery import Discovery


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExposedOperation:
    """What a route and a tool share: a name, inputs, what is called, what comes out.

    `input_parameters` is None where the file declares none, so that they are inferred. One of
    `call`, `steps` and `ref` says what runs; `with_` is the `with` beside `call` or `ref`.
    `on_error` is what its steps do on failures, where they do not say.
    `content` lists MCP content blocks, `response` maps the REST status and headers, `is_error` says
    which answers are failures, `output_schema` is what they look like, `when` says whether it is
    there at all: these are this engine's own.
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
    on_error: Scalar | None = None
    ref: Scalar | None = None
    output_parameters: tuple[OutputParameter, ...] = ()
    hints: Hints | None = None
    content: Node | None = None
    when: Scalar | None = None
    is_error: Scalar | None = None
    output_schema: Node | None = None
    response: Mapping | None = None
    responses: Mapping | None = None
    response_binary: Mapping | None = None
    output_media_type: Scalar | None = None
    max_binary_size: Scalar | None = None
    tags: tuple[str, ...] = ()
    task_support: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RestOperation:
    """An operation under an HTTP method."""

    method: str
    operation: ExposedOperation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ForwardConfig:
    """Where requests go that no operation of a resource answers. Spec: `forward`."""

    target: Scalar | None
    trusted_headers: tuple[Scalar, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RestResource:
    """A path and its operations; `forward` takes what none of them does."""

    path: Scalar
    operations: tuple[RestOperation, ...]
    location: Location
    name: str = ""
    description: str = ""
    input_parameters: tuple[InputParameter, ...] = ()
    forward: ForwardConfig | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExposesRest:
    """REST routes on a port. `cors` is this engine's own."""

    namespace: str
    port: Scalar | None
    location: Location
    address: Scalar | None = None
    description: str = ""
    authentication: Authentication | None = None
    input_parameters: tuple[InputParameter, ...] = ()
    resources: tuple[RestResource, ...] = ()
    max_binary_size: Scalar | None = None
    cors: Mapping | None = None
    discover: tuple[Discovery, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExposesMcp:
    """MCP tools, resources and prompts over Streamable HTTP on a port, or over stdio."""

    namespace: str
    location: Location
    port: Scalar | None = None
    address: Scalar | None = None
    transport: str = "http"
    description: str = ""
    authentication: Authentication | None = None
    tools: tuple[ExposedOperation, ...] = ()
    resources: tuple[McpResource, ...] = ()
    prompts: tuple[McpPrompt, ...] = ()
    options: McpOptions = field(default_factory=McpOptions)
    cors: Mapping | None = None
    discover: tuple[Discovery, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnknownExposes:
    """An entry of a type no adapter serves; reported, the rest goes on."""

    namespace: str
    type_: str
    location: Location


Exposes: TypeAlias = ExposesRest | ExposesMcp | ExposesSkill | ExposesControl | UnknownExposes
