"""FastMCP with the same tool as mcp_lowlevel.py, on the same prepared call."""

from __future__ import annotations

from typing import Annotated, Any

from fastmcp import FastMCP
from pydantic import Field

from benchmarks.baselines.prepared import Prepared, convert_machines, iso, make_client
from benchmarks.serving import serve

mcp: FastMCP[Any] = FastMCP("baseline")
list_machines = Prepared("ListStateMachines", client=make_client())


@mcp.tool(name="list-state-machines")
async def list_state_machines(
    maxResults: Annotated[int | None, Field(ge=0, le=1000)] = None,  # noqa: N803 - AWS's name
    nextToken: Annotated[str | None, Field(min_length=1, max_length=1024)] = None,  # noqa: N803
) -> dict[str, Any]:
    """List all state machines."""
    given = {"maxResults": maxResults, "nextToken": nextToken}
    arguments = {name: value for name, value in given.items() if value is not None}
    value: dict[str, Any] = convert_machines(await list_machines(arguments), iso)
    return value


def main() -> None:
    """Serve at /mcp, stateless and with plain JSON answers."""
    serve("baseline", mcp.http_app(json_response=True, stateless_http=True))
