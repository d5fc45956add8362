"""What plans need from the outside: client adapters, and the result every run gives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from naftiko.errors import Problems
from naftiko.source import Anchor, Location
from naftiko.values import MISSING, JsonSchema, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.document.nodes import Node, Scalar
    from naftiko.expressions.template import Template
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
    the work failed (a state machine execution with status FAILED; an upstream 4xx): MCP shows it
    as `isError`, REST keeps status and body. `headers` are for the REST answer. `decode` reads
    `raw` in a format other than JSON when somebody needs its value: use `decoded()`. `stream`
    yields further pages, each a result whose value is a list, for callers that take them one by
    one; who does not collects them.
    """

    value: JsonValue | Missing = MISSING
    raw: bytes | None = None
    media_type: str = "application/json"
    status: int = 200
    failed: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    decode: Decode | None = None
    stream: AsyncIterator[Result] | None = None

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


class ClientAdapter(Protocol):
    """One `consumes` entry, compiled. Operations are compiled when they are first asked for."""

    @property
    def namespace(self) -> str:
        """The namespace that calls name."""
        ...

    @property
    def type_(self) -> str:
        """`http`, `aws`, `python`."""
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
    environment alone, whatever the file says, so that no call can reach a real account.
    """

    problems: Problems
    templates: TemplateCompiler
    environment: Mapping[str, str]
    bound: Callable[[str], str | None]
    workspace_root: Path
    add_secret: Callable[[str], None]
    declared: Callable[[str], bool] = lambda _name: False
    sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a plan came from, for errors: `orders.get-order` and its place."""

    name: str
    location: Location
