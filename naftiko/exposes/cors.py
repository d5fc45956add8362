"""Answers to the pages of other origins: `cors` of an adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp

    from naftiko.plan.capability import CorsPlan

ALWAYS_EXPOSED = ("X-Request-Id",)
MCP_HEADERS = ("Mcp-Session-Id", "MCP-Protocol-Version")
"""What an MCP client in a browser has to read of an answer."""


def with_cors(app: ASGIApp, cors: CorsPlan | None, exposed: Iterable[str] = ()) -> ASGIApp:
    """Return the app so that pages of these origins may call it; the app itself without `cors`.

    It stands before authentication: a browser asks beforehand, without credentials.
    Source: the Fetch standard, section 3.2.
    """
    if cors is None:
        return app
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(
        app,
        allow_origins=cors.origins,
        allow_methods=cors.methods,
        allow_headers=cors.headers,
        allow_credentials=cors.credentials,
        expose_headers=(*ALWAYS_EXPOSED, *exposed, *cors.exposed),
        max_age=cors.max_age_s,
    )
