"""`capability.call` from Python against a boto3 client: CPU a call, no server in front."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Self

from benchmarks.measure import Row, Settings, interleave, ratio_row
from benchmarks.processes import CORES, ROOT, Server, aws_environment, start_upstream

CALLS = 2000
WARM_UP = 300


class Caller:
    """A Python process that makes a number of calls when told to, and says what they cost."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        """Start it."""
        with CORES.spawning(tested=True):
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def cpu_us(self, calls: int) -> float:
        """Make calls; return the microseconds of CPU each took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{calls}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline()) / calls * 1e6

    def __enter__(self) -> Self:
        """Return the running process."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """End it: it reads to the end of its input."""
        self._process.communicate()


def rows(settings: Settings) -> Iterator[Row]:
    """Measure a list of 20 machines. The row informs: no target is set for it."""
    with start_upstream() as upstream:
        environment = _environment(upstream)
        with (
            Caller("benchmarks.direct_naftiko", environment) as ours,
            Caller("benchmarks.baselines.direct_boto3", environment) as boto3,
        ):
            ours.cpu_us(settings.calls(WARM_UP))
            boto3.cpu_us(settings.calls(WARM_UP))
            samples = interleave(
                {"ours": _side(ours, settings), "boto3": _side(boto3, settings)}, settings
            )
    yield ratio_row(
        "capability.call list, 20 machines, CPU a call",
        "boto3 client",
        "us",
        ours=samples["ours"],
        baseline=samples["boto3"],
        target=None,
    )


def _side(caller: Caller, settings: Settings) -> Callable[[], float]:
    return lambda: caller.cpu_us(settings.calls(CALLS))


def _environment(upstream: Server) -> dict[str, str]:
    return aws_environment(upstream.ports["upstream"])
