"""URLs that an answer names (a redirect, the next page), followed only on the origin asked."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit, urlunsplit

MAX_URL_CHARS = 8_192
_PORTS = {"http": 80, "https": 443}


def same_origin_url(url: str, target: str) -> str | None:
    """Return `target` as a whole URL, None where it leaves the origin of `url` or is no URL.

    So nothing that is sent along, such as a token, gets to another host.
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
