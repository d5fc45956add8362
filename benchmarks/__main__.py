"""`python -m benchmarks [GROUP...] [--rounds N] [--quick] [--json]`: measure and print the rows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks import report
from benchmarks.groups import (
    direct,
    in_flight,
    jsonpath,
    mcp_tools,
    rest,
    search,
    start,
    suggest,
    tool_search,
    tools,
    workflow,
)
from benchmarks.measure import MIN_ROUNDS, Row, Settings
from benchmarks.processes import prepare

GROUPS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "rest": rest.rows,
    "mcp": mcp_tools.rows,
    "start": start.rows,
    "jsonpath": jsonpath.rows,
    "in-flight": in_flight.rows,
    "direct": direct.rows,
    "tools": tools.rows,
    "tool-search": tool_search.rows,
    "suggest": suggest.rows,
    "workflow": workflow.rows,
    "search": search.rows,
}
QUICK_ROUNDS = 3


def main(given: Sequence[str] | None = None) -> int:
    """Measure; the exit code tells nothing of the targets, since machines differ."""
    arguments = _parse(given)
    if not sys.platform.startswith("linux"):
        print("the benchmarks read /proc and pin processes: they need Linux", file=sys.stderr)
        return 3
    prepare()
    rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else MIN_ROUNDS)
    settings = Settings(rounds=rounds, quick=arguments.quick)
    rows: list[Row] = []
    for name in arguments.groups or GROUPS:
        print(f"measuring {name} ...", file=sys.stderr)
        rows += GROUPS[name](settings)
    if arguments.json:
        print(report.as_json(rows))
        return 0
    print(f"{report.machine()}\n")
    print(report.table(rows))
    return 0


def _parse(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)} (default: all)"
    )
    parser.add_argument("--rounds", type=int, help=f"default {MIN_ROUNDS}")
    parser.add_argument("--quick", action="store_true", help="fewer calls, to see that it runs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(given)
    unknown = [name for name in arguments.groups if name not in GROUPS]
    if unknown:
        parser.error(f"no group is named {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error("--rounds takes a number above 0")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
