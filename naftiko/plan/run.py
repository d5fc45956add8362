"""One request while it runs: inputs, the deadline, who is told of progress."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from naftiko.values import JsonValue

_PREFIX = secrets.token_hex(4)
_NUMBERS = itertools.count(secrets.randbelow(2**24))


def new_request_id() -> str:
    """Return an id that no other request has: "9f3c01aa0000f3d2".

    Counting costs a fiftieth of drawing random bytes, and an id is no secret.
    """
    return f"{_PREFIX}{next(_NUMBERS) & 0xFFFFFFFF:08x}"


Progress = Callable[[float, float | None, str], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Run:
    """One execution of a plan.

    `inputs` are checked values by input name. `deadline` is on the `time.monotonic` clock, None
    where only the adapters' own timeouts hold. `request_id` goes into logs and error answers.
    """

    inputs: Mapping[str, JsonValue]
    deadline: float | None = None
    request_id: str = field(default_factory=new_request_id)
    progress: Progress | None = None

    def remaining_s(self) -> float | None:
        """Return the seconds left, None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
