"""Pages of `tools/list` as they go out, kept for as long as the tools are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
from mcp_types.methods import validate_client_request

if TYPE_CHECKING:
    from mcp_types import Tool

    from naftiko.exposes.mcp.tools import ToolTable


class KeptPages:
    """What `tools/list` answers, by cursor. Who asks makes no difference to it but for the id.

    Only pages that a client comes by from the first one on are kept, so that they hold each tool
    once, whatever cursors are made up.
    """

    def __init__(self, tools: ToolTable) -> None:
        """Start without any."""
        self._tools = tools
        self._listed: list[Tool] | None = None
        self._pages: dict[tuple[str, str | None], bytes] = {}
        self._handed_out: set[str | None] = set()

    @property
    def listed(self) -> list[Tool]:
        """The tools as they are published now: to be taken before an answer is made of them."""
        return self._tools.definitions

    def get(self, version: str, params: Mapping[str, Any]) -> bytes | None:
        """Return the result if it is kept.

        Raises: ValidationError for parameters that the protocol has not got.
        """
        if self._listed is not self.listed:
            return None
        validate_client_request("tools/list", version, params)
        return self._pages.get((version, params.get("cursor")))

    def keep(
        self, version: str, params: Mapping[str, Any], result: dict[str, Any], listed: list[Tool]
    ) -> None:
        """Keep the result, if it was made of what is still published."""
        if listed is not self.listed:
            return
        if listed is not self._listed:
            self._listed, self._pages, self._handed_out = listed, {}, {None}
        cursor = params.get("cursor")
        if cursor not in self._handed_out:
            return
        try:
            self._pages[version, cursor] = orjson.dumps(result)
        except TypeError:
            return  # an integer over 64 bits in a schema, say
        self._handed_out.add(result.get("nextCursor"))
