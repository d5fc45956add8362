"""A capability as it is served: every operation compiled, nothing left to look up by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from naftiko.errors import Problem
from naftiko.expressions.jsonpath import Path
from naftiko.model.capability import Info
from naftiko.model.parameters import Hints
from naftiko.plan.aftermath import Aftermath
from naftiko.plan.inputs import InputTable
from naftiko.plan.masking import Masker
from naftiko.plan.ports import ClientAdapter, Effect, Plan
from naftiko.plan.run import DEFAULT_MAX_BYTES
from naftiko.source import Location
from naftiko.values import JsonObject, JsonSchema

if TYPE_CHECKING:
    from naftiko.plan.content import Content
    from naftiko.plan.discovery.entries import Discovered
    from naftiko.plan.discovery.finder import Finder
    from naftiko.plan.forward import ForwardPlan
    from naftiko.plan.meter import Meter
    from naftiko.plan.resource_lists import ResourceListPlan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class OperationPlan:
    """One route or tool: its inputs, what runs, what comes out.

    `output_schema` is the JSON Schema of the result where its shape is known. `content` are MCP
    content blocks made of inputs, step outputs and the result, for MCP callers. `task_support`
    says whether MCP callers may have it as a task: forbidden, optional or required.
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
    content: Content | None = None
    task_support: str = "forbidden"
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RestOperationPlan:
    """An operation under its method. `documented` are its answers by status, for OpenAPI.

    `by_schema` says that its body, or its query, is one object that `inputs.verbatim` describes.
    """

    method: str
    operation: OperationPlan
    documented: Mapping[str, JsonObject] = field(default_factory=dict)
    by_schema: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RoutePlan:
    """A path with `{name}` variables and its operations, one for each method.

    `forward` takes the methods that no operation has.
    """

    path: str
    name: str
    description: str
    operations: tuple[RestOperationPlan, ...]
    location: Location
    forward: ForwardPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ServerAuth:
    """How an adapter asks callers who they are.

    `type_` is bearer, apikey or basic. `fields` are resolved values: bearer `token`; apikey `key`,
    `value`, `placement` (header or query); basic `username`, `password`. They are secrets.
    `current` returns them as they are now, where a bind refreshes one of them.
    """

    type_: str
    fields: Mapping[str, str]
    current: Callable[[], Mapping[str, str]] | None = None

    def __repr__(self) -> str:
        """Show the type only."""
        return f"ServerAuth({self.type_}, ***)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CorsPlan:
    """Which pages of other origins may call an adapter. `origins` may be ("*",)."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    credentials: bool
    max_age_s: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RestAdapterPlan:
    """An `exposes: rest` entry."""

    kind: ClassVar[str] = "rest"
    namespace: str
    address: str | None
    port: int
    description: str
    auth: ServerAuth | None
    routes: tuple[RoutePlan, ...]
    location: Location
    max_binary_bytes: int | None = None
    cors: CorsPlan | None = None
    discovered: Discovered | None = None
    meter: Meter | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CompletionPlan:
    """What may be typed for one argument: `values`, or what `items` finds in a call's answer.

    The call's inputs are `value` (what is typed so far) and the arguments known already.
    """

    values: tuple[str, ...] = ()
    operation: OperationPlan | None = None
    items: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FilesPlan:
    """A file, or a folder whose files are resources of their own."""

    path: FilePath
    is_folder: bool
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ResourcePlan:
    """One resource or resource template: files, or an operation over the URI's variables.

    `variables` are the names in `uri` (RFC 6570); a resource without any is listed as it is.
    `refresh_s` is how often it is looked at while somebody is subscribed, None where it never
    changes by itself.
    """

    name: str
    label: str
    description: str
    uri: str
    location: Location
    variables: tuple[str, ...] = ()
    media_type: str | None = None
    binary: bool = False
    size: int | None = None
    annotations: JsonObject | None = None
    files: FilesPlan | None = None
    operation: OperationPlan | None = None
    refresh_s: float | None = None
    completions: Mapping[str, CompletionPlan] = field(default_factory=dict)
    list_: ResourceListPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PromptArgumentPlan:
    """An argument as it is listed."""

    name: str
    label: str
    description: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PromptPlan:
    """One prompt: `messages` over the arguments and, where `operation` runs first, its result.

    Without messages the operation's answer makes them.
    """

    name: str
    label: str
    description: str
    location: Location
    arguments: tuple[PromptArgumentPlan, ...]
    inputs: InputTable
    messages: Content | None = None
    operation: OperationPlan | None = None
    completions: Mapping[str, CompletionPlan] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TaskServing:
    """How long an MCP adapter keeps tasks, and how many.

    `ttl_s` counts from a task's creation, where the caller does not ask for another up to
    `max_ttl_s`. `most` is over all callers, `most_each` of one session.
    """

    ttl_s: float = 3_600.0
    max_ttl_s: float = 86_400.0
    most: int = 1_000
    most_each: int = 100
    poll_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ToolSearchServing:
    """How an MCP adapter lets callers search its tools instead of listing them all.

    `listed` are names of tools that `tools/list` shows all the same; None shows all.
    `description` says what the tools are about, where it is not what the adapter says of itself.
    """

    listed: tuple[str, ...] | None = ()
    max_results: int = 5
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class McpServing:
    """How an MCP adapter serves its lists and streams.

    `ttl_ms` and `cache_scope` are None where the file leaves them to the engine. `retry_ms` makes
    event streams of 2025-11-25 resumable, and `close_after_s` ends the stream of a call that takes
    longer, so that its caller comes back for the answer. `tasks` is None where no tool may become
    one, `tool_search` where tools are listed and not searched.
    """

    max_bytes: int = DEFAULT_MAX_BYTES
    page_size: int = 1000
    ttl_ms: int | None = None
    cache_scope: Literal["public", "private"] | None = None
    retry_ms: int | None = None
    close_after_s: float | None = None
    tasks: TaskServing | None = None
    tool_search: ToolSearchServing | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class McpAdapterPlan:
    """An `exposes: mcp` entry. `transport` is http or stdio; `port` is None for stdio."""

    kind: ClassVar[str] = "mcp"
    namespace: str
    transport: str
    address: str | None
    port: int | None
    description: str
    auth: ServerAuth | None
    tools: tuple[OperationPlan, ...]
    location: Location
    resources: tuple[ResourcePlan, ...] = ()
    prompts: tuple[PromptPlan, ...] = ()
    options: McpServing = field(default_factory=McpServing)
    cors: CorsPlan | None = None
    discovered: Discovered | None = None
    meter: Meter | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SkillPlan:
    """One skill. `details` is what its page answers; `folder` holds its files."""

    name: str
    description: str
    license: str
    details: JsonObject
    tools: tuple[str, ...]
    folder: FilePath | None
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SkillAdapterPlan:
    """An `exposes: skill` entry: files and a catalogue, by the skill's name."""

    kind: ClassVar[str] = "skill"
    namespace: str
    address: str | None
    port: int
    description: str
    auth: ServerAuth | None
    skills: Mapping[str, SkillPlan]
    location: Location
    cors: CorsPlan | None = None
    meter: Meter | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ControlAdapterPlan:
    """An `exposes: control` entry: a port for operators.

    `namespace` names it on the command line, where the file does not `control`. `health`,
    `status` and `metrics` say which of its endpoints there are. `generation` and `spec_version`
    are the file's: "ikanos", "1.0.0-beta5".
    """

    kind: ClassVar[str] = "control"
    namespace: str
    address: str | None
    port: int
    description: str
    auth: ServerAuth | None
    health: bool
    status: bool
    metrics: bool
    generation: str
    spec_version: str
    location: Location

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The paths that are served."""
        found: tuple[str, ...] = ("/health/live", "/health/ready") if self.health else ()
        found += ("/status",) if self.status else ()
        return (*found, "/metrics") if self.metrics else found


AdapterPlan: TypeAlias = RestAdapterPlan | McpAdapterPlan | SkillAdapterPlan | ControlAdapterPlan


def discovered_of(adapter: AdapterPlan) -> Discovered | None:
    """Return what an adapter discovers while it serves, None where it discovers nothing."""
    return adapter.discovered if isinstance(adapter, RestAdapterPlan | McpAdapterPlan) else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Disabled:
    """A route or tool that is not served, and the problem that says why."""

    adapter: str
    name: str
    problem: Problem


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CapabilityPlan:
    """Everything that is served, and what was left out.

    `discoveries` look for entries of the adapters while the capability serves. `meter` counts
    requests and calls, where a control adapter shows them.
    """

    path: str
    info: Info
    adapters: tuple[AdapterPlan, ...]
    clients: Mapping[str, ClientAdapter]
    masker: Masker
    disabled: tuple[Disabled, ...]
    aftermath: Aftermath = field(default_factory=Aftermath)
    discoveries: tuple[Finder, ...] = ()
    meter: Meter | None = None
