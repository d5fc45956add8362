"""How large a value may be for each of the engine's own filters."""

from __future__ import annotations

import pytest

from naftiko.errors import ShapingError
from naftiko.expressions.conditions import compile_condition
from naftiko.expressions.template import compile_template
from naftiko.source import Location
from naftiko.values import JsonValue

MIB = 1024 * 1024


def at(_offset: int, _length: int = 0, /) -> Location:
    return Location("file", 1, 1)


def nested(depth: int) -> JsonValue:
    value: JsonValue = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("template", "value", "reason"),
    [
        ("{{ v | split(',') }}", "," * 100_000, "more than 100,000 parts"),
        ("{{ v | split }}", "a " * 100_001, "more than 100,000 parts"),
        ("{{ v | split('') }}", "a", "a text to split at"),
        ("{{ v | split(',', 'x') }}", "a", "a whole number"),
        ("{{ v | fromjson }}", f'"{"a" * MIB}"', "more than 1 MiB"),
        ("{{ v | fromjson }}", "[" * 300 + "]" * 300, "nested too deep"),
        ("{{ v | fromjson }}", "[" * 5_000 + "]" * 5_000, "nested too deep"),
        ("{{ v | fromjson }}", "[" * 5_000, "nested too deep"),
        ("{{ v | tojson }}", "a" * MIB, "more than 1 MiB"),
        ("{{ v | tojson }}", ["a" * MIB, "b"], "grows too large"),
        ("{{ v | tojson(indent=2) }}", ["é" * (MIB // 4)], "more than 1 MiB"),
        ("{{ v | tojson(indent=8) }}", [nested(199)] * 700, "more than 1 MiB"),
        ("{{ v | tojson(indent=9) }}", 1, "an indent from 0 to 8"),
        ("{{ v | tojson(indent='\t') }}", 1, "an indent from 0 to 8"),
        ("{{ v | bytes_literal }}", "a" * (MIB + 1), "more than 1 MiB"),
        ("{{ v | bytes_literal }}", "\0" * (MIB // 2), "more than 1 MiB"),
        ("{{ v | bounded(-1) }}", "a", "a length of up to"),
        ("{{ v | bounded(2000000) }}", "a", "a length of up to"),
        ("{{ [" + "v," * 200 + "] | bytelength }}", "a" * MIB, "grows too large"),
        ("{{ [" + "v," * 200 + "] ~ '' }}", "a" * MIB, "grows too large"),
        ("{{ [" + "v," * 200 + "] | bounded(9) }}", "a" * MIB, "grows too large"),
    ],
)
def test_bounds_hold(template: str, value: JsonValue, reason: str) -> None:
    with pytest.raises(ShapingError, match=reason):
        compile_template(template, at).render({"v": value})


def test_so_many_values_are_read_from_json() -> None:
    text = "[" + "1," * 400_000 + "1]"
    read = compile_template("{{ v | fromjson | length }}", at)
    assert read.render({"v": text}) == 400_001


@pytest.mark.parametrize(
    ("value", "length"),
    [
        ({"a": "é" * (2 * MIB)}, 4 * MIB + 8),
        ([0] * 2_000_000, 4_000_001),
        ("😀" * MIB, 4 * MIB),
        ("a" * (5 * MIB), 5 * MIB),
    ],
    ids=["an object", "a list", "a wide text", "a text"],
)
def test_bytelength_counts_what_is_too_large_to_send(value: JsonValue, length: int) -> None:
    scope: dict[str, JsonValue] = {"v": value}
    assert compile_template("{{ v | bytelength }}", at).render(scope) == length
    condition = compile_condition("{{ (v | bytelength) > 262144 }}", at, lambda _: None)
    assert condition.test(scope)


def test_a_condition_looks_into_what_map_gives() -> None:
    scope: dict[str, JsonValue] = {"rows": [{"n": "a"}, {"n": "b"}], "name": "order-1"}
    for text, holds in [
        ("'b' in (rows | map(attribute='n'))", True),
        ("'c' not in (rows | map(attribute='n'))", True),
        ("name is startswith('order-')", True),
        ("name is endswith('-2')", False),
    ]:
        assert compile_condition(text, at, lambda _: None).test(scope) is holds


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u2764\ufe0fb", "a\u2764\ufe0fb"),
        ("\u845b\U000e0100", "\u845b\U000e0100"),
        ("x\ufe0f\U000e0148\U000e0149", "x\ufe0f\ufffd\ufffd"),
        ("a\U000e0068\U000e0069", "a\ufffd\ufffd"),
        ("a\u2062\u2063b", "a\ufffd\ufffdb"),
    ],
    ids=["emoji", "ideograph", "a message in selectors", "tags", "invisible operators"],
)
def test_what_is_bounded_carries_no_unseen_text(text: str, shown: str) -> None:
    """Agents read what people do not see."""
    assert compile_template("{{ v | bounded(100) }}", at).render({"v": text}) == shown
