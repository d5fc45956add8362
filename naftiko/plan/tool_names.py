"""The names under which tools are published."""

from __future__ import annotations

import re

MAX_NAME = 128
"""Longest tool name. MCP 2025-11-25, server/tools, Tool Names."""
SEARCH_TOOLS = "search-tools"
CALL_TOOL = "call-tool"
"""What `toolSearch` adds to the tools of a file."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def safe_name(name: str) -> str:
    """Return a name every client takes: letters, digits, `_`, `-`, `.`, at most 128 of them.

    "list state machines!" -> "list-state-machines"
    """
    return _UNSAFE.sub("-", name).strip("-")[:MAX_NAME] or "tool"
