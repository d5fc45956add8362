from __future__ import annotations

import pytest

from naftiko.document.reader import parse_document
from naftiko.errors import Problem, Problems
from naftiko.workflow.source.durations import in_words, parse_duration


def read(text: str, **limits: int) -> tuple[int | None, tuple[Problem, ...]]:
    problems = Problems()
    node = parse_document(f"a: {text}\n", "a.yaml", strict=True).root.get("a")
    assert node is not None
    return parse_duration(node, problems, **limits), problems.sorted()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("15m", 900), ("1h", 3600), ("2d", 172_800), ("90", 90), ('"1800s"', 1800)],
)
def test_durations(text: str, seconds: int) -> None:
    assert read(text) == (seconds, ())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.5", "WF203"),
        ("true", "WF203"),
        ("", "WF203"),
        ("[1]", "WF203"),
        ("{a: 1}", "WF203"),
        ('"30"', "WF204"),
        ("1.5h", "WF204"),
        ("-1s", "WF204"),
        ("01s", "WF204"),
        ("1w", "WF204"),
        ("0", "WF204"),
        ("366d", "WF204"),
        ('"${params.a}"', "WF204"),
    ],
)
def test_what_is_none(text: str, code: str) -> None:
    seconds, problems = read(text)

    assert seconds is None
    assert [problem.code for problem in problems] == [code]


def test_limits_are_said_in_words() -> None:
    assert read("16m", high=900)[1][0].message == "`duration` is `16m`, and at most 15m is allowed"


def test_in_words() -> None:
    assert [in_words(seconds) for seconds in (0, 59, 60, 5400, 86_400)] == [
        "0s",
        "59s",
        "1m",
        "90m",
        "1d",
    ]
