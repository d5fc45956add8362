"""`toolSearch` over 300 tools: what `tools/list` costs an agent with and without, and a search."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import load
from benchmarks.groups.mcp_tools import request
from benchmarks.many_tools import many_tools
from benchmarks.measure import Row, Settings, bound_row, interleave, ratio_row
from benchmarks.processes import NAFTIKO, Server

BYTES_OF_A_TOKEN = 4
"""What tokenizers make of JSON in English, about; no tokenizer is needed for a proportion."""
SEARCHES = 400

LIST = request("tools/list")
SEARCH = request(
    "tools/call", "search-tools", arguments={"query": "approve the vacation of somebody"}
)
CALL = request(
    "tools/call",
    "call-tool",
    arguments={"name": "approve-vacation", "arguments": {"vacationId": "7"}},
)
DIRECT = request("tools/call", "approve-vacation", arguments={"vacationId": "7"})


def rows(settings: Settings) -> Iterator[Row]:
    """Measure the list and the calls."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _start(Path(folder), "true") as searched,
        _start(Path(folder), "false") as plain,
    ):
        yield from _rows(searched, plain, settings)


def _start(folder: Path, search: str) -> Server:
    path = folder / f"search-{search}.yaml"
    path.write_text(many_tools(search), "utf-8")
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    command = [NAFTIKO, "run", str(path), "--port", "office=0"]
    return Server(command, environment=environment, listens=["mcp"])


def _rows(searched: Server, plain: Server, settings: Settings) -> Iterator[Row]:
    ours, theirs = searched.ports["mcp"], plain.ports["mcp"]
    short, long = (_listed(load.send_once(port, LIST)) for port in (ours, theirs))
    first = load.send_once(ours, SEARCH)["result"]["structuredContent"]["tools"][0]["name"]
    if (short[0], long[0], first) != (2, 300, "approve-vacation"):
        raise RuntimeError(f"the servers list {short[0]} and {long[0]} tools, and find {first}")
    for title, unit, divisor in (("", "KB", 1_000), (", tokens", "tokens", BYTES_OF_A_TOKEN)):
        yield ratio_row(
            f"tools/list of 300 with toolSearch{title}",
            "all 300 listed",
            unit,
            ours=[short[1] / divisor],
            baseline=[long[1] / divisor],
            target=0.05,
        )
    answer = len(json.dumps(load.send_once(ours, SEARCH)["result"]["structuredContent"]))
    yield bound_row("an answer of search-tools, 5 of 300", "KB", ours=[answer / 1_000], target=10)
    sides = {
        name: _wall(port, raw, settings)
        for name, port, raw in (
            ("search", ours, SEARCH),
            ("call", ours, CALL),
            ("direct", ours, DIRECT),
        )
    }
    for measure in sides.values():
        measure()
    samples = interleave(sides, settings)
    yield bound_row("search-tools over 300 tools", "ms", ours=samples["search"], target=20)
    yield ratio_row(
        "call-tool",
        "tools/call of the same tool",
        "ms",
        ours=samples["call"],
        baseline=samples["direct"],
        target=1.2,
    )


def _listed(answer: Any) -> tuple[int, int]:
    tools = answer["result"]["tools"]
    return len(tools), len(json.dumps(tools, separators=(",", ":")))


def _wall(port: int, raw: bytes, settings: Settings) -> Any:
    calls = settings.calls(SEARCHES)

    def measure() -> float:
        return load.load(port, raw, calls=calls, connections=1) * 1_000 / calls

    return measure
