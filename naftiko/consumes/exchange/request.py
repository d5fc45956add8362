"""A request -> where it goes and the bytes of its head.

Source: RFC 9112, sections 3 and 6.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from naftiko.consumes.transport_errors import InvalidRequestError

Headers = Sequence[tuple[str, str]]
Body = bytes | AsyncIterable[bytes] | None

_TARGET = re.compile(r"[!-~]+")
_UNSAFE = re.compile(r"[\"<>\\^`{|}]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_METHOD = re.compile(r"[A-Z-]{1,32}")
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+")
_READ_IN_TWO_WAYS = re.compile("[\u00df\u03c2\u200c\u200d]")
"""Letters of a host that IDNA 2003, which Python has, and IDNA 2008 spell as different hosts."""
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
OF_THE_CONNECTION = frozenset({"content-length", "transfer-encoding", "connection"})


class Origin(NamedTuple):
    """Where a connection leads."""

    host: str
    port: int
    tls: bool

    @property
    def address(self) -> str:
        """Return "host:port"."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Target(NamedTuple):
    """What a URL stands for: where it leads, the request target, and the value of `Host`."""

    origin: Origin
    path: str
    host: str


def split_url(url: str) -> Target:
    """Split a URL: "http://h:81/a?b" -> (("h", 81, False), "/a?b", "h:81").

    Raises: InvalidRequestError.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidRequestError("the URL", str(error)) from error
    host = parts.hostname or ""
    tls = parts.scheme == "https"
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or port == 0:
        raise InvalidRequestError("the URL", "it is not one to call")
    if not url.isprintable() and _CONTROL.search(url):
        raise InvalidRequestError("the URL", "it holds a control character")
    shown = f"[{host}]" if ":" in host else host
    if not shown.isascii():
        shown = host = _ascii_host(host)
    if not _HOST.fullmatch(shown):
        raise InvalidRequestError("the URL", "its host is none")
    origin = Origin(host, port or (443 if tls else 80), tls)
    path = parts.path or "/"
    if parts.query:
        path = f"{path}?{parts.query}"
    if not _TARGET.fullmatch(path) or _UNSAFE.search(path):
        path = quote(path, safe="/%:?#[]@!$&'()*+,;=-._~")
    return Target(origin, path, shown if port is None else f"{shown}:{port}")


def request_head(
    method: str,
    target: Target,
    headers: Headers,
    *,
    user_agent: str,
    accept_encoding: str,
    body: Body,
    length: int | None,
) -> bytes:
    """Return the head of a request. `length` is the body's, None where it goes out in chunks.

    What frames the body is set here, whatever `headers` say of it.

    Raises: InvalidRequestError for what would not be one head of the given headers.
    """
    address = target.origin.address
    if not _METHOD.fullmatch(method):
        raise InvalidRequestError(address, "the method is none")
    lines = [f"{method} {target.path} HTTP/1.1"]
    own = {
        "host": target.host,
        "user-agent": user_agent,
        "accept": "*/*",
        "accept-encoding": accept_encoding,
    }
    for name, value in headers:
        lower = name.lower()
        if lower in OF_THE_CONNECTION:
            continue
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise InvalidRequestError(address, f"the header `{name[:80]!r}` is none")
        if own.pop(lower, None) is None and lower == "host":
            raise InvalidRequestError(address, "it has two `Host` headers")
        lines.append(f"{name}: {value}")
    lines += [f"{name}: {value}" for name, value in own.items()]
    if body is None or length == 0:
        if method in BODY_METHODS:
            lines.append("content-length: 0")
    elif length is None:
        lines.append("transfer-encoding: chunked")
    else:
        lines.append(f"content-length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _ascii_host(host: str) -> str:
    if _READ_IN_TWO_WAYS.search(host):
        raise InvalidRequestError("the URL", "write its host in ASCII: it can be read in two ways")
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise InvalidRequestError("the URL", str(error)) from error
