"""The strict mode of the reader: a file means what it seems to mean, and nothing else."""

from __future__ import annotations

import pytest

from naftiko.document.reader import parse_document
from naftiko.errors import DocumentError
from naftiko.values import JsonValue


@pytest.mark.parametrize("pure", [False, True], ids=["libyaml", "python"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: &x 1", [("anchor", 1, 4, 6)]),
        ("a: !!str &x 1", [("anchor", 1, 10, 12), ("custom-tag", 1, 4, 9)]),
        ("&x a: 1", [("anchor", 1, 1, 3)]),
        ("a: &x\n  b: 1", [("anchor", 1, 4, 6)]),
        ("a: [&x [1]]", [("anchor", 1, 5, 7)]),
        ("a: *x", [("alias", 1, 4, 6)]),
        ("a: [*x, *y]", [("alias", 1, 5, 7), ("alias", 1, 9, 11)]),
        ("a: !!int 1", [("custom-tag", 1, 4, 9)]),
        ("a: ! b", [("custom-tag", 1, 4, 5)]),
        ("a: !!map {}", [("custom-tag", 1, 4, 9)]),
        ("<<: {a: 1}", [("merge-key", 1, 1, 3)]),
        ("1: a", [("bad-key", 1, 1, 2)]),
        ("true: a", [("bad-key", 1, 1, 5)]),
        ("~: a", [("bad-key", 1, 1, 2)]),
        ("null: a", [("bad-key", 1, 1, 5)]),
        ("a: x\u202ey", [("control-character", 1, 5, 6)]),
        ("# \u2066", [("control-character", 1, 3, 4)]),
        ("a: \U000e0041", [("control-character", 1, 4, 5)]),
        ('a: "\\u202e"', [("control-character", 1, 4, 12)]),
        ('"\\0": 1', [("control-character", 1, 1, 5)]),
    ],
)
def test_refused(text: str, found: list[tuple[str, int, int, int]], pure: bool) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document(text, "a.yaml", strict=True, pure=pure)

    places = [(item.code, item.location) for item in caught.value.problems]
    assert [(code, at.line, at.column, at.end_column) for code, at in places] == sorted(
        found, key=lambda row: row[1:]
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("True", "True"),
        ("FALSE", "FALSE"),
        ("true", True),
        ("0o17", "0o17"),
        ("0x1f", 31),
        ("'<<'", "<<"),
        ('"a\\tb\\n"', "a\tb\n"),
        ("👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_values(text: str, value: JsonValue) -> None:
    root = parse_document(f"a: {text}", "a.yaml", strict=True).root

    assert root.plain() == {"a": value}


def test_quoted_names_may_look_like_anything() -> None:
    root = parse_document('{"1": a, "<<": b, "true": c}', "a.yaml", strict=True).root

    assert root.plain() == {"1": "a", "<<": "b", "true": "c"}
