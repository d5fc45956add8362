"""A caller of tools that takes `call-tool` for the tool it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from naftiko.exposes.mcp.calls import ToolCaller
from naftiko.exposes.mcp.wire import Wire
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from naftiko.exposes.mcp.peer import Peer
    from naftiko.exposes.mcp.tool_search import ToolSearch
    from naftiko.plan.masking import Masker


class SearchedToolCaller(ToolCaller):
    """Everything else is done by the caller it stands before: checks, runs, answers, counts."""

    def __init__(self, caller: ToolCaller, search: ToolSearch, masker: Masker) -> None:
        """Stand before a caller."""
        super().__init__(caller.tools, masker)
        self._caller = caller
        self._search = search

    async def call(
        self, name: str, arguments: Mapping[str, JsonValue] | None, peer: Peer | None = None
    ) -> Wire:
        """Call the tool that is meant.

        Raises: MCPError.
        """
        meant, given = self._search.meant(name, arguments)
        return await self._caller.call(meant, given, peer)
