"""How long a start takes: the server until its first answer, and the command line's help."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks import load
from benchmarks.groups.rest import LIST
from benchmarks.measure import Row, Settings, interleave, ratio_row
from benchmarks.processes import (
    CORES,
    NAFTIKO,
    ROOT,
    Server,
    start_baseline,
    start_naftiko,
    start_upstream,
)


def rows(settings: Settings) -> Iterator[Row]:
    """Measure both, in wall-clock time; the server's CPU too."""
    yield from _first_answer(settings)
    yield _help(settings)


def _first_answer(settings: Settings) -> Iterator[Row]:
    cpu: dict[str, list[float]] = {"ours": [], "bare": []}
    with start_upstream() as upstream:
        starts = {
            "ours": (partial(start_naftiko, upstream), "rest"),
            "bare": (partial(start_baseline, "naive", upstream), "baseline"),
        }

        def side(name: str) -> Callable[[], float]:
            start, port = starts[name]

            def measure() -> float:
                wall_s, cpu_s = _start_and_call(start, port)
                cpu[name].append(cpu_s * 1000)
                return wall_s * 1000

            return measure

        sides = {name: side(name) for name in starts}
        for measure in sides.values():
            measure()
        for samples in cpu.values():
            samples.clear()
        wall = interleave(sides, settings)
    for kind, found in (("wall", wall), ("CPU", cpu)):
        yield ratio_row(
            f"start to first answered REST call, {kind}",
            "bare Starlette + boto3",
            "ms",
            ours=found["ours"],
            baseline=found["bare"],
            target=1.2,
        )


def _start_and_call(start: Callable[[], Server], port: str) -> tuple[float, float]:
    with start() as server:
        load.machine_names(load.send_once(server.ports[port], LIST))
        return time.perf_counter() - server.started_at, server.cpu_s


def _help(settings: Settings) -> Row:
    sides = {
        "ours": partial(_run_ms, [NAFTIKO, "--help"]),
        "python": partial(_run_ms, [sys.executable, "-c", "pass"]),
    }
    for measure in sides.values():
        measure()
    samples = interleave(sides, settings)
    return ratio_row(
        "naftiko --help, wall",
        "python -c pass",
        "ms",
        ours=samples["ours"],
        baseline=samples["python"],
        target=8,
    )


def _run_ms(command: Sequence[str]) -> float:
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    with CORES.spawning(tested=True):
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)
        return (time.perf_counter() - start) * 1000
