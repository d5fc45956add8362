"""Rows -> a table for people (also valid Markdown) or JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.measure import Row

_TITLES = ("work", "against", "ours", "baseline", "ratio", "target", "", "spread")
_PARTS = ("boto3", "mcp", "starlette", "uvicorn", "pyreqwest", "orjson", "fastmcp", "jsonpath-ng")


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table that reads well as text."""
    lines = [_TITLES, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_TITLES))]
    shown = [_line(line, widths) for line in lines]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([shown[0], rule, *shown[1:]])


def as_json(rows: Sequence[Row]) -> str:
    """Return the rows and where they were measured."""
    return json.dumps({"machine": machine(), "rows": [row.as_json() for row in rows]}, indent=2)


def machine() -> str:
    """Say what it was measured on."""
    parts = ", ".join(f"{name} {found}" for name in _PARTS if (found := _version(name)))
    cores = os.cpu_count()
    return (
        f"{_processor()}, {cores} cores, {platform.system()}, "
        f"Python {platform.python_version()}; {parts}"
    )


def _version(name: str) -> str:
    """Return the version of a package, "" of one that this group did not need."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _cells(row: Row) -> tuple[str, ...]:
    fixed = row.baseline is None
    bound = "" if row.target is None else f"<= {row.target:g}{'' if fixed else 'x'}"
    return (
        row.work,
        row.against,
        _figure(row.ours, row.unit),
        "" if row.baseline is None else _figure(row.baseline, row.unit),
        "" if fixed else _ratio(row.compared),
        bound,
        row.verdict,
        f"{_number(row.low)} - {_number(row.high)}",
    )


def _figure(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}"


def _ratio(value: float) -> str:
    return f"{_number(value)}x"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "| " + " | ".join(padded) + " |"
