"""Who may call an adapter: bearer, apikey and basic, compared in constant time."""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from naftiko.errors import StartError
from naftiko.exposes.problem import RawHeaders, RequestError, refuse
from naftiko.plan.masking import Masker

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from naftiko.plan.capability import ServerAuth

Authenticator = Callable[[RawHeaders, bytes], bool]
"""Says whether a request with these headers and this query string may pass."""

OnDenied = Callable[["Scope", "Receive", "Send", str], Awaitable[None]]
"""Answers a request that may not pass; the text is the `WWW-Authenticate` challenge."""

MAX_QUERY_FIELDS = 1000


def authenticator(auth: ServerAuth | None) -> Authenticator:
    """Return the check for an adapter; without `auth` everyone passes.

    A credential that is given twice is refused: it would be open which of the two counts.

    Raises: StartError where the expected credential is missing or empty, for such a server would
    let everyone or no one in.
    """
    if auth is None:
        return _anyone
    if auth.current is not None:
        return _Refreshed(auth, auth.current)
    match auth.type_:
        case "bearer":
            return _bearer(_expected(auth, "token"))
        case "apikey":
            return _apikey(auth)
        case "basic":
            return _basic(_expected(auth, "username"), _expected(auth, "password"))
        case other:
            message = f"server authentication `{other}` is not served"
            raise StartError(message, hint="use bearer, apikey or basic")


def challenge(auth: ServerAuth, realm: str) -> str:
    """Return the `WWW-Authenticate` value for a refused request (RFC 9110, section 11.6.1)."""
    match auth.type_:
        case "bearer":
            return f'Bearer realm="{realm}"'
        case "basic":
            return f'Basic realm="{realm}", charset="UTF-8"'
        case _:
            return f'ApiKey realm="{realm}"'


class AuthMiddleware:
    """Lets only authenticated requests through to an ASGI app; the others get a 401.

    `on_denied` answers instead of the problem document, where a protocol wants its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        auth: ServerAuth | None,
        *,
        realm: str = "naftiko",
        masker: Masker | None = None,
        on_denied: OnDenied | None = None,
    ) -> None:
        """Compile the check.

        Raises: StartError.
        """
        self._app = app
        self._passes = authenticator(auth)
        self._challenge = challenge(auth, realm) if auth else ""
        self._hint = _hint(auth) if auth else ""
        self._masker = masker or Masker()
        self._on_denied = on_denied or self._answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan" or self._passes(scope["headers"], scope["query_string"]):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._on_denied(scope, receive, send, self._challenge)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, _receive: Receive, send: Send, wanted: str) -> None:
        error = RequestError(
            code="unauthorized",
            message="the request carries no credentials that are accepted here",
            status=401,
            hint=self._hint,
            headers=((b"www-authenticate", wanted.encode("latin-1")),),
        )
        await refuse(scope, send, error, self._masker)


class _Refreshed:
    """A check of credentials that may change while the server runs."""

    def __init__(self, auth: ServerAuth, current: Callable[[], Mapping[str, str]]) -> None:
        self._auth = auth
        self._current = current
        self._fields = auth.fields
        self._passes = authenticator(replace(auth, current=None))

    def __call__(self, headers: RawHeaders, query: bytes) -> bool:
        fields = self._current()
        if fields != self._fields:
            self._fields = fields
            # What would let in nobody, or everybody, does not replace what is asked for now.
            with suppress(StartError):
                self._passes = authenticator(replace(self._auth, fields=fields, current=None))
        return self._passes(headers, query)


def _anyone(_headers: RawHeaders, _query: bytes) -> bool:
    return True


def _hint(auth: ServerAuth) -> str:
    match auth.type_:
        case "bearer":
            return "send the header `Authorization: Bearer TOKEN`"
        case "basic":
            return "send the header `Authorization: Basic` with user name and password"
        case _:
            place = "query parameter" if _in_query(auth) else "header"
            return f"send the {place} `{auth.fields.get('key', '')}`"


def _expected(auth: ServerAuth, name: str) -> bytes:
    value = auth.fields.get(name, "")
    if not value.strip():
        message = f"server authentication `{auth.type_}` has an empty `{name}`"
        raise StartError(message, hint="set the variable it is bound to")
    return value.encode()


def _matcher(expected: bytes) -> Callable[[bytes], bool]:
    """Compare digests, so that neither content nor length of the secret shows in the time."""
    digest = hashlib.sha256(expected).digest()

    def matches(given: bytes) -> bool:
        return hmac.compare_digest(hashlib.sha256(given).digest(), digest) and given != b""

    return matches


def _single(headers: RawHeaders, wanted: bytes) -> bytes | None:
    found = [value for name, value in headers if name == wanted]
    return found[0] if len(found) == 1 else None


def _credentials(headers: RawHeaders, scheme: bytes) -> bytes | None:
    value = _single(headers, b"authorization")
    if value is None:
        return None
    given_scheme, _, rest = value.partition(b" ")
    return rest.strip() if given_scheme.lower() == scheme else None


def _bearer(token: bytes) -> Authenticator:
    matches = _matcher(token)

    def passes(headers: RawHeaders, _query: bytes) -> bool:
        given = _credentials(headers, b"bearer")
        return given is not None and matches(given)

    return passes


def _basic(username: bytes, password: bytes) -> Authenticator:
    user_matches, password_matches = _matcher(username), _matcher(password)

    def passes(headers: RawHeaders, _query: bytes) -> bool:
        given = _credentials(headers, b"basic")
        if given is None:
            return False
        try:
            user, colon, secret = b64decode(given, validate=True).partition(b":")
        except binascii.Error:
            return False
        # Both are compared always: a wrong user name must not answer sooner than a wrong password.
        right_user, right_password = user_matches(user), password_matches(secret)
        return bool(colon) and right_user and right_password

    return passes


def _in_query(auth: ServerAuth) -> bool:
    return auth.fields.get("placement", "header") == "query"


def _apikey(auth: ServerAuth) -> Authenticator:
    matches = _matcher(_expected(auth, "value"))
    key = _expected(auth, "key")
    if _in_query(auth):
        return _apikey_in_query(key, matches)
    name = key.lower()

    def passes(headers: RawHeaders, _query: bytes) -> bool:
        given = _single(headers, name)
        return given is not None and matches(given)

    return passes


def _apikey_in_query(key: bytes, matches: Callable[[bytes], bool]) -> Authenticator:
    def passes(_headers: RawHeaders, query: bytes) -> bool:
        try:
            fields = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
        except ValueError:
            return False
        found = [value for name, value in fields if name == key]
        return len(found) == 1 and matches(found[0])

    return passes
