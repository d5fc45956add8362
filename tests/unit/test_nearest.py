"""The nearest of names: also among thousands, that are not all compared letter by letter."""

from __future__ import annotations

import pytest

from naftiko.errors import MAX_COMPARED, nearest

VERBS = ("get", "list", "create", "update", "delete", "describe", "attach", "detach")
THINGS = tuple(
    f"{part}-{number}" for part in ("volume", "machine", "bucket") for number in range(90)
)
MANY = [f"{verb}-{thing}" for verb in VERBS for thing in THINGS]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("get-custmer", "get-customer"),
        ("detach-volmue-77", "detach-volume-77"),
        ("Delete-Bucket-5", "delete-bucket-5"),
        ("lst-machine-89", "list-machine-89"),
        ("x", None),
        ("", None),
        ("get-customer" * MAX_COMPARED, None),
    ],
)
def test_among_many(name: str, expected: str | None) -> None:
    assert len(MANY) > 2_000
    assert nearest(name, [*MANY, "get-customer"]) == expected
