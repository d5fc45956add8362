"""What layers have in common: one call whose arguments are settled, and what to do next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias

from naftiko.errors import ConsumedError, DeadlineError, RunError
from naftiko.plan.ports import Result
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from naftiko.plan.run import Run

LOCAL_CODES = frozenset({"rate-limited", "circuit-open", "too-busy"})
"""Errors of the layers themselves: they say nothing of the API's health."""
CONNECTION_CODES = frozenset({"unreachable", "connection-broken"})
MAX_ASKED_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Sent:
    """An HTTP request as it goes out, before it is signed. It may hold secrets."""

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. `method` is the HTTP method, or GET and POST for what reads and what does not.

    `request` is there where the call is one HTTP request.
    """

    operation: str
    method: str
    send: Callable[[Call, Run], Awaitable[Result]] = field(repr=False)
    request: Sent | None = field(default=None, repr=False)
    arguments: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)


Next: TypeAlias = Callable[[Call, "Run"], Awaitable[Result]]


class Layer(Protocol):
    """Stands around what comes next: may answer in its place, refuse, wait, or repeat it."""

    async def run(self, call: Call, run: Run, then: Next) -> Result:
        """Run the call.

        Raises: RunError.
        """
        ...

    def explain(self) -> str:
        """Say what it does, in a line."""
        ...


async def send(call: Call, run: Run) -> Result:
    """Make the call: what the innermost layer does next."""
    return await call.send(call, run)


def around(layer: Layer, then: Next) -> Next:
    """Return what comes next with a layer around it."""

    async def step(call: Call, run: Run) -> Result:
        return await layer.run(call, run, then)

    return step


def asked_s(result: Result | RunError, wall: float) -> float | None:
    """Return the seconds that an answer asks to wait for (`Retry-After`), None where it does not.

    "120" -> 120.0; a date in the past -> 0.0. Source: RFC 9110, 10.2.3.
    """
    if isinstance(result, RunError):
        return result.retry_after_s
    text = (result.received or dict(result.headers)).get("retry-after")
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), MAX_ASKED_S)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - wall
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), MAX_ASKED_S)


def is_timeout(error: RunError) -> bool:
    """Tell whether nothing came in time."""
    return isinstance(error, DeadlineError)


def is_connection(error: RunError) -> bool:
    """Tell whether no connection came about, or it broke."""
    return isinstance(error, ConsumedError) and error.code in CONNECTION_CODES


def is_unhealthy(error: RunError) -> bool:
    """Tell whether an error speaks against the API: no answer, none in time, or a 5xx of it."""
    if is_timeout(error):
        return True
    return (
        isinstance(error, ConsumedError)
        and error.code not in LOCAL_CODES
        and (is_connection(error) or error.status >= 500)
        and not error.code.endswith("too-large")
        and error.code != "invalid-request"
    )
