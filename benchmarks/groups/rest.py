"""CPU of a REST call: ours against boto3 in an executor, and against all prepared by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks import load
from benchmarks.measure import Row, Settings, interleave, ratio_row
from benchmarks.processes import Server, start_baseline, start_naftiko, start_upstream
from benchmarks.samples import MACHINES, START_REQUEST, STARTED

CONNECTIONS = 16
CALLS = 2000
WARM_UP = 500

LIST = load.request("GET", "/v1/state-machines")
START = load.request("POST", "/v1/executions", START_REQUEST)


def rows(settings: Settings) -> Iterator[Row]:
    """Measure a list and a start, each against both baselines."""
    with (
        start_upstream() as upstream,
        start_naftiko(upstream) as ours,
        start_baseline("naive", upstream) as naive,
        start_baseline("floor", upstream) as floor,
    ):
        ports = {
            "ours": (ours, ours.ports["rest"]),
            "naive": (naive, naive.ports["baseline"]),
            "floor": (floor, floor.ports["baseline"]),
        }
        for server, port in ports.values():
            server.settle()
            _check(port)
        work = "REST GET list, 20 machines, CPU a call"
        samples = interleave(_sides(ports, LIST, settings), settings)
        yield from _two(work, samples, naive=0.45, floor=2.0)
        work = "REST POST start-execution, CPU a call"
        samples = interleave(_sides(ports, START, settings), settings)
        yield from _two(work, samples, naive=0.5, floor=2.2)


def _check(port: int) -> None:
    expected = [machine["name"] for machine in MACHINES["stateMachines"]]
    if load.machine_names(load.send_once(port, LIST)) != expected:
        raise RuntimeError("a list differs from the upstream's")
    if load.send_once(port, START)["executionArn"] != STARTED["executionArn"]:
        raise RuntimeError("a started execution differs from the upstream's")


def _sides(
    ports: dict[str, tuple[Server, int]], raw: bytes, settings: Settings
) -> dict[str, Callable[[], float]]:
    for _, port in ports.values():
        load.load(port, raw, calls=settings.calls(WARM_UP), connections=CONNECTIONS)
    return {
        name: cpu_of(server, port, raw, settings.calls(CALLS))
        for name, (server, port) in ports.items()
    }


def cpu_of(server: Server, port: int, raw: bytes, calls: int) -> Callable[[], float]:
    """Return a measurement: microseconds of CPU that a server takes for a call, under load."""
    rounded = max(calls // CONNECTIONS, 1) * CONNECTIONS

    def measure() -> float:
        before = server.cpu_s
        load.load(port, raw, calls=rounded, connections=CONNECTIONS)
        return (server.cpu_s - before) / rounded * 1e6

    return measure


def _two(
    work: str, samples: dict[str, list[float]], *, naive: float, floor: float
) -> Iterator[Row]:
    for name, against, target in (
        ("naive", "Starlette + boto3 in an executor", naive),
        ("floor", "hand-written floor", floor),
    ):
        yield ratio_row(
            work, against, "us", ours=samples["ours"], baseline=samples[name], target=target
        )
