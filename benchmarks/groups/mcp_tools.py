"""CPU of an MCP tools/call under protocol 2026-07-28: ours against the SDK's server and FastMCP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import load
from benchmarks.groups.rest import CALLS, CONNECTIONS, WARM_UP, cpu_of
from benchmarks.measure import Row, Settings, interleave, ratio_row
from benchmarks.processes import start_baseline, start_naftiko, start_upstream
from benchmarks.samples import MACHINES

VERSION = "2026-07-28"
TOOL = "list-state-machines"
_META = "io.modelcontextprotocol"


def request(method: str, name: str = "", **params: object) -> bytes:
    """Return the bytes of a request of that protocol; `name` is the tool's."""
    meta = {
        f"{_META}/protocolVersion": VERSION,
        f"{_META}/clientCapabilities": {},
        f"{_META}/clientInfo": {"name": "benchmark", "version": "1"},
    }
    named = {"name": name} if name else {}
    return load.request(
        "POST",
        "/mcp",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": method,
            "params": {**named, **params, "_meta": meta},
        },
        {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": method,
            **({"Mcp-Name": name} if name else {}),
        },
    )


CALL = request("tools/call", TOOL, arguments={})


def rows(settings: Settings) -> Iterator[Row]:
    """Measure one tool over 16 clients."""
    with (
        start_upstream() as upstream,
        start_naftiko(upstream) as ours,
        start_baseline("mcp_lowlevel", upstream) as lowlevel,
        start_baseline("mcp_fastmcp", upstream) as fastmcp,
    ):
        ports = {
            "ours": (ours, ours.ports["mcp"]),
            "lowlevel": (lowlevel, lowlevel.ports["baseline"]),
            "fastmcp": (fastmcp, fastmcp.ports["baseline"]),
        }
        for server, port in ports.values():
            server.settle()
            _check(load.send_once(port, CALL))
            load.load(port, CALL, calls=settings.calls(WARM_UP), connections=CONNECTIONS)
        sides = {
            name: cpu_of(server, port, CALL, settings.calls(CALLS))
            for name, (server, port) in ports.items()
        }
        samples = interleave(sides, settings)
    for name, against, target in (
        ("lowlevel", "the SDK's low-level server, one tool", 1.1),
        ("fastmcp", "FastMCP, the same tool", 0.35),
    ):
        yield ratio_row(
            "MCP tools/call, 16 clients, CPU a call",
            against,
            "us",
            ours=samples["ours"],
            baseline=samples[name],
            target=target,
        )


def _check(answer: Any) -> None:
    expected = [machine["name"] for machine in MACHINES["stateMachines"]]
    result = answer["result"]
    if result.get("isError") or load.machine_names(result["structuredContent"]) != expected:
        raise RuntimeError(f"a tool did not do its work: {str(answer)[:500]}")
