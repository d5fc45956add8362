"""`authentication: {type: digest}`: HTTP Digest Access Authentication, by httpx's own code.

Source: RFC 7616. Only httpx's calculation is used; our transport sends. The nonce of the last
challenge is used again, counted up, until the API asks for another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from naftiko.consumes.http.authenticator import with_header
from naftiko.consumes.http.request import HttpRequest
from naftiko.consumes.transport import HttpResponse
from naftiko.errors import ConsumedError

ALGORITHMS: Final = frozenset(
    {
        f"{name}{session}"
        for name in ("MD5", "SHA", "SHA-256", "SHA-512")
        for session in ("", "-SESS")
    }
)
_HEADER = "Authorization"
_SCHEME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:\s+[^=\s]|\s*$)")
_CHALLENGE = "www-authenticate"


class Digest:
    """Answers digest challenges for one user of one API."""

    follows_redirects = True

    def __init__(self, username: str, password: str) -> None:
        """Keep who calls."""
        import httpx

        self._auth = httpx.DigestAuth(username, password)

    async def apply(self, request: HttpRequest) -> HttpRequest:
        """Return the request with an answer to the last challenge, if there was one."""
        return self._answered(request, None)

    async def challenge(self, response: HttpResponse, request: HttpRequest) -> HttpRequest | None:
        """Return the request with an answer to this 401.

        Raises: ConsumedError where no algorithm that the API offers is known.
        """
        if response.status != 401:
            return None
        offered = list(_challenges(response))
        if not offered:
            return None
        known = [text for text in offered if _algorithm(text) in ALGORITHMS]
        if not known:
            raise _unsupported(f"the algorithm `{_algorithm(offered[0])[:40]}`")
        # Servers name what they like best first; RFC 7616, 3.7.
        return self._answered(request, known[0])

    def explain(self) -> str:
        """Return the type."""
        return "digest (header Authorization)"

    def _answered(self, request: HttpRequest, challenge: str | None) -> HttpRequest:
        import httpx

        asked = httpx.Request(request.method, request.url)
        flow = self._auth.auth_flow(asked)
        try:
            answered = next(flow)
            if challenge is not None:
                headers = [(_CHALLENGE, challenge)]
                answered = flow.send(httpx.Response(401, headers=headers, request=asked))
        except NotImplementedError:  # httpx knows `qop=auth` only
            raise _unsupported("`qop=auth-int` alone") from None
        except (httpx.ProtocolError, ValueError, StopIteration):
            raise _unsupported("a challenge that is not well formed") from None
        finally:
            flow.close()
        value = answered.headers.get(_HEADER)
        return request if value is None else with_header(request, _HEADER, value)


def _challenges(response: HttpResponse) -> Iterator[str]:
    """Yield the digest challenges: several headers, or several in one (RFC 9110, 11.6.1)."""
    for name, value in response.headers.items():
        if name.lower() == _CHALLENGE:
            yield from (text for text in _split(value) if text.lower().startswith("digest "))


def _split(value: str) -> Iterator[str]:
    """Yield the challenges of one header: `Basic realm="a", Digest realm="b", nonce="c"`."""
    from urllib.request import parse_http_list

    fields: list[str] = []
    for field in parse_http_list(value):
        if _SCHEME.match(field) and fields:
            yield ", ".join(fields)
            fields = []
        fields.append(field)
    if fields:
        yield ", ".join(fields)


def _algorithm(challenge: str) -> str:
    from urllib.request import parse_http_list

    for field in parse_http_list(challenge.partition(" ")[2]):
        key, _, value = field.strip().partition("=")
        if key.strip().lower() == "algorithm":
            return value.strip().strip('"').upper()
    return "MD5"


def _unsupported(what: str) -> ConsumedError:
    return ConsumedError(
        code="unsupported-challenge",
        message=f"the API asks for digest authentication with {what}, which is not served",
        hint=f"served: {', '.join(sorted(ALGORITHMS))}, with `qop=auth`",
    )
