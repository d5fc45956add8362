"""One operation of an HTTP API, ready to be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from naftiko.consumes.http.faults import run_error, settings_error
from naftiko.consumes.http.request import HttpRequest, RequestPlan
from naftiko.consumes.http.response import read_response
from naftiko.consumes.sigv4 import Signer
from naftiko.consumes.transport import (
    ConnectionBrokenError,
    HttpResponse,
    Transport,
    TransportError,
)
from naftiko.errors import ConsumedError, DeadlineError, StartError
from naftiko.plan.ports import Effect, Parameter, Result
from naftiko.plan.run import Run
from naftiko.values import JsonSchema, JsonValue

MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE_METHODS = frozenset({"GET", "HEAD"})
_DEFAULT_PORTS = {"http": 80, "https": 443}

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
    """A `ClientOperation` over HTTP; `signer` signs each request, where that is asked for."""

    address: str
    description: str
    parameters: tuple[Parameter, ...]
    request: RequestPlan
    transport: Transport
    timeout_s: float
    parse_json: bool
    signer: Signer | None = None

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
        if self.signer is not None:
            lines[-1] = f"authentication: {self.signer.explain()}"
        answer = "JSON" if self.parse_json else "bytes, passed through"
        return [*lines, f"timeout: {self.timeout_s:g} s", f"reads: {answer}"]

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Send the request and read the answer; a status of 400 and more is a failed result.

        Raises: InputError, ConsumedError, DeadlineError.
        """
        request = self.request.render(arguments)
        signer = self.signer
        if signer is not None:
            method, url, headers, body = request.method, request.url, request.headers, request.body
            signed = await signer.sign(method, url, headers, body)
            request = HttpRequest(method, url, signed, body)
        response = await self._send(request, run)
        if response.status in _REDIRECTS and request.method in _SAFE_METHODS and signer is None:
            response = await self._follow(request, response, run)
        return read_response(response, parse_json=self.parse_json)

    async def _follow(self, request: HttpRequest, response: HttpResponse, run: Run) -> HttpResponse:
        """Follow redirects while they stay on the same origin, so that no secret leaves it."""
        for _ in range(MAX_REDIRECTS):
            target = _target(request.url, response)
            if target is None:
                return response
            request = HttpRequest(request.method, target, request.headers, None)
            response = await self._send(request, run)
        return response

    async def _send(self, request: HttpRequest, run: Run) -> HttpResponse:
        timeout_s = self.timeout_s
        remaining_s = run.remaining_s()
        if remaining_s is not None and remaining_s < timeout_s:
            if remaining_s <= 0:
                raise DeadlineError(message=f"no time was left to call `{self.address}`")
            timeout_s = remaining_s
        try:
            return await self._try(request, timeout_s)
        except TransportError as error:
            raise run_error(error, self.address, timeout_s, method=request.method) from error
        except StartError as error:
            raise settings_error(error) from error

    async def _try(self, request: HttpRequest, timeout_s: float) -> HttpResponse:
        """Send; once more where a read met a connection that the peer had just closed."""
        send = self.transport.send
        method, url, headers, body = request.method, request.url, request.headers, request.body
        try:
            return await send(method, url, headers, body, timeout_s=timeout_s)
        except ConnectionBrokenError as error:
            if method not in _SAFE_METHODS or error.phase != "response":
                raise
        return await send(method, url, headers, body, timeout_s=timeout_s)


def _target(url: str, response: HttpResponse) -> str | None:
    """Return where a redirect leads, None if there is none or it leaves the origin."""
    location = response.headers.get("location")
    if response.status not in _REDIRECTS or not location:
        return None
    try:
        target = urljoin(url, location)
        stays = _origin(url) == _origin(target) and "@" not in urlsplit(target).netloc
    except ValueError:
        return None
    return target if stays else None


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(scheme)


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
