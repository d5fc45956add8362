"""`tasks` of an MCP adapter and `taskSupport` of its tools, read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from naftiko.document.nodes import Mapping, Scalar
from naftiko.errors import Problems
from naftiko.expressions.durations import parse_duration_s
from naftiko.plan.capability import TaskServing
from naftiko.plan.clients import leave_out

MIN_TTL_S = 1.0
MAX_TTL_S = 7 * 86_400.0
MIN_POLL_S = 0.1
MAX_POLL_S = 3_600.0
MAX_TASKS = 10_000
SUPPORT = ("forbidden", "optional", "required")

Read = TypeVar("Read")


def task_serving(node: Mapping | None, problems: Problems) -> TaskServing:
    """Read the options, each within its bounds.

    {ttl: 1h, maxTtl: 24h, max: 1000, maxPerSession: 100, pollInterval: 2s}; all of them optional.
    A `maxTtl` that is not given is a day, or `ttl` where that is longer.
    """
    if node is None:
        return TaskServing()
    plain = TaskServing()

    def read(name: str, parse: Callable[[object], Read], least: Read, most: Read) -> Read | None:
        scalar = node.get(name)
        if not isinstance(scalar, Scalar):
            return None
        try:
            value = parse(scalar.value)
        except ValueError as error:
            problems.error("invalid-tasks", f"`{name}`: {error}", scalar.location)
            return None
        if least <= value <= most:  # type: ignore[operator]  # numbers, both of them
            return value
        message = f"`{name}` is `{scalar.text}`, expected {_span(name, least, most)}"
        problems.error("invalid-tasks", message, scalar.location)
        return None

    ttl_s = read("ttl", parse_duration_s, MIN_TTL_S, MAX_TTL_S) or plain.ttl_s
    max_ttl_s = read("maxTtl", parse_duration_s, MIN_TTL_S, MAX_TTL_S)
    if max_ttl_s is not None and max_ttl_s < ttl_s:
        problems.error(
            "invalid-tasks",
            "`maxTtl` is less than `ttl`",
            node.location,
            "`ttl` is what a task gets whose caller does not ask for another; lower it",
        )
    most = read("max", _whole, 1, MAX_TASKS) or plain.most
    return TaskServing(
        ttl_s=ttl_s,
        max_ttl_s=max_ttl_s or max(plain.max_ttl_s, ttl_s),
        most=most,
        most_each=min(read("maxPerSession", _whole, 1, MAX_TASKS) or plain.most_each, most),
        poll_s=read("pollInterval", parse_duration_s, MIN_POLL_S, MAX_POLL_S) or plain.poll_s,
    )


def task_support(scalar: Scalar) -> str:
    """Return whether a tool may be called as a task: forbidden, optional or required.

    Raises: LeftOut for any other word.
    """
    if scalar.text in SUPPORT:
        return scalar.text
    raise leave_out(
        "invalid-tasks",
        f"`taskSupport` is `{scalar.text}`, expected one of {', '.join(SUPPORT)}",
        scalar.location,
    )


def _span(name: str, least: object, most: object) -> str:
    if name in ("max", "maxPerSession"):
        return f"{least} to {most}"
    return "100ms to 1h" if name == "pollInterval" else "1s to 7d"


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    message = f"found `{value}`, expected a whole number"
    raise ValueError(message)
