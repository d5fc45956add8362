"""What the machine and the stores need from the outside: AWS, a clock, chance.

Nothing in `naftiko.workflow` reads the time, sleeps, draws random numbers or opens connections but
through these (spec, section 6.12), so that tests run hours in no time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from naftiko.values import JsonObject

_REGION = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


def is_region(text: str) -> bool:
    """Tell whether a text can name a region: it becomes a part of the host that is called."""
    return _REGION.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRequest:
    """One request to AWS, sent once: the machine alone repeats.

    `members` are exact botocore members as JSON: timestamps as ISO 8601 text, blobs as base64.
    `service` is botocore's name, `operation` the API's (`CreateDBSnapshot`). `region` None is the
    caller's own. `step_id` is the operation of the plan that asks for it.
    """

    service: str
    operation: str
    members: JsonObject
    step_id: str = ""
    region: str | None = None
    timeout_s: float = 60.0
    mutating: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAnswer:
    """An answer: `output` are the known members as JSON (timestamps as ISO 8601 UTC text)."""

    output: JsonObject
    request_id: str | None = None


class AwsFailure(Exception):  # noqa: N818 - AWS's failure, which the machine may mend
    """A request that did not succeed.

    `kind` is `fault` (AWS refused: `code`, `status`), `timeout` (no answer in time), `connection`
    (none at all, or it broke off), `not_sent` (it never left: bad input, no credentials, refused
    here). After `timeout` and `connection` the outcome of a mutating request is unknown, unless
    `sent` is False. `message` is AWS's text: data, never to be shown as the engine's.
    """

    def __init__(
        self,
        kind: str,
        *,
        code: str = "",
        status: int = 0,
        message: str = "",
        request_id: str | None = None,
        retry_after_s: float | None = None,
        sent: bool = True,
    ) -> None:
        """Keep all of it."""
        super().__init__(f"{kind} {code}".strip())
        self.kind = kind
        self.code = code
        self.status = status
        self.message = message
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.sent = sent


class CallAws(Protocol):
    """The function by which AWS is reached."""

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        """Send one request, once.

        Raises: AwsFailure.
        """
        ...


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """Return the time in UTC, aware."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Chance(Protocol):
    """Random numbers: `random.Random` is one."""

    def random(self) -> float:
        """Return a number in [0, 1)."""
        ...

    def randbytes(self, n: int, /) -> bytes:
        """Return bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """As whom and where AWS is called: what `region()`, `account_id()` and `partition()` give."""

    account_id: str = "123456789012"
    arn: str = "arn:aws:iam::123456789012:root"
    region: str = "us-east-1"
    partition: str = "aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEvent:
    """Something that happened in an execution, for progress: engine text and ids only, no data.

    `phase` is `started`, `succeeded`, `failed`, `skipped`, `waiting`, `rollback`. `done` of `total`
    top-level operations are over.
    """

    execution_id: str
    step_id: str
    op: str
    phase: str
    done: int = 0
    total: int = 0
    attempt: int = 0
    detail: str = field(default="")


class LeaseLost(Exception):  # noqa: N818 - an event, which ends the run on this machine
    """Another worker has taken the execution over: nothing more may be done for it here."""


class Journal(Protocol):
    """Where an execution writes what it is about to do and what came of it."""

    async def append(self, record: JsonObject, /) -> None:
        """Keep a record; it is durable when this returns.

        Raises: LeaseLost.
        """
        ...


class Revoked(Protocol):
    """Tells, before each operation, whether the plan has been revoked meanwhile."""

    def __call__(self, checksum: str, /) -> bool:
        """Return whether it may no longer run."""
        ...
