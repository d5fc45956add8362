"""Where an answer says that the next page is: `Link` headers, and URLs in the answer itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

MAX_LINK_CHARS = 16_384
_TARGET = re.compile(r"\s*<([^>]*)>")
_PARAMETER = re.compile(
    r"""\s*;\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*))?"""
)


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
