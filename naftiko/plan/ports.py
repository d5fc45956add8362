"""What plans need from the outside: client adapters, and the result every run gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from naftiko.errors import Problems
from naftiko.source import Anchor, Location
from naftiko.values import MISSING, JsonSchema, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.document.nodes import Node, Scalar
    from naftiko.expressions.template import Template
    from naftiko.plan.meter import Meter
    from naftiko.plan.run import Run
    from naftiko.plan.values import ValueTemplate


class Effect(Enum):
    """What calling an operation does to the consumed API, as far as is known."""

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"
    UNKNOWN = "unknown"


@dataclass(slots=True, kw_only=True)
class Result:
    """What a call or a plan gave.

    Either `value` (JSON, decoded) or `raw` with its `media_type` (bytes that pass through).
    `status` is an HTTP status. `failed` marks an answer that arrived in good order and says that
    the work failed (a job whose status is FAILED; an upstream 4xx): MCP shows it as `isError`, REST
    keeps status and body. `judged` says that it failed by `isError` of the exposing file: REST
    answers 502, with the value as its detail, where `status` is a good one. `headers` are for the
    REST answer. `decode` reads `raw` in a format other than JSON when somebody needs its value: use
    `decoded()`. `stream` yields pages, each a result whose value is a list, for callers that take
    them one by one: only a run that says `streams` gets one. `received` are the headers that an API
    sent, for client adapters alone: they are never passed on.
    """

    value: JsonValue | Missing = MISSING
    raw: bytes | None = None
    media_type: str = "application/json"
    status: int = 200
    failed: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    decode: Decode | None = None
    stream: AsyncIterator[Result] | None = None
    received: Mapping[str, str] | None = None
    judged: bool = False

    async def decoded(self) -> JsonValue | Missing:
        """Return `value`, read from `raw` when it is first asked for.

        Raises: ConsumedError where `raw` is not of the declared format, or too much of it.
        """
        if self.decode is not None:
            decode, self.decode = self.decode, None
            self.value = await decode()
        return self.value


Decode: TypeAlias = Callable[[], Awaitable["JsonValue | Missing"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument of a consumed operation. `schema` is JSON Schema 2020-12, with a description.

    `in_` is where an HTTP API takes it; "" where that has no meaning.
    """

    name: str
    schema: JsonSchema
    required: bool = False
    in_: str = ""


class ClientOperation(Protocol):
    """One operation of a consumed API, ready to be called."""

    @property
    def address(self) -> str:
        """`namespace.operation`."""
        ...

    @property
    def description(self) -> str:
        """Say what it does, in a sentence or two of plain text."""
        ...

    @property
    def parameters(self) -> Sequence[Parameter]:
        """The arguments it takes."""
        ...

    @property
    def open_arguments(self) -> bool:
        """Whether arguments beyond `parameters` are passed on (a JSON body of the rest)."""
        ...

    @property
    def output_schema(self) -> JsonSchema | None:
        """The JSON Schema of its result, if known."""
        ...

    @property
    def effect(self) -> Effect:
        """What calling it does."""
        ...

    def explain(self) -> Sequence[str]:
        """Return lines that say what a call sends and how the answer is read; no secrets."""
        ...

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call it once (retries and pages included).

        Raises: InputError, ConsumedError, DeadlineError, ShapingError.
        """
        ...


class Plan(Protocol):
    """What an exposed operation runs: a call, steps, a mock."""

    @property
    def calls(self) -> Sequence[str]:
        """The addresses of the consumed operations it may call, in the file's order."""
        ...

    async def run(self, run: Run) -> Result:
        """Run once.

        Raises: RunError; Suspended where it needs an answer that the caller gives later.
        """
        ...

    def explain(self) -> Sequence[str]:
        """Return lines that say what it does; no secrets."""
        ...


@runtime_checkable
class SuppliesArguments(Protocol):
    """A client operation that knows some arguments better than the file, which names them too."""

    @property
    def supplied(self) -> frozenset[str]:
        """Their names, in lower case: what a caller gives for them is not used."""
        ...


@runtime_checkable
class StreamsPages(Protocol):
    """A client operation whose pages can be taken one by one."""

    async def open(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call it and wait for the first page only.

        A failed first page is an answer like any other. Otherwise `stream` yields every page as
        the API sent it, the first one included.

        Raises: as `call` does; the stream raises the same.
        """
        ...

    def items_of(self, page: JsonValue) -> Sequence[JsonValue]:
        """Return the items of a page."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """An operation in short, for lists of many: what compiling each of them would take seconds.

    `parameters` are what it takes; `place` is what a call of it sends: "GET /orders/{id}";
    `spelled` is how others call it: ("aws stepfunctions start-execution",).
    """

    name: str
    description: str
    effect: Effect
    parameters: tuple[Parameter, ...]
    place: str = ""
    spelled: tuple[str, ...] = ()


@runtime_checkable
class Outlines(Protocol):
    """A client adapter that knows all its operations without compiling them."""

    def outlines(self) -> Sequence[Outline]:
        """Return every operation that calls may name, in short."""
        ...


class ClientAdapter(Protocol):
    """One `consumes` entry, compiled. Operations are compiled when they are first asked for."""

    @property
    def namespace(self) -> str:
        """The namespace that calls name."""
        ...

    @property
    def type_(self) -> str:
        """`http`, `aws`, `workflows`, `python`."""
        ...

    def operation_names(self) -> Sequence[str]:
        """Return the names calls may use."""
        ...

    def operation(self, name: str) -> ClientOperation | None:
        """Return that operation, compiled once; None where there is none."""
        ...

    async def close(self) -> None:
        """Close connections. It must not raise."""
        ...


@runtime_checkable
class Starts(Protocol):
    """A client adapter that does something by itself while its capability serves."""

    def start(self) -> None:
        """Begin it, on the running loop; `close` ends it. It must not raise."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardRequest:
    """A caller's request, to be passed on.

    `path` is what comes below the API's base path, percent-encoded and checked; None calls the
    base URI itself. `headers` are those that may go on. `body` comes in parts; `length` is its
    size where the caller says it.
    """

    method: str
    path: str | None
    query: str
    headers: tuple[tuple[str, str], ...]
    body: AsyncIterator[bytes] | None = None
    length: int | None = None


class ForwardedResponse(Protocol):
    """An API's answer while it comes in. Close it."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The headers as they came, names in lower case."""
        ...

    @property
    def moved_below(self) -> str | None:
        """What `Location` names below the API's base path, None where it leads elsewhere."""
        ...

    async def chunk(self) -> bytes:
        """Return the next part of the body, b"" at its end.

        Raises: ConsumedError, DeadlineError.
        """
        ...

    async def close(self) -> None:
        """End the exchange, if it has not ended."""
        ...


class Forwarder(Protocol):
    """Passes requests on to an API."""

    def explain(self) -> Sequence[str]:
        """Return lines that say where they go; no secrets."""
        ...

    async def forward(self, request: ForwardRequest, run: Run) -> ForwardedResponse:
        """Send a request and return the answer once its head is there.

        Raises: ConsumedError, DeadlineError; and what reading the body raises.
        """
        ...


@runtime_checkable
class Forwards(Protocol):
    """A client adapter that requests can be forwarded to."""

    def forwarder(self) -> Forwarder | None:
        """Return what forwards to this API, None where its calls are not plain HTTP."""
        ...


class TemplateCompiler(Protocol):
    """Compiles the templates of a consumed entry, binding `{{VAR}}` and `{{ns.VAR}}` at load."""

    def text(self, text: str, at: Anchor) -> Template:
        """Compile one string."""
        ...

    def value(self, node: Node) -> ValueTemplate:
        """Compile a JSON value whose strings may hold templates."""
        ...

    def scalar(self, scalar: Scalar) -> Template:
        """Compile the text of a scalar."""
        ...

    def input_name(self, name: str) -> str | None:
        """Return "x" for "rest.x", "tools.x" and "<exposing namespace>.x", else None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientContext:
    """What a client adapter may use while it is compiled.

    `environment` is the process environment with `--env-file` laid over it (and what the sandbox
    sets); adapters read it instead of `os.environ`. `bound` returns the value of a bound variable,
    `declared` tells whether a bind declares one, with or without a value.
    `sandbox` says that AWS is the embedded one: endpoint, region and credentials come from the
    environment alone, whatever the file says, so that no call can reach a real account. `find`
    returns what a `call` names (the call, and the operation that makes it), or raises LeftOut.
    `version_of` counts how often a variable that is refreshed was given another value; `refreshes`
    tells whether there is such a variable. `memory` is what adapters keep beyond their own life.
    `forget_secret` is for what `add_secret` was told and has long ended. `meter` counts what is
    sent, where somebody looks.
    """

    problems: Problems
    templates: TemplateCompiler
    environment: Mapping[str, str]
    bound: Callable[[str], str | None]
    workspace_root: Path
    add_secret: Callable[[str], None]
    declared: Callable[[str], bool] = lambda _name: False
    sandbox: bool = False
    find: Callable[[Scalar, str], ClientOperation] | None = None
    version_of: Callable[[str], int] = lambda _name: 0
    refreshes: bool = False
    forget_secret: Callable[[str], None] = lambda _value: None
    memory: dict[str, str] = field(default_factory=dict, repr=False)
    meter: Meter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a plan came from, for errors: `orders.get-order` and its place."""

    name: str
    location: Location
