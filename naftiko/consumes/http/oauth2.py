"""`authentication: {type: oauth2}` of a consumed API: tokens by client credentials or refresh.

oauthlib writes the token request and reads the answer (RFC 6749, 4.4 and 6; RFC 8707 `resource`);
our transport sends it. One token serves all operations of the API, until shortly before its end or
until the API answers 401. Tokens and secrets are in no log, error or explanation.
"""

from __future__ import annotations

import asyncio
import re
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import quote_plus, urlsplit

from naftiko.consumes.http.authenticator import is_safe_to_tell, with_header
from naftiko.consumes.http.request import HttpRequest
from naftiko.consumes.transport import HttpResponse, Transport, TransportError
from naftiko.errors import ConsumedError, StartError
from naftiko.values import JsonValue

TOKEN_TIMEOUT_S = 10.0
MAX_TOKEN_BYTES = 256 * 1024
EXPIRY_SKEW_S = 30.0
"""A token is replaced this long before its end, but not before nine tenths of its life are over."""
REFUSED_AGAIN_S = 10.0
"""A 401 for a token that a 401 has just brought says that the token is not what is wrong."""
KEPT_MASKED = 50
"""How many of the tokens that one API was given stay masked, the newest ones."""

_ERROR_CODE = re.compile(r"[a-z_]{1,60}")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_JSON = ("Accept", "application/json")

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Settings:
    """What the file says. `grant` is client_credentials or refresh_token.

    Either `token_endpoint`, or `issuer`, whose metadata names it (RFC 8414, OpenID discovery).
    """

    grant: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    token_endpoint: str = ""
    issuer: str = ""
    scopes: tuple[str, ...] = ()
    audience: str = ""
    resource: str = ""
    refresh_token: str = field(default="", repr=False)
    secret_in_body: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token. `fresh_until` is a reading of the clock, None where it has no known end."""

    value: str = field(repr=False)
    obtained_at: float
    fresh_until: float | None
    forced: bool = False


class OAuth2:
    """Sends a bearer token with each request."""

    follows_redirects = True

    def __init__(self, tokens: TokenSource) -> None:
        """Keep where tokens come from."""
        self._tokens = tokens

    async def apply(self, request: HttpRequest) -> HttpRequest:
        """Return the request with a token that is fresh.

        Raises: ConsumedError where none can be had.
        """
        token = self._tokens.current or await self._tokens.get()
        return with_header(request, "Authorization", f"Bearer {token.value}")

    async def challenge(self, response: HttpResponse, request: HttpRequest) -> HttpRequest | None:
        """Return the request with another token, if the API does not take the one that was sent.

        Raises: ConsumedError where none can be had.
        """
        if response.status != 401:
            return None
        sent = dict(request.headers).get("Authorization", "").removeprefix("Bearer ")
        token = await self._tokens.instead_of(sent)
        if token is None:
            return None
        return with_header(request, "Authorization", f"Bearer {token.value}")

    def explain(self) -> str:
        """Return the grant and where tokens come from."""
        settings = self._tokens.settings
        place = _shown(settings.token_endpoint or settings.issuer)
        return f"oauth2 {settings.grant} at {place} (header Authorization)"


class TokenSource:
    """The current token of one API; whoever needs a new one at the same time shares one request."""

    def __init__(
        self,
        settings: OAuth2Settings,
        transport: Transport,
        *,
        add_secret: Callable[[str], None],
        forget_secret: Callable[[str], None] = lambda _value: None,
        memory: MutableMapping[str, str] | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        """Ask for nothing yet.

        `memory` keeps refresh tokens that the server has replaced, by a digest of the first one.
        """
        self.settings = settings
        self._transport = transport
        self._add_secret = add_secret
        self._forget_secret = forget_secret
        self._received: deque[str] = deque()
        self._memory = {} if memory is None else memory
        self._clock = clock
        self._endpoint = settings.token_endpoint
        self._token: Token | None = None
        self._pending: asyncio.Task[Token] | None = None
        first = (
            settings.token_endpoint,
            settings.issuer,
            settings.client_id,
            settings.refresh_token,
        )
        self._first_refresh = sha256("\n".join(first).encode()).hexdigest()

    @property
    def current(self) -> Token | None:
        """The token, while it is fresh."""
        token = self._token
        if token is None or token.fresh_until is None or self._clock() < token.fresh_until:
            return token
        return None

    async def get(self) -> Token:
        """Return a fresh token.

        Raises: ConsumedError.
        """
        return self.current or await self._shared(forced=False)

    async def instead_of(self, refused: str) -> Token | None:
        """Return another token than the one that the API has refused, None where that is no use.

        Raises: ConsumedError.
        """
        token = self._token
        if token is None or token.value != refused:
            return await self.get()
        if token.forced and self._clock() - token.obtained_at < REFUSED_AGAIN_S:
            return None
        return await self._shared(forced=True)

    async def _shared(self, *, forced: bool) -> Token:
        loop = asyncio.get_running_loop()
        pending = self._pending
        if pending is None or pending.done() or pending.get_loop() is not loop:
            pending = self._pending = loop.create_task(self._fetch(forced=forced))
            # A failure that nobody waits for any more is no news.
            pending.add_done_callback(lambda task: task.cancelled() or task.exception())
        # One caller's cancellation must not take the request from the others.
        return await asyncio.shield(pending)

    async def _fetch(self, *, forced: bool) -> Token:
        if not self._endpoint:
            self._endpoint = await self._discover()
        body, headers = self._request()
        response = await self._send("POST", self._endpoint, headers, body)
        token = self._token = self._read(response, forced=forced)
        return token

    def _request(self) -> tuple[bytes, list[tuple[str, str]]]:
        from oauthlib.oauth2 import BackendApplicationClient

        settings = self.settings
        client = BackendApplicationClient(settings.client_id)
        extra = {"audience": settings.audience, "resource": settings.resource}
        wanted = {name: value for name, value in extra.items() if value}
        if settings.scopes:
            wanted["scope"] = " ".join(settings.scopes)
        headers = [_FORM, _JSON]
        in_body = settings.secret_in_body or not settings.client_secret
        if in_body and settings.client_secret:
            wanted["client_secret"] = settings.client_secret
        elif not in_body:
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
            headers.append(("Authorization", f"Basic {b64encode(pair.encode()).decode()}"))
        if settings.grant == "refresh_token":
            if in_body:
                wanted["client_id"] = settings.client_id
            text = client.prepare_refresh_body(refresh_token=self._refresh_token, **wanted)
        else:
            text = client.prepare_request_body(include_client_id=in_body, **wanted)
        return text.encode(), headers

    @property
    def _refresh_token(self) -> str:
        return self._memory.get(self._first_refresh) or self.settings.refresh_token

    def _read(self, response: HttpResponse, *, forced: bool) -> Token:
        if response.status != 200:
            raise self._refused(response)
        parsed = self._parsed(response)
        value = parsed.get("access_token")
        kind = parsed.get("token_type")
        if not isinstance(value, str) or _TOKEN.fullmatch(value) is None:
            raise self._useless("holds no access token")
        self._hide(value)
        if isinstance(kind, str) and kind.lower() != "bearer":
            raise self._useless("is for a token that is no bearer token")
        rotated = parsed.get("refresh_token")
        if self.settings.grant == "refresh_token" and isinstance(rotated, str) and rotated:
            self._hide(rotated)
            self._memory[self._first_refresh] = rotated
        now = self._clock()
        return Token(
            value=value,
            obtained_at=now,
            fresh_until=_fresh_until(now, parsed.get("expires_in")),
            forced=forced,
        )

    def _hide(self, secret: str) -> None:
        """Mask what was received; what was received long ago opens nothing any more."""
        if secret in self._received:
            return
        self._add_secret(secret)
        self._received.append(secret)
        if len(self._received) > KEPT_MASKED:
            self._forget_secret(self._received.popleft())

    def _parsed(self, response: HttpResponse) -> dict[str, JsonValue]:
        from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error

        client = BackendApplicationClient(self.settings.client_id)
        try:
            # Scopes that differ from those asked for are the server's right; so none are compared.
            return dict(client.parse_request_body_response(response.body.decode()))
        except OAuth2Error as error:
            raise self._useless(f"is the error `{_code(error.error)}`") from None
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            raise self._useless("is not the JSON of a token") from None

    def _refused(self, response: HttpResponse) -> ConsumedError:
        import orjson

        code = ""
        try:
            answer = orjson.loads(response.body)
            code = _code(answer.get("error")) if isinstance(answer, dict) else ""
        except orjson.JSONDecodeError:
            pass
        said = f" with `{code}`" if code else ""
        return ConsumedError(
            code="token-refused",
            message=f"the token endpoint {_shown(self._endpoint)} answered "
            f"{response.status}{said}, so nothing was sent to the API",
            hint="check `clientId`, `clientSecret`, `scopes` and the grant"
            if response.status < 500
            else "",
            retryable=response.status >= 500,
        )

    def _useless(self, reason: str) -> ConsumedError:
        return ConsumedError(
            code="token-refused",
            message=f"the answer of the token endpoint {_shown(self._endpoint)} {reason}",
        )

    async def _discover(self) -> str:
        """Return the token endpoint that the issuer's metadata names.

        Raises: ConsumedError.
        """
        issuer = self.settings.issuer
        for url in metadata_urls(issuer):
            response = await self._send("GET", url, [_JSON], None)
            if response.status == 200:
                return _endpoint_in(response.body, issuer)
        raise ConsumedError(
            code="token-endpoint-unknown",
            message=f"the authorization server {_shown(issuer)} has no metadata that could be read",
            hint="give `tokenEndpoint` instead of `authorizationServerUri`",
        )

    async def _send(
        self, method: str, url: str, headers: list[tuple[str, str]], body: bytes | None
    ) -> HttpResponse:
        try:
            return await self._transport.send(method, url, headers, body, timeout_s=TOKEN_TIMEOUT_S)
        except (TransportError, StartError) as error:
            reason = error.reason if isinstance(error, TransportError) else error.message
            raise ConsumedError(
                code="token-endpoint-unreachable",
                message=f"no token could be had from {_shown(url)}: {reason}",
                hint="check the endpoint and the network",
                retryable=True,
            ) from error


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Return where an issuer's metadata may stand: RFC 8414, 3.1, then OpenID Discovery 1.0, 4.

    "https://a.example/t" -> ".../.well-known/oauth-authorization-server/t",
    "https://a.example/t/.well-known/openid-configuration"
    """
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    )


def _endpoint_in(body: bytes, issuer: str) -> str:
    import orjson

    try:
        metadata = orjson.loads(body)
    except orjson.JSONDecodeError:
        metadata = None
    known = metadata if isinstance(metadata, dict) else {}
    named, endpoint = known.get("issuer"), known.get("token_endpoint")
    fault = ""
    # RFC 8414, 3.3: metadata of another issuer must not be used.
    if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
        fault = "is for another issuer"
    elif not isinstance(endpoint, str) or not is_safe_to_tell(endpoint):
        fault = "names no token endpoint over https"
    if fault:
        raise ConsumedError(
            code="token-endpoint-unknown",
            message=f"the metadata of the authorization server {_shown(issuer)} {fault}",
            hint="check `authorizationServerUri`, or give `tokenEndpoint`",
        )
    return str(endpoint)


def _fresh_until(now: float, expires_in: JsonValue) -> float | None:
    try:
        life_s = float(expires_in)  # type: ignore[arg-type]  # what is no number is caught
    except (TypeError, ValueError):
        return None
    if not 0 < life_s < float("inf"):
        return now if life_s <= 0 else None
    return now + max(life_s - EXPIRY_SKEW_S, life_s * 0.9)


def _code(value: object) -> str:
    return value if isinstance(value, str) and _ERROR_CODE.fullmatch(value) else ""


def _shown(url: str) -> str:
    """Return a URL for people: a query or user name in it may be secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
