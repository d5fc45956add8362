"""What stands between a plan under test and AWS: stubs, and a record of what was called."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from naftiko.errors import NaftikoError
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import (
    AwsAnswer,
    AwsFailure,
    AwsRequest,
    CallAws,
)
from naftiko.workflow.testing.cases import Reply, Stub
from naftiko.workflow.testing.difference import filled
from naftiko.workflow.testing.report import Mismatch

_MAX_CALLS = 20_000


class CannotBegin(NaftikoError):  # noqa: N818 - what `given` wants is not there
    """Something that `given` wants is not there; `mismatch` says what."""

    def __init__(self, message: str, location: Location) -> None:
        """Keep what is missing."""
        super().__init__(message)
        self.mismatch = Mismatch(message=message, location=location)


def filled_in(value: JsonValue, answers: Mapping[str, JsonObject], place: Location) -> JsonValue:
    """Return a value with what it reads from answers in its place.

    Raises: CannotBegin.
    """
    try:
        return filled(value, answers)
    except LookupError as error:
        raise CannotBegin(f"`given` did not answer with {error.args[0]}", place) from None


class Records:
    """A journal in memory. It knows the steps that are done, those in loops among them."""

    def __init__(self) -> None:
        """Begin empty."""
        self.records: list[JsonObject] = []

    async def append(self, record: JsonObject, /) -> None:
        """Keep a record."""
        self.records.append(record)

    def reached(self) -> Iterator[str]:
        """Yield the steps that did something: of the key "loop[0].tag", "tag"."""
        for record in self.records:
            if record["r"] == "done" and record["status"] != "skipped":
                yield str(record["k"]).rpartition(".")[2]


class Recorder:
    """Answers from the stubs, else from AWS, and keeps what was called."""

    def __init__(
        self, stubs: Sequence[Stub], call: CallAws, answers: Mapping[str, JsonObject]
    ) -> None:
        """Begin with nothing called."""
        self._call = call
        self._answers = answers
        self._replies = [
            (stub, deque(reply for reply in stub.replies for _ in range(reply.times)))
            for stub in stubs
        ]
        self.called: list[tuple[str, str]] = []

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        """Answer a call; see CallAws."""
        if len(self.called) >= _MAX_CALLS:
            raise AwsFailure("not_sent", code="TooManyCalls", sent=False)
        self.called.append((request.service, request.operation))
        stub, reply = self._reply_to(request)
        if stub is None or reply is None:
            return await self._call(request)
        if reply.lost:
            await self._call(request)
            raise AwsFailure(reply.lost)
        if reply.kind:
            raise AwsFailure(
                reply.kind,
                code=reply.code,
                status=reply.status,
                message=reply.message,
                sent=reply.kind != "not_sent",
            )
        output = filled_in(reply.output, self._answers, stub.location)
        assert isinstance(output, dict)
        return AwsAnswer(output=output)

    def _reply_to(self, request: AwsRequest) -> tuple[Stub | None, Reply | None]:
        for stub, replies in self._replies:
            is_for = stub.operation == request.operation
            if is_for and stub.service in {"", request.service} and replies:
                return stub, replies.popleft()
        return None, None
