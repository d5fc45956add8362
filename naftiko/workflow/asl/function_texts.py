"""JSONata of functions that write times, read numbers or make lists. `names`: local variables."""

from __future__ import annotations

from collections.abc import Sequence

PICTURES = {
    "date": '"[Y0001]-[M01]-[D01]"',
    "month_start": '"[Y0001]-[M01]-01T00:00:00Z"',
}
"""How the functions of a time write it."""


def number_text(names: Sequence[str]) -> str:
    """Return what reads a text as a number, null where it is none."""
    pattern = r"/^[+-]?[0-9]{1,18}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?$/"
    return f'($contains({names[0]}, {pattern}) ? $number($replace({names[0]}, /^[+]/, "")) : null)'


def concat_text(names: Sequence[str]) -> str:
    """Return what puts a list behind another."""
    first, second = names
    return (
        f'$type({first}) = "array" and $type({second}) = "array" ? '
        f"[$append({first}, {second})] : null"
    )


def pluck_text(names: Sequence[str]) -> str:
    """Return what takes one member of each element, where it has one."""
    many, name = names
    member = f'function($one) {{ $type($one) = "object" ? $lookup($one, {name}) }}'
    present = 'function($one) { $type($one) != "null" }'
    # A list of one would become its element outside of brackets.
    return f'$type({many}) = "array" ? [$filter([$map({many}, {member})], {present})] : null'


def moment_text(name: str) -> str:
    """Return a timestamp as milliseconds, null where it is none."""
    shape = r"/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9:]+)$/"
    return (
        f'($type({name}) = "string" ? ($contains({name}, {shape}) ? $toMillis({name}) : null) '
        ": null)"
    )
