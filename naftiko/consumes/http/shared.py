"""`authentication` of type digest or oauth2 -> the authenticator that an API's operations share."""

from __future__ import annotations

from collections.abc import Callable

from naftiko.consumes.http.authentication import Members, Unsettled, type_of
from naftiko.consumes.http.authenticator import Authenticator, is_safe_to_tell
from naftiko.consumes.http.binder import Binder
from naftiko.consumes.http.oauth2 import MAX_TOKEN_BYTES, OAuth2, OAuth2Settings, TokenSource
from naftiko.consumes.transport import Tls, Transport, make_transport
from naftiko.document.nodes import Scalar, Sequence
from naftiko.errors import did_you_mean
from naftiko.extras import require_extra
from naftiko.model.consumes import Authentication
from naftiko.plan.ports import ClientContext

EXCHANGED = frozenset({"digest", "oauth2"})
"""Types of which the API, or a server beside it, is asked first."""

GRANTS = {
    "clientcredentials": "client_credentials",
    "refreshtoken": "refresh_token",
}
PLACES = ("basic", "post")


class SharedAuthenticators:
    """The authenticators of one API. Operations with the same credentials share one."""

    def __init__(
        self, context: ClientContext, transport: Transport, tls: Tls | None = None
    ) -> None:
        """Make none yet. `tls` holds for the token endpoint too."""
        self._context = context
        self._tls = tls
        self._transport = transport
        self._made: dict[tuple[object, ...], Authenticator] = {}
        self._token_transport: Transport | None = None

    def find(self, authentication: Authentication, binder: Binder) -> Authenticator | None:
        """Return the authenticator; None after a problem, and then no call may be made.

        Raises: ExpressionError.
        """
        compile_ = _digest if type_of(authentication) == "digest" else _oauth2
        extra, module = ("digest", "httpx") if compile_ is _digest else ("oauth2", "oauthlib")
        hint = require_extra(extra, module)
        if hint is not None:
            message = (
                f"`authentication` of type `{authentication.type_}` needs the extra `{extra}`, "
                "so calls to this API are refused"
            )
            self._context.problems.warn("missing-extra", message, authentication.location, hint)
            return None
        try:
            made = compile_(Members(authentication, binder), self)
        except Unsettled:
            return None
        if made is None:
            return None
        key, make = made
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def tokens(self, settings: OAuth2Settings) -> TokenSource:
        """Return a source of tokens over a connection pool of its own."""
        if self._token_transport is None:
            self._token_transport = make_transport(
                self._context.meter,
                proxy_environment=self._context.environment,
                max_body_bytes=MAX_TOKEN_BYTES,
                tls=self._tls,
            )
        return TokenSource(
            settings,
            self._token_transport,
            add_secret=self._context.add_secret,
            forget_secret=self._context.forget_secret,
            memory=self._context.memory,
        )

    async def close(self) -> None:
        """Close the connections to token endpoints."""
        if self._token_transport is not None:
            await self._token_transport.close()


_Made = tuple[tuple[object, ...], Callable[[], Authenticator]]


def _digest(members: Members, _shared: SharedAuthenticators) -> _Made | None:
    for member in ("username", "password"):
        if members.scalar(member) is None:
            members.report_missing(member)
            return None
    username, password = members.settled("username") or "", members.settled("password") or ""

    def make() -> Authenticator:
        from naftiko.consumes.http.digest import Digest

        return Digest(username, password)

    return ("digest", username, password), make


def _oauth2(members: Members, shared: SharedAuthenticators) -> _Made | None:
    grant = _grant(members)
    if grant is None:
        return None
    endpoint = members.settled("tokenEndpoint", "tokenUrl", "tokenUri")
    issuer = members.settled("authorizationServerUri")
    if not endpoint and not issuer:
        members.report_missing("tokenEndpoint")
        return None
    if not _is_safe(
        members, "tokenEndpoint" if endpoint else "authorizationServerUri", endpoint or issuer or ""
    ):
        return None
    required = ["clientId", "clientSecret" if grant == "client_credentials" else "refreshToken"]
    for member in required:
        if members.scalar(member) is None:
            members.report_missing(member)
            return None
    place = (members.settled("clientAuthentication") or "basic").lower()
    if not _is_known_place(members, place):
        return None
    settings = OAuth2Settings(
        grant=grant,
        client_id=members.settled("clientId") or "",
        client_secret=members.settled("clientSecret") or "",
        token_endpoint=endpoint or "",
        issuer="" if endpoint else issuer or "",
        scopes=_scopes(members),
        audience=members.settled("audience") or "",
        resource=members.settled("resource") or "",
        refresh_token=members.settled("refreshToken") or "",
        secret_in_body=place == "post",
    )
    return ("oauth2", settings), lambda: OAuth2(shared.tokens(settings))


def _grant(members: Members) -> str | None:
    """Return the grant; a refresh token without `grantType` means to use it."""
    text = members.settled("grantType", "flow")
    if text is None:
        given = members.scalar("refreshToken") is not None
        return "refresh_token" if given else "client_credentials"
    found = GRANTS.get(text.lower().replace("_", "").replace("-", ""))
    if found is None:
        members.binder.context.problems.error(
            "unsupported-authentication",
            f"the grant `{text[:60]}` is not served for consumed APIs",
            members.location,
            did_you_mean(text, GRANTS.values()),
        )
    return found


def _is_safe(members: Members, member: str, url: str) -> bool:
    """A secret must not go over an open connection, nor to what is no URL."""
    if is_safe_to_tell(url):
        return True
    members.binder.context.problems.error(
        "insecure-token-endpoint",
        f"`{member}` of `authentication` must be an https URL, so that the client's secret is not "
        "sent in the clear",
        members.location,
        "plain http is taken for this machine alone (localhost, 127.0.0.1)",
    )
    return False


def _is_known_place(members: Members, place: str) -> bool:
    if place in PLACES:
        return True
    members.binder.context.problems.error(
        "unsupported-authentication",
        f"`clientAuthentication` is `{place[:60]}`, found neither basic nor post",
        members.location,
        did_you_mean(place, PLACES),
    )
    return False


def _scopes(members: Members) -> tuple[str, ...]:
    """`scopes: [a, b]`, or a text `a b`."""
    node = members.fields.get("scopes") or members.fields.get("scope")
    if isinstance(node, Sequence):
        return tuple(item.text for item in node if isinstance(item, Scalar))
    return tuple((members.settled("scopes", "scope") or "").split())
