"""Where people and clients on this machine find what listens."""

from __future__ import annotations

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - shown, not bound


def base_url(host: str, port: int) -> str:
    """Return a URL: ("::", 8080) -> "http://[::1]:8080"; an address of every interface is ours."""
    shown = _ANYWHERE.get(host) or (f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"
