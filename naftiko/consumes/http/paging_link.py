"""Where an answer says that the next page is: `Link` headers, and URLs in the answer itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, quote, urljoin, urlsplit, urlunsplit

MAX_LINK_CHARS = 16_384
MAX_URL_CHARS = 8_192
_TARGET = re.compile(r"\s*<([^>]*)>")
_PARAMETER = re.compile(
    r"""\s*;\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*))?"""
)
_PORTS = {"http": 80, "https": 443}


def next_link(headers: Mapping[str, str]) -> str | None:
    """Return the target of the link whose relation is `next`, None if there is none.

    `<https://api.example.com/items?page=2>; rel="next", <...>; rel="last"` gives the first target.
    Source: RFC 8288, 3 and appendix B.2.
    """
    for value in _values(headers, "link"):
        for target, parameters in _links(value[:MAX_LINK_CHARS]):
            if "next" in parameters.get("rel", "").lower().split() and "anchor" not in parameters:
                return target
    return None


def _values(headers: Mapping[str, str], name: str) -> Iterator[str]:
    for key, value in headers.items():
        if key.lower() == name:
            yield value


def _links(value: str) -> Iterator[tuple[str, dict[str, str]]]:
    at = 0
    while (target := _TARGET.match(value, at)) is not None:
        at = target.end()
        parameters: dict[str, str] = {}
        while (parameter := _PARAMETER.match(value, at)) is not None:
            at = parameter.end()
            text = parameter.group(2) or ""
            if text.startswith('"'):
                text = re.sub(r"\\(.)", r"\1", text[1:-1])
            parameters.setdefault(parameter.group(1).lower(), text)
        yield target.group(1), parameters
        comma = value.find(",", at)
        if comma < 0:
            return
        at = comma + 1


def same_origin_url(url: str, target: str) -> str | None:
    """Return `target` as a whole URL, None where it leaves the origin of `url` or is no URL.

    So nothing that is sent with each page, such as a token, gets to another host.
    """
    if len(target) > MAX_URL_CHARS:
        return None
    try:
        whole = urljoin(url, target)
        parts = urlsplit(whole)
        if _origin(whole) != _origin(url) or "@" in parts.netloc:
            return None
    except ValueError:
        return None
    return urlunsplit(parts._replace(fragment=""))


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme)


def with_query(url: str, name: str, value: str) -> str:
    """Return the URL with this query parameter in place of any of that name.

    The others stay as they are written, byte by byte.
    """
    parts = urlsplit(url)
    kept = [pair for pair in parts.query.split("&") if pair and not _is_named(pair, name)]
    kept.append(f"{quote(name, safe='')}={quote(value, safe='')}")
    return urlunsplit(parts._replace(query="&".join(kept)))


def with_missing_query(url: str, pairs: Iterator[str]) -> str:
    """Return the URL with those encoded pairs whose names it lacks: an API key, say."""
    for pair in pairs:
        name = next(iter(parse_qsl(pair, keep_blank_values=True)), ("", ""))[0]
        parts = urlsplit(url)
        if name and not any(_is_named(other, name) for other in parts.query.split("&") if other):
            query = f"{parts.query}&{pair}" if parts.query else pair
            url = urlunsplit(parts._replace(query=query))
    return url


def _is_named(pair: str, name: str) -> bool:
    return next(iter(parse_qsl(pair, keep_blank_values=True)), (None, ""))[0] == name
