"""One operation of an HTTP API, ready to be called."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from naftiko.consumes.http.answers import Answer, BinaryAnswer
from naftiko.consumes.http.authenticator import Authenticator
from naftiko.consumes.http.faults import run_error, settings_error
from naftiko.consumes.http.origins import same_origin_url
from naftiko.consumes.http.request import HttpRequest, RequestPlan
from naftiko.consumes.http.response import read_response
from naftiko.consumes.transport import (
    ConnectionBrokenError,
    HttpResponse,
    ResponseTooLargeError,
    Transport,
    TransportError,
)
from naftiko.errors import ConsumedError, DeadlineError, StartError
from naftiko.plan.ports import Effect, Parameter, Result
from naftiko.plan.run import Run
from naftiko.values import JsonSchema, JsonValue

T = TypeVar("T")

MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE_METHODS = frozenset({"GET", "HEAD"})

EFFECTS = {
    "GET": Effect.READ,
    "HEAD": Effect.READ,
    "OPTIONS": Effect.READ,
    "DELETE": Effect.DESTRUCTIVE,
}


def effect_of(method: str) -> Effect:
    """Return what a method does, as far as HTTP says: GET reads, DELETE destroys, others write."""
    return EFFECTS.get(method, Effect.WRITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOperation:
    """A `ClientOperation` over HTTP; `authenticator` proves what fixed headers cannot."""

    address: str
    description: str
    parameters: tuple[Parameter, ...]
    request: RequestPlan
    transport: Transport
    timeout_s: float
    parse_json: bool
    answer: Answer | None = None
    authenticator: Authenticator | None = None

    @property
    def open_arguments(self) -> bool:
        """Whether arguments beyond `parameters` become members of the body."""
        return self.request.body.takes_rest

    @property
    def output_schema(self) -> JsonSchema | None:
        """None: an HTTP API promises nothing that the file could know."""
        return None

    @property
    def effect(self) -> Effect:
        """What the method says."""
        return effect_of(self.request.method)

    def explain(self) -> Sequence[str]:
        """Return what is sent and how the answer is read; no secrets."""
        lines = list(self.request.explain())
        if self.authenticator is not None:
            lines[-1] = f"authentication: {self.authenticator.explain()}"
        answer = "JSON" if self.parse_json else "bytes, passed through"
        if self.answer is not None:
            answer = self.answer.explain()
        return [*lines, f"timeout: {self.timeout_s:g} s", f"reads: {answer}"]

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Send the request and read the answer; a status of 400 and more is a failed result.

        Raises: InputError, ConsumedError, DeadlineError.
        """
        return await self.send(self.request.render(arguments), run)

    async def send(self, request: HttpRequest, run: Run) -> Result:
        """Send a rendered request once and read the answer, as `call` does.

        Raises: ConsumedError, DeadlineError.
        """
        authenticator = self.authenticator
        if authenticator is None:
            response = await self._send(request, run)
        else:
            response = await self._send_proven(request, authenticator, run)
        if response.status in _REDIRECTS and request.method in _SAFE_METHODS:
            response = await self._follow(request, response, run)
        if self.answer is None:
            result = read_response(response, parse_json=self.parse_json, address=self.address)
        else:
            result = self.answer.read(response)
        result.received = response.headers
        return result

    async def _follow(self, request: HttpRequest, response: HttpResponse, run: Run) -> HttpResponse:
        """Follow redirects while they stay on the same origin, so that no secret leaves it."""
        authenticator = self.authenticator
        if authenticator is not None and not authenticator.follows_redirects:
            return response
        for _ in range(MAX_REDIRECTS):
            target = _target(request.url, response)
            if target is None:
                return response
            request = HttpRequest(request.method, target, request.headers, None)
            if authenticator is None:
                response = await self._send(request, run)
            else:
                response = await self._send_proven(request, authenticator, run)
        return response

    async def _send_proven(
        self, request: HttpRequest, authenticator: Authenticator, run: Run
    ) -> HttpResponse:
        """Send with proof of who calls; once more where the API asks for another proof."""
        proven = await self._within(authenticator.apply(request), run)
        response = await self._send(proven, run)
        again = await self._within(authenticator.challenge(response, proven), run)
        return response if again is None else await self._send(again, run)

    async def _within(self, work: Coroutine[object, object, T], run: Run) -> T:
        """Await what comes before or between requests, as long as the call may take."""
        remaining_s = run.remaining_s()
        limit_s = self.timeout_s if remaining_s is None else min(remaining_s, self.timeout_s)
        try:
            async with asyncio.timeout(limit_s):
                return await work
        except TimeoutError:
            message = f"`{self.address}` found no time to prove who calls within {limit_s:g} s"
            raise DeadlineError(message=message, details={"operation": self.address}) from None

    async def _send(self, request: HttpRequest, run: Run) -> HttpResponse:
        timeout_s = self.timeout_s
        remaining_s = run.remaining_s()
        if remaining_s is not None and remaining_s < timeout_s:
            if remaining_s <= 0:
                raise DeadlineError(message=f"no time was left to call `{self.address}`")
            timeout_s = remaining_s
        limit = None if self.answer is None else self.answer.max_bytes(run)
        try:
            return await self._try(request, timeout_s, limit)
        except ResponseTooLargeError as error:
            if limit is not None and isinstance(self.answer, BinaryAnswer):
                raise self.answer.too_large(limit) from error
            raise run_error(error, self.address, timeout_s, method=request.method) from error
        except TransportError as error:
            raise run_error(error, self.address, timeout_s, method=request.method) from error
        except StartError as error:
            raise settings_error(error) from error

    async def _try(
        self, request: HttpRequest, timeout_s: float, max_body_bytes: int | None
    ) -> HttpResponse:
        """Send; once more where a read met a connection that the peer had just closed.

        Both are within the timeout.
        """
        send = self.transport.send
        ends = monotonic() + timeout_s
        method, url, headers, body = request.method, request.url, request.headers, request.body
        try:
            return await send(
                method, url, headers, body, timeout_s=timeout_s, max_body_bytes=max_body_bytes
            )
        except ConnectionBrokenError as error:
            timeout_s = ends - monotonic()
            if method not in _SAFE_METHODS or error.phase != "response" or timeout_s <= 0:
                raise
        return await send(
            method, url, headers, body, timeout_s=timeout_s, max_body_bytes=max_body_bytes
        )


def _target(url: str, response: HttpResponse) -> str | None:
    """Return where a redirect leads, None if there is none or it leaves the origin."""
    location = response.headers.get("location")
    if response.status not in _REDIRECTS or not location:
        return None
    return same_origin_url(url, location)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedOperation:
    """An operation that cannot be called as the file stands: every call says why."""

    address: str
    description: str
    parameters: tuple[Parameter, ...]
    effect: Effect
    code: str
    reason: str
    hint: str = ""

    @property
    def open_arguments(self) -> bool:
        """True: no argument is at fault."""
        return True

    @property
    def output_schema(self) -> JsonSchema | None:
        """None: there is no result."""
        return None

    def explain(self) -> Sequence[str]:
        """Return why it is refused."""
        return [f"refused: {self.reason}"]

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Refuse.

        Raises: ConsumedError.
        """
        message = f"`{self.address}` cannot be called: {self.reason}"
        raise ConsumedError(code=self.code, message=message, hint=self.hint)
