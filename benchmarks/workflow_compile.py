"""Compiles the RDS workflow in a fresh process: prints the first time and a later one, in ms.

The clock starts once everything is imported; data files and botocore's model are read inside of it.
"""

from __future__ import annotations

import importlib
import time
from statistics import median

from benchmarks.workflow_samples import RDS
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.lowering.lowering import Data

WARM = 20
LATE = (
    "botocore.loaders",
    "botocore.model",
    "naftiko.workflow.lowering.observing",
    "naftiko.workflow.lowering.polls",
    "naftiko.workflow.lowering.shorthand",
    "naftiko.workflow.lowering.steps",
    "naftiko.workflow.resolution.observers",
    "naftiko.workflow.resolution.reading",
    "naftiko.workflow.resolution.shorthand",
)
"""What the compiler imports where it is needed first."""


def main() -> None:
    """Compile, and compile again."""
    for name in LATE:
        importlib.import_module(name)
    start = time.perf_counter()
    data = load_data()
    _compile(data)
    first = time.perf_counter() - start
    later = []
    for _ in range(WARM):
        start = time.perf_counter()
        _compile(data)
        later.append(time.perf_counter() - start)
    print(f"{first * 1000:.3f} {median(later) * 1000:.3f}")


def _compile(data: Data) -> None:
    if compile_source(RDS, "rds_backup_with_retention.yaml", data).plan is None:
        raise RuntimeError("the workflow does not compile")


if __name__ == "__main__":
    main()
