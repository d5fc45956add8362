"""A tool caller that counts its calls, for capabilities whose control port shows it."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING

from mcp.shared.exceptions import MCPError

from naftiko.exposes.mcp.calls import ToolCaller
from naftiko.exposes.mcp.wire import Wire
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from naftiko.exposes.mcp.peer import Peer
    from naftiko.exposes.mcp.tools import ToolTable
    from naftiko.plan.masking import Masker
    from naftiko.plan.meter import Meter

UNKNOWN = "unknown"


class MeteredToolCaller(ToolCaller):
    """Counts by tool and outcome: OK, ERROR. A call that asks its caller first is not done yet."""

    def __init__(self, tools: ToolTable, masker: Masker, meter: Meter) -> None:
        """Keep the meter."""
        super().__init__(tools, masker)
        self._meter = meter

    async def call(
        self, name: str, arguments: Mapping[str, JsonValue] | None, peer: Peer | None = None
    ) -> Wire:
        """Call the tool, then count it.

        Raises: MCPError.
        """
        start = perf_counter()
        status, error = "ERROR", "cancelled"
        known = name if self.tools.get(name) is not None else UNKNOWN
        try:
            wire = await super().call(name, arguments, peer)
            status, error = _outcome(wire)
            return wire
        except MCPError as failure:
            error = f"jsonrpc_{failure.error.code}"
            raise
        finally:
            if status:
                seconds = perf_counter() - start
                self._meter.request("mcp", known, status, seconds, error)


def _outcome(wire: Wire) -> tuple[str, str]:
    """Return status and error: ("OK", ""), ("ERROR", "not-found"), ("", "") of what goes on."""
    if wire.get("resultType") == "input_required":
        return "", ""
    if not wire.get("isError"):
        return "OK", ""
    structured = wire.get("structuredContent")
    error = structured.get("error") if isinstance(structured, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return "ERROR", code if isinstance(code, str) and len(code) <= 64 else "tool-error"
