"""Workflows: compiling, starting, running many at once, and finding what was interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Self

from benchmarks.measure import Row, Settings, bound_row, interleave, ratio_row
from benchmarks.processes import CORES, ROOT, aws_environment, start_upstream
from benchmarks.workflow_samples import CALL_S, PARALLEL, STEPS, STORED

STORES = ("memory", "sqlite")
_DELAYS = ("--delay", f"ListStateMachines={CALL_S}", "--delay", f"StartExecution={CALL_S}")


class Child:
    """A Python process that runs workflows and says what that took."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start it."""
        with CORES.spawning(tested=True):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.workflow_child"],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def ask(self, what: str) -> float:
        """Measure once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that was to measure `{what}` has ended")
        return float(answer)

    def side(self, what: str) -> Callable[[], float]:
        """Return what measures it."""
        return lambda: self.ask(what)

    def __enter__(self) -> Self:
        """Return the running process."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """End it: it reads to the end of its input."""
        self._process.communicate()


def rows(settings: Settings) -> Iterator[Row]:
    """Measure each of them."""
    yield from _compiling(settings)
    with start_upstream() as upstream:
        environment = aws_environment(upstream.ports["upstream"])
        with Child(environment) as child:
            yield from _starting(child, settings)
            yield _operation(child, settings)
            yield from _resuming(child, settings)
    with start_upstream(*_DELAYS) as upstream:
        environment = aws_environment(upstream.ports["upstream"])
        with Child(environment) as child:
            yield from _parallel(child, settings)


def _compiling(settings: Settings) -> Iterator[Row]:
    first, later = [], []
    _compile()
    for _ in range(settings.rounds):
        cold_ms, warm_ms = _compile()
        first.append(cold_ms)
        later.append(warm_ms)
    yield bound_row("compile the RDS workflow, fresh process", "ms", ours=first, target=50)
    yield bound_row("compile it again", "ms", ours=later, target=None)


def _compile() -> tuple[float, float]:
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    with CORES.spawning(tested=True):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.workflow_compile"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    first, later = done.stdout.split()
    return float(first), float(later)


def _starting(child: Child, settings: Settings) -> Iterator[Row]:
    sides = {name: child.side(f"first {name}") for name in STORES}
    sides["boto3"] = child.side("boto3")
    for measure in sides.values():
        measure()
    samples = interleave(sides, settings)
    for name in STORES:
        added = [mine - bare for mine, bare in zip(samples[name], samples["boto3"], strict=True)]
        yield bound_row(
            f"order to first AWS answer, {name} store, less a boto3 call",
            "ms",
            ours=added,
            target=10,
        )


def _operation(child: Child, settings: Settings) -> Row:
    child.ask("operation")
    samples = interleave({"ours": child.side("operation")}, settings)
    return bound_row("the machine, an operation", "ms", ours=samples["ours"], target=0.3)


def _parallel(child: Child, settings: Settings) -> Iterator[Row]:
    sides = {name: child.side(f"parallel {name}") for name in STORES}
    sides["ideal"] = child.side("sleeps")
    for measure in sides.values():
        measure()
    samples = interleave(sides, settings)
    for name in STORES:
        yield ratio_row(
            f"{PARALLEL} executions of {STEPS} calls of 20 ms, {name} store, wall",
            "sleeps of 20 ms",
            "ms",
            ours=samples[name],
            baseline=samples["ideal"],
            target=1.3,
        )


def _resuming(child: Child, settings: Settings) -> Iterator[Row]:
    child.ask("scan")
    samples = interleave({name: child.side(name) for name in ("scan", "resume")}, settings)
    yield bound_row(
        f"{STORED} interrupted executions found", "ms", ours=samples["scan"], target=1000
    )
    yield bound_row("100 of them taken up", "ms", ours=samples["resume"], target=None)
