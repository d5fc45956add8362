"""A compiled simple JSONPath against jsonpath-ng's `find`, in this process."""

from __future__ import annotations

import timeit
from collections.abc import Callable, Iterator

from jsonpath_ng.parser import parse

from benchmarks.measure import Row, Settings, interleave, ratio_row
from naftiko.expressions.jsonpath import compile_path
from naftiko.source import Location, anchored
from naftiko.values import JsonValue

TEXT = "$.a.b[0].c"
VALUE: JsonValue = {"a": {"b": [{"c": 1}, {"c": 2}]}, "d": 3}
CALLS = 20_000


def rows(settings: Settings) -> Iterator[Row]:
    """Measure a path of names and an index."""
    theirs = parse(TEXT)
    ours = compile_path(TEXT, anchored(Location("benchmark", 1, 1)))
    if ours.find(VALUE) != 1 or theirs.find(VALUE)[0].value != 1:
        raise RuntimeError("a path found the wrong value")
    calls = settings.calls(CALLS)
    samples = interleave(
        {"ours": _each_us(ours.find, calls), "jsonpath-ng": _each_us(theirs.find, calls)},
        settings,
    )
    yield ratio_row(
        f"JSONPath {TEXT}, compiled",
        "jsonpath-ng find",
        "us",
        ours=samples["ours"],
        baseline=samples["jsonpath-ng"],
        target=0.05,
    )


def _each_us(find: Callable[[JsonValue], object], calls: int) -> Callable[[], float]:
    timer = timeit.Timer("find(value)", globals={"find": find, "value": VALUE})
    return lambda: timer.timeit(calls) / calls * 1e6
