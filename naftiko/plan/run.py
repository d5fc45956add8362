"""One request while it runs: inputs, the deadline, who is told of progress."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from naftiko.values import JsonObject, JsonValue

_PREFIX = secrets.token_hex(4)
_NUMBERS = itertools.count(secrets.randbelow(2**24))


def new_request_id() -> str:
    """Return an id that no other request has: "9f3c01aa0000f3d2".

    Counting costs a fiftieth of drawing random bytes, and an id is no secret.
    """
    return f"{_PREFIX}{next(_NUMBERS) & 0xFFFFFFFF:08x}"


DEFAULT_MAX_BYTES = 10 * 1024 * 1024
"""The most that a binary answer or a file shown as content holds, where the file does not say."""

Progress: TypeAlias = Callable[[float, float | None, str], Awaitable[None]]
"""Tells the caller: done, total (None if unknown), message."""
Log: TypeAlias = Callable[[str, JsonValue, str], Awaitable[None]]
"""Tells the caller: level (RFC 5424 in lower case: debug ... emergency), data, logger name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a plan asks of the one who called it, in the words of MCP.

    `kind` is form (elicitation with a JSON Schema for the answer), url (elicitation at a web
    page), sampling (a completion by the caller's model) or roots (the caller's folders). `params`
    are the request's parameters as MCP names them:
    {"message": "How many?", "requestedSchema": {"type": "object", "properties": {...}}}.
    `optional` leaves it out where the caller cannot be asked in that way; its answer is missing.
    """

    kind: str
    params: JsonObject
    optional: bool = False


Ask: TypeAlias = Callable[[Mapping[str, Question]], Awaitable[Mapping[str, JsonObject]]]
"""Asks all questions at once and returns the answers by key, as MCP shapes them:
{"size": {"action": "accept", "content": {"n": 3}}}.

Raises: Suspended where the caller has to come back with the answers; RunError where it cannot be
asked.
"""


class Suspended(Exception):  # noqa: N818  # it is a decision that unwinds, not a failure
    """The run ends here, unanswered: the caller is to come back with answers to `questions`.

    No step may catch it. The next run gets the same inputs, the answers, and `journal`: what steps
    have done already, so that nothing is done twice.
    """

    def __init__(self, questions: Mapping[str, Question]) -> None:
        """Keep the questions."""
        super().__init__("an answer is needed")
        self.questions = dict(questions)


@dataclass(slots=True, kw_only=True)
class Run:
    """One execution of a plan.

    `inputs` are checked values by input name. `deadline` is on the `time.monotonic` clock, None
    where only the adapters' own timeouts hold. `request_id` goes into logs and error answers.
    `progress`, `log` and `ask` reach the caller; None where it cannot be told or asked. `journal`
    holds the outcomes of steps that are done, by their path ("get-user", "each[3].get"), of plans
    that may be suspended; JSON, small, and given back when the run goes on. `streams` says that
    whoever runs the plan takes pages one by one; steps collect them all the same.
    `max_binary_bytes` is the largest binary answer that the adapter called lets through, where the
    consumed operation has no `maxBinarySize` of its own. `in_task` says that the caller does not
    wait but comes back and asks (MCP tasks). `cancel_asked` tells a run that is cancelled whether
    its caller said so in so many words; a caller may also just have gone.
    """

    inputs: Mapping[str, JsonValue]
    deadline: float | None = None
    request_id: str = field(default_factory=new_request_id)
    progress: Progress | None = None
    log: Log | None = None
    ask: Ask | None = None
    journal: dict[str, JsonValue] = field(default_factory=dict)
    streams: bool = False
    outputs: dict[str, JsonValue] = field(default_factory=dict)
    max_binary_bytes: int | None = None
    in_task: bool = False
    cancel_asked: Callable[[], bool] = lambda: False

    def remaining_s(self) -> float | None:
        """Return the seconds left, None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
