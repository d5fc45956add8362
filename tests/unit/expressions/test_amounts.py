"""Durations and sizes."""

from __future__ import annotations

import pytest

from naftiko.expressions.durations import parse_duration_s
from naftiko.expressions.sizes import parse_size_bytes


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("10s", 10.0),
        ("500ms", 0.5),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("1m30s", 90.0),
        ("1h 30m", 5400.0),
        (" 1.5 s ", 1.5),
        (".5s", 0.5),
        ("0s", 0.0),
        ("3", 3.0),
        ("2.5", 2.5),
        (3, 3.0),
        (0.25, 0.25),
    ],
)
def test_durations(value: object, seconds: float) -> None:
    assert parse_duration_s(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *("", "s", "ten", "10 parsecs", "-1s", "1s2", "1s more", "10S", "1e9s", "\uff19s", "PT1S"),
        *("1" * 65 + "s", "\x00", -1, -0.5, True, None, [], {}),
        *(float("nan"), float("inf"), 10**400),
    ],
)
def test_no_durations(value: object) -> None:
    with pytest.raises(
        ValueError, match=r"^`.*` is not a duration such as `500ms`, `10s` or `2m`$"
    ):
        parse_duration_s(value)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("10MiB", 10 * 1024 * 1024),
        ("512 KiB", 512 * 1024),
        ("1.5KiB", 1536),
        ("1GiB", 1024**3),
        ("100B", 100),
        ("2kb", 2000),
        ("2 MB", 2_000_000),
        ("1GB", 10**9),
        ("100", 100),
        (" 7 ", 7),
        (4096, 4096),
        (0, 0),
    ],
)
def test_sizes(value: object, size: int) -> None:
    assert parse_size_bytes(value) == size


@pytest.mark.parametrize(
    "value",
    [
        *("", "MiB", "ten", "10 potatoes", "-1B", "1.B", "10MiB x", "1e3", "1" * 65, "\u0663B"),
        *(-1, 1.5, True, None, [], {}),
    ],
)
def test_no_sizes(value: object) -> None:
    with pytest.raises(ValueError, match=r"^`.*` is not a size such as `512KiB` or `10MiB`$"):
        parse_size_bytes(value)
