"""Client adapters that follow variables with `refresh`.

What adapters are made of is settled when they are compiled: hosts, headers, keys, certificates.
So an adapter whose variables have other values is compiled anew, at the next call, and the old one
is closed once its last call has ended. Where the new values cannot be used, the old adapter stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from naftiko.document.nodes import Node, Scalar
from naftiko.errors import NaftikoError, Problems
from naftiko.expressions.template import Reference, Template
from naftiko.plan.ports import (
    ClientAdapter,
    ClientContext,
    ClientOperation,
    Effect,
    ForwardedResponse,
    Forwarder,
    ForwardRequest,
    Forwards,
    Parameter,
    Result,
    StreamsPages,
    SuppliesArguments,
    TemplateCompiler,
)
from naftiko.plan.run import Run
from naftiko.plan.values import ValueTemplate
from naftiko.source import Anchor
from naftiko.values import JsonSchema, JsonValue

Compile = Callable[[ClientContext], ClientAdapter]

logger = logging.getLogger("naftiko")


@dataclass(slots=True)
class _Held:
    """A compiled adapter, and how many calls it is in the middle of."""

    adapter: ClientAdapter
    calls: int = 0
    is_retired: bool = False


class LiveAdapter:
    """An adapter that is compiled anew when a variable that it uses has another value."""

    def __init__(self, compile_: Compile, context: ClientContext) -> None:
        """Compile it for the first time.

        Raises: ExpressionError.
        """
        self._compile = compile_
        self._names: set[str] = set()
        self._context = replace(
            context,
            bound=self._noting(context.bound),
            templates=_NotingTemplates(context.templates, self._names),
        )
        self._version_of = context.version_of
        self._held = _Held(compile_(self._context))
        self._operations: dict[str, ClientOperation] = {}
        self._stamp = self._versions()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def namespace(self) -> str:
        """The namespace that calls name."""
        return self._held.adapter.namespace

    @property
    def type_(self) -> str:
        """The type of the entry."""
        return self._held.adapter.type_

    def operation_names(self) -> Sequence[str]:
        """Return the names calls may use."""
        return self._held.adapter.operation_names()

    def operation(self, name: str) -> ClientOperation | None:
        """Return that operation; it follows the variables from then on."""
        found = self._operations.get(name)
        if found is not None:
            return found
        first = self._held.adapter.operation(name)
        if first is None:
            return None
        self._stamp = self._versions()
        made = self._operations[name] = _live(self, name, first)
        return made

    def forwarder(self) -> Forwarder | None:
        """Return what forwards to this API, None where that cannot be done."""
        adapter = self._held.adapter
        first = adapter.forwarder() if isinstance(adapter, Forwards) else None
        return None if first is None else LiveForwarder(self, first)

    def current_forwarder(self) -> Forwarder | None:
        """Return what forwards with the values as they are now."""
        self.follow()
        adapter = self._held.adapter
        return adapter.forwarder() if isinstance(adapter, Forwards) else None

    async def close(self) -> None:
        """Close connections."""
        await self._held.adapter.close()
        if self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    def follow(self) -> bool:
        """Compile anew if a variable has another value; tells whether that was done."""
        if self._versions() == self._stamp:
            return False
        return self._renew()

    def enter(self, name: str) -> tuple[_Held, ClientOperation]:
        """Return the operation as it is now, held until `leave`."""
        self.follow()
        held = self._held
        operation = held.adapter.operation(name)
        assert operation is not None  # a name stays what it is
        held.calls += 1
        return held, operation

    def leave(self, held: _Held) -> None:
        """End a call; the last one of a retired adapter closes it."""
        held.calls -= 1
        if held.is_retired and held.calls == 0:
            self._close(held)

    def _renew(self) -> bool:
        """Compile the adapter and its operations with the values as they are now."""
        problems = Problems()
        fault = ""
        try:
            adapter = self._compile(replace(self._context, problems=problems))
            for name in self._operations:
                adapter.operation(name)
            fault = problems.errors[0].code if problems.errors else ""
        except NaftikoError as error:
            fault = type(error).__name__
        self._stamp = self._versions()
        if fault:
            logger.warning("`%s` keeps its old settings: new ones are %s", self.namespace, fault)
            return False
        old, self._held = self._held, _Held(adapter)
        old.is_retired = True
        if old.calls == 0:
            self._close(old)
        return True

    def _close(self, held: _Held) -> None:
        task = asyncio.get_running_loop().create_task(held.adapter.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _versions(self) -> tuple[tuple[str, int], ...]:
        found = ((name, self._version_of(name)) for name in sorted(self._names))
        return tuple((name, version) for name, version in found if version)

    def _noting(self, bound: Callable[[str], str | None]) -> Callable[[str], str | None]:
        def noted(name: str) -> str | None:
            self._names.add(name)
            return bound(name)

        return noted


@dataclass(frozen=True, slots=True)
class _NotingTemplates:
    """A `TemplateCompiler` that notes the names which its templates read."""

    inner: TemplateCompiler
    names: set[str]

    def text(self, text: str, at: Anchor) -> Template:
        return self._noted(self.inner.text(text, at))

    def value(self, node: Node) -> ValueTemplate:
        template = self.inner.value(node)
        self._note(template.references)
        return template

    def scalar(self, scalar: Scalar) -> Template:
        return self._noted(self.inner.scalar(scalar))

    def input_name(self, name: str) -> str | None:
        return self.inner.input_name(name)

    def _noted(self, template: Template) -> Template:
        self._note(template.references)
        return template

    def _note(self, references: Sequence[Reference]) -> None:
        self.names.update(reference.name for reference in references)


@dataclass(frozen=True, slots=True)
class LiveOperation:
    """An operation of the adapter as it is when it is called. What it is called by stays."""

    owner: LiveAdapter
    name: str
    first: ClientOperation = field(repr=False)

    @property
    def address(self) -> str:
        """`namespace.operation`."""
        return self.first.address

    @property
    def description(self) -> str:
        """Say what it does."""
        return self.first.description

    @property
    def parameters(self) -> Sequence[Parameter]:
        """The arguments it takes."""
        return self.first.parameters

    @property
    def open_arguments(self) -> bool:
        """Whether arguments beyond `parameters` are passed on."""
        return self.first.open_arguments

    @property
    def output_schema(self) -> JsonSchema | None:
        """The JSON Schema of its result, if known."""
        return self.first.output_schema

    @property
    def effect(self) -> Effect:
        """What calling it does."""
        return self.first.effect

    def explain(self) -> Sequence[str]:
        """Return what it does; no secrets."""
        return self.first.explain()

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call it with the values as they are now.

        Raises: InputError, ConsumedError, DeadlineError, ShapingError.
        """
        held, operation = self.owner.enter(self.name)
        try:
            return await operation.call(arguments, run)
        finally:
            self.owner.leave(held)


class LiveForwarder:
    """Forwards with the values as they are when a request comes."""

    def __init__(self, owner: LiveAdapter, first: Forwarder) -> None:
        """Keep whose it is."""
        self._owner = owner
        self._current = first

    def explain(self) -> Sequence[str]:
        """Return lines that say where requests go; no secrets."""
        return self._current.explain()

    async def forward(self, request: ForwardRequest, run: Run) -> ForwardedResponse:
        """Send a request and return the answer once its head is there.

        Raises: ConsumedError, DeadlineError; and what reading the body raises.
        """
        self._current = self._owner.current_forwarder() or self._current
        return await self._current.forward(request, run)


@dataclass(frozen=True, slots=True)
class _Supplying(LiveOperation):
    """One that knows some arguments better than the file."""

    @property
    def supplied(self) -> frozenset[str]:
        """Their names."""
        assert isinstance(self.first, SuppliesArguments)
        return self.first.supplied


@dataclass(frozen=True, slots=True)
class _Streaming(LiveOperation):
    """One whose pages can be taken one by one."""

    async def open(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Call it and wait for the first page only; the stream goes on with the same settings."""
        held, operation = self.owner.enter(self.name)
        assert isinstance(operation, StreamsPages)
        try:
            return await operation.open(arguments, run)
        finally:
            self.owner.leave(held)

    def items_of(self, page: JsonValue) -> Sequence[JsonValue]:
        """Return the items of a page."""
        assert isinstance(self.first, StreamsPages)
        return self.first.items_of(page)


def _live(owner: LiveAdapter, name: str, first: ClientOperation) -> ClientOperation:
    if isinstance(first, StreamsPages):
        return _Streaming(owner, name, first)
    if isinstance(first, SuppliesArguments):
        return _Supplying(owner, name, first)
    return LiveOperation(owner, name, first)
