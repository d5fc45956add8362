"""The official client, untyped: tests read members that only one kind of answer has."""

from __future__ import annotations

from typing import Any

from mcp import Client


def connect(server: Any, mode: str, **more: Any) -> Any:
    """Return a client that talks to a URL, a command or a server, in one protocol era."""
    return Client(server, mode=mode, **more)
