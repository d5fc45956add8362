"""`resilience` of up to three levels -> the layers around an operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from naftiko.consumes.resilience.clock import Clock
from naftiko.consumes.resilience.layer import Call, Layer, Next, around, send
from naftiko.consumes.resilience.members import DAY_S, Members
from naftiko.consumes.resilience.operation import (
    Fallback,
    GuardedOperation,
    GuardedStream,
    ResilientOperation,
)
from naftiko.consumes.resilience.reading import (
    MEMBERS,
    MIN_S,
    read_breaker,
    read_bulkhead,
    read_cache,
    read_fallback,
    read_rate_limit,
    read_retry,
)
from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Node, Scalar
from naftiko.errors import Severity, did_you_mean
from naftiko.plan.clients import LeftOut
from naftiko.plan.ports import ClientContext, ClientOperation, Effect, StreamsPages
from naftiko.plan.values import ConstantValue

if TYPE_CHECKING:
    from naftiko.consumes.resilience.cache import Cache
    from naftiko.plan.ports import Result
    from naftiko.plan.run import Run
    from naftiko.plan.values import ValueTemplate
    from naftiko.values import JsonValue

Levels = Sequence[MappingNode | None]

CODE = "invalid-resilience"
_BUILDING: ContextVar[tuple[str, ...]] = ContextVar("building", default=())
"""The operations whose fallbacks are being looked for, the first one first."""


class Layers:
    """Builds the layers of one `consumes` entry.

    What a layer remembers (permits, failures, places, answers) is shared by the operations below
    the level where its member stands: it is kept under that member's node.
    """

    def __init__(self, context: ClientContext, clock: Clock | None = None) -> None:
        """Start with nothing built."""
        self.context = context
        self._clock = clock or Clock()
        self._shared: dict[int, tuple[Node, Layer | None]] = {}
        self._caches: list[Cache] = []

    async def close(self) -> None:
        """End what runs in the background."""
        for cache in self._caches:
            await cache.close()

    def around(self, operation: ClientOperation, levels: Levels) -> ClientOperation:
        """Return an operation that repeats and pages by itself with its layers around it.

        Its rate limit goes inside, to where each request is sent.

        Raises: ExpressionError.
        """
        members = self.members_of(levels)
        for name, reason, hint in _NOT_ELSEWHERE:
            block = members.pop(name, None)
            if block is not None:
                self.context.problems.error(CODE, f"`{block.name}`: {reason}", block.location, hint)
        cache = members.get("cache")
        if cache is not None and not cache.has("ttl"):
            message = "answers of AWS do not say how long they are good"
            cache.note(cache.location, message, "add `ttl: 60s`")
        timeout_s = self.timeout_of(members)
        if timeout_s is not None:
            operation = _with(operation, timeout_s=timeout_s)
        if "rateLimit" in members:
            limit = self._once(members.pop("rateLimit"), self._rate_limit)
            operation = _with(operation, limit=limit)
        layers = self.layers_of(members)
        if not layers:
            return self.guarded(operation, members)
        inner = operation
        method = "GET" if inner.effect is Effect.READ else "POST"

        async def make(call: Call, run: Run) -> Result:
            return await inner.call(call.arguments, run)

        def prepare(arguments: Mapping[str, JsonValue]) -> Call:
            return Call(operation=inner.address, method=method, arguments=arguments, send=make)

        lines = tuple(layer.explain() for layer in layers)
        around_it = ResilientOperation(
            inner=inner, lines=lines, prepare=prepare, chain=chain_of(layers)
        )
        return self.guarded(around_it, members)

    def members_of(self, levels: Levels) -> dict[str, Members]:
        """Return each member as the innermost level has it; `false` there takes it away.

        The outermost mapping of a member stands for its level, also for scalars.
        """
        found: dict[str, Members] = {}
        for level in levels:
            if level is None:
                continue
            block = Members(
                node=level, name="resilience", code=CODE, problems=self.context.problems
            )
            block.check_names(MEMBERS)
            for name in MEMBERS:
                node = level.get(name)
                if isinstance(node, Scalar) and (node.value is False or node.value is None):
                    found.pop(name, None)
                elif name in ("timeout", "deadline") and node is not None:
                    found[name] = block
                elif (inner := block.block(name)) is not None:
                    found[name] = inner
        return found

    def timeout_of(self, members: Mapping[str, Members]) -> float | None:
        """Return the seconds of one try, None where no level says."""
        block = members.get("timeout")
        return block.duration("timeout", MIN_S) if block is not None else None

    def layers_of(self, members: Mapping[str, Members]) -> tuple[Layer, ...]:
        """Return the layers from the outermost to the innermost."""
        makers: tuple[tuple[str, Callable[[Members], Layer | None]], ...] = (
            ("cache", self._cache),
            ("circuitBreaker", self._breaker),
            ("bulkhead", self._bulkhead),
            ("retry", self._retry),
            ("rateLimit", self._rate_limit),
        )
        layers = [self._once(members[name], make) for name, make in makers if name in members]
        return tuple(layer for layer in layers if layer is not None)

    def _once(self, members: Members, make: Callable[[Members], Layer | None]) -> Layer | None:
        """Return the layer of a member, made once for all operations that it holds for."""
        node = members.node
        if id(node) not in self._shared:
            self._shared[id(node)] = node, make(members)
        return self._shared[id(node)][1]

    def _cache(self, members: Members) -> Layer:
        from naftiko.consumes.resilience.cache import Cache

        cache = Cache(read_cache(members), self._clock)
        self._caches.append(cache)
        return cache

    def _breaker(self, members: Members) -> Layer:
        from naftiko.consumes.resilience.circuit_breaker import CircuitBreaker

        return CircuitBreaker(read_breaker(members), self._clock)

    def _bulkhead(self, members: Members) -> Layer | None:
        from naftiko.consumes.resilience.bulkhead import Bulkhead

        settings = read_bulkhead(members)
        return Bulkhead(settings) if settings is not None else None

    def _retry(self, members: Members) -> Layer:
        from naftiko.consumes.resilience.retry import Retry

        return Retry(read_retry(members), self._clock)

    def _rate_limit(self, members: Members) -> Layer | None:
        from naftiko.consumes.resilience.rate_limit import RateLimit

        settings = read_rate_limit(members)
        return RateLimit(settings, self._clock) if settings is not None else None

    def guarded(
        self, operation: ClientOperation, members: Mapping[str, Members]
    ) -> ClientOperation:
        """Return the operation with its deadline and its fallback.

        Raises: ExpressionError.
        """
        block = members.get("deadline")
        deadline_s = block.duration("deadline", MIN_S, DAY_S) if block is not None else None
        fallback = self._fallback(members["fallback"], operation) if "fallback" in members else None
        if deadline_s is None and fallback is None:
            return operation
        lines: list[str] = []
        if deadline_s is not None:
            lines.append(f"deadline: {deadline_s:g} s in all")
        if fallback is not None:
            other = fallback.other.address if fallback.other is not None else "a value"
            lines.append(f"fallback: {other}")
        if isinstance(operation, StreamsPages):
            return GuardedStream(
                inner=operation,
                pages=operation,
                lines=tuple(lines),
                deadline_s=deadline_s,
                fallback=fallback,
            )
        return GuardedOperation(
            inner=operation, lines=tuple(lines), deadline_s=deadline_s, fallback=fallback
        )

    def _fallback(self, members: Members, operation: ClientOperation) -> Fallback | None:
        settings = read_fallback(members)
        if settings is None:
            return None
        templates = self.context.templates
        value, with_ = settings.block.get("value"), settings.block.get("with")
        find = self.context.find
        other = None
        if settings.call is not None:
            if find is None:
                return None
            building = (*_BUILDING.get(), operation.address)
            if settings.call.text in building:
                message = f"`{settings.call.text}` would stand in for itself"
                hint = f"its fallbacks are: {' > '.join((*building, settings.call.text))}"
                self.context.problems.error("fallback-cycle", message, settings.call.location, hint)
                return None
            token = _BUILDING.set(building)
            try:
                other = find(settings.call, operation.address)
            except LeftOut as error:
                self.context.problems.add(replace(error.problem, severity=Severity.ERROR))
                return None
            finally:
                _BUILDING.reset(token)
        answer = templates.value(value) if value is not None and other is None else None
        passed = templates.value(with_) if isinstance(with_, MappingNode) else None
        for template in (answer, passed):
            if template is not None:
                self._check_names(template, operation)
        if other is not None and isinstance(with_, MappingNode):
            self._check_passed(with_, other)
        return Fallback(settings=settings, value=answer, other=other, with_=passed)

    def _check_names(self, template: ValueTemplate, operation: ClientOperation) -> None:
        """Warn of names that the call does not have: a fallback knows nothing else."""
        if operation.open_arguments:
            return
        known = [parameter.name for parameter in operation.parameters]
        context = self.context
        for reference in () if isinstance(template, ConstantValue) else template.references:
            name = reference.name
            if name.startswith("env.") or context.bound(name) is not None or context.declared(name):
                continue
            argument = (context.templates.input_name(name) or name).partition(".")[0]
            if argument in known:
                continue
            message = f"`fallback` names `{argument}`, which is no argument of "
            context.problems.warn(
                "unknown-argument",
                f"{message}`{operation.address}`, so that it stays empty",
                reference.location,
                did_you_mean(argument, known),
            )

    def _check_passed(self, with_: MappingNode, other: ClientOperation) -> None:
        known = [parameter.name for parameter in other.parameters]
        for key, _ in with_.entries:
            if other.open_arguments or key.text in known:
                continue
            self.context.problems.warn(
                "unknown-argument",
                f"`{other.address}` has no parameter `{key.text}`; it is not passed",
                key.location,
                did_you_mean(key.text, known),
            )


def _with(operation: ClientOperation, **changes: object) -> ClientOperation:
    """Return an AWS operation that is changed; it stands inside of one that HTTP names."""
    whole = cast(
        "Any", operation
    )  # operations of all kinds are dataclasses, which no protocol says
    if all(hasattr(operation, name) for name in changes):
        return cast("ClientOperation", replace(whole, **changes))
    if hasattr(operation, "inner"):
        return cast("ClientOperation", replace(whole, inner=_with(whole.inner, **changes)))
    return operation


_NOT_ELSEWHERE = (
    (
        "retry",
        "AWS calls are repeated by their own rules, and would be repeated twice over",
        "leave it out; an entry of `type: aws` has `retries`",
    ),
)


def chain_of(layers: Sequence[Layer]) -> Next:
    """Return the call with these layers around it, the first one outermost."""
    then: Next = send
    for layer in reversed(layers):
        then = around(layer, then)
    return then
