"""The tool suggest_workflows over 10,000 workflows, against a tool that does nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import load
from benchmarks.groups.mcp_tools import request
from benchmarks.measure import Row, Settings, bound_row, interleave
from benchmarks.processes import NAFTIKO, Server, aws_environment, start_upstream
from benchmarks.suggest_samples import COUNT, make_catalog, questions

CALLS = 200
WARM_UP = 50
BOUND_MS = 20.0
BUILD_S = 10.0

_CAPABILITY = """\
naftiko: "1.0.0-alpha3"
info: {label: Suggestions}
capability:
  consumes:
    - type: workflows
      namespace: workflows
      catalog: ./catalog
      region: us-east-1
      policy: {permissionCheck: "off"}
  exposes:
    - type: mcp
      namespace: tools
      port: 0
      description: Finds workflows.
      tools:
        - {name: suggest_workflows, description: Finds., call: workflows.suggest-workflows}
        - name: nothing
          description: Does nothing.
          outputParameters: [{name: said, type: string, value: nothing}]
"""


def rows(settings: Settings) -> Iterator[Row]:
    """Measure the whole call over HTTP, and how long an index takes."""
    count = COUNT // 10 if settings.quick else COUNT
    with tempfile.TemporaryDirectory() as name, start_upstream() as upstream:
        folder = Path(name)
        catalog = make_catalog(folder, count)
        yield bound_row(
            f"index of {count} workflows, read and built",
            "s",
            ours=[_build_s(catalog) for _ in range(2)],
            target=BUILD_S,
        )
        file = folder / "suggest.naftiko.yaml"
        file.write_text(_CAPABILITY, encoding="utf-8")
        environment = aws_environment(upstream.ports["upstream"])
        command = [NAFTIKO, "run", str(file), "--port", "tools=0"]
        with Server(command, environment=environment, listens=["mcp"]) as server:
            yield _difference(server, settings, count)


def _difference(server: Server, settings: Settings, count: int) -> Row:
    server.settle()
    port = server.ports["mcp"]
    asked = questions()

    def ask() -> bytes:
        return request("tools/call", "suggest_workflows", arguments={"query": next(asked)})

    answer = load.send_once(port, ask())
    if not answer["result"]["structuredContent"]["suggestions"]:
        raise RuntimeError(f"nothing was suggested: {str(answer)[:500]}")
    nothing = request("tools/call", "nothing", arguments={})
    for _ in range(WARM_UP):
        load.send_once(port, ask())
    calls = settings.calls(CALLS)
    sides = {
        "suggest": lambda: _p95_ms(port, ask, calls),
        "nothing": lambda: _p95_ms(port, lambda: nothing, calls),
    }
    samples = interleave(sides, settings)
    added = [mine - bare for mine, bare in zip(samples["suggest"], samples["nothing"], strict=True)]
    return bound_row(
        f"suggest_workflows over {count} workflows, p95, less a tool that does nothing",
        "ms",
        ours=added,
        target=BOUND_MS,
    )


def _p95_ms(port: int, ask: Callable[[], bytes], calls: int) -> float:
    taken = []
    for _ in range(calls):
        data = ask()
        began = perf_counter()
        answer: Any = load.send_once(port, data)
        taken.append(1_000 * (perf_counter() - began))
        if answer["result"].get("isError"):
            raise RuntimeError(f"a tool did not do its work: {str(answer)[:500]}")
    return sorted(taken)[int(0.95 * len(taken))]


def _build_s(catalog: Path) -> float:
    from naftiko.search.embedders import find_embedder
    from naftiko.workflow.discovery.stored import build
    from naftiko.workflow.runtime.plans import Plans
    from naftiko.workflow.runtime.policy import Policy

    embedder = find_embedder("auto")
    began = perf_counter()
    made = build(Plans(folders=[catalog], policy=Policy()), embedder)
    taken = perf_counter() - began
    assert made.shelf.said
    return taken
