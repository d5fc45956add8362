"""What holds for every template, path, duration and size."""

from __future__ import annotations

import contextlib
import json

from hypothesis import example, given
from hypothesis import strategies as st
from jsonpath_ng.ext.parser import parse

from naftiko.errors import ShapingError
from naftiko.expressions import ExpressionError
from naftiko.expressions.durations import parse_duration_s
from naftiko.expressions.jsonpath import compile_path
from naftiko.expressions.sizes import parse_size_bytes
from naftiko.expressions.template import Template, compile_template
from naftiko.source import Location, anchored
from naftiko.values import MISSING, JsonValue

HERE = anchored(Location("a.yaml"))
SAFE_NAMES = st.text("abcdefxyz0129_-*$", min_size=1, max_size=6).filter(lambda n: n[0] != "-")
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(max_size=8)


def lists_and_objects(inner: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[JsonValue]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)


VALUES: st.SearchStrategy[JsonValue] = st.recursive(LEAVES, lists_and_objects, max_leaves=12)
SCOPES = st.dictionaries(st.sampled_from(["a", "b", "a.b", "a-b", "items"]) | SAFE_NAMES, VALUES)
TEMPLATE_PIECES = st.sampled_from(
    [
        *(
            "{{",
            "}}",
            "{{{",
            "}}}",
            "{%",
            "%}",
            "{#",
            "#}",
            "{",
            "}",
            " ",
            "a",
            "a-b",
            "a.b",
            "items",
        ),
        *("|", "upper", "length", "+", "-", "*", "/", "~", "(", ")", "[", "]", "0", "1", "'", '"'),
        *(
            "if",
            "endif",
            "for x in",
            "endfor",
            "set x =",
            "else",
            "is",
            "not",
            "defined",
            "==",
            ",",
        ),
        *("__class__", "x", "loop.index", "!", "#", "^", "&", ">", ".", ":", "$", "\n", "{{ a }}"),
    ]
)
PATH_PIECES = st.sampled_from(
    [
        *("$", ".", "..", "*", "[", "]", "[*]", "a", "b c", "'a'", '"b"', "0", "-1", ":", ",", "?"),
        *(
            "(",
            ")",
            "@",
            "==",
            "<",
            "&&",
            "||",
            "!",
            "null",
            "length()",
            "sum()",
            " ",
            "\\",
            "'",
            "`",
        ),
        *("[?(@.a)]", "[?(@.a == 1)]", "[?@ > 0]", "=~", "+", "é"),
    ]
)


def template(text: str) -> Template:
    return compile_template(text, HERE)


@given(st.text() | st.lists(TEMPLATE_PIECES, max_size=14).map("".join), SCOPES)
@example("{{ a | map('map') }}", {"a": [[1]]})
@example("{{ '%s' % a }}", {"a": 1})
@example("{{ a | sum(start=a) }}", {"a": [[1]]})
def test_any_template_gives_a_value_or_is_refused(text: str, scope: dict[str, JsonValue]) -> None:
    with contextlib.suppress(ExpressionError, ShapingError):
        compiled = template(text)
        value = compiled.render(scope)
        if value is not MISSING:
            json.dumps(value)
        assert isinstance(compiled.render_text(scope), str)
        compiled.missing(scope)


@given(st.lists(TEMPLATE_PIECES, min_size=1, max_size=6).map(" ".join), SCOPES)
def test_any_expression_gives_a_value_or_is_refused(text: str, scope: dict[str, JsonValue]) -> None:
    with contextlib.suppress(ExpressionError, ShapingError):
        value = template("{{ " + text + " }}").render(scope)
        assert value is MISSING or json.dumps(value)


@given(st.text() | st.lists(TEMPLATE_PIECES).map("".join))
def test_what_is_inserted_is_never_parsed(value: str) -> None:
    scope: dict[str, JsonValue] = {"v": value, "name": "secret", "o": {"v": value}}

    assert template("{{v}}").render(scope) == value
    assert template("<{{o.v}}>").render(scope) == f"<{value}>"
    assert template("{{ v | string }}").render(scope) == value
    assert template("{{ o.v ~ '' }}{{v}}").render(scope) == value * 2
    assert template("{% if name %}{{v}}{% endif %}").render(scope) == value
    assert template("{% for x in o | items %}{{x[1]}}{% endfor %}").render(scope) == value


@given(st.text().filter(lambda text: "{{" not in text and "{%" not in text))
def test_a_text_without_braces_stays_as_it_is(text: str) -> None:
    assert template(text).is_constant
    assert template(text).render({}) == text


@given(st.lists(SAFE_NAMES, min_size=1, max_size=4), VALUES)
def test_a_name_finds_what_stands_under_it(names: list[str], value: JsonValue) -> None:
    scope: JsonValue = value
    for name in reversed(names):
        scope = {name: scope}
    assert isinstance(scope, dict)
    dotted = ".".join(names)

    assert template("{{" + dotted + "}}").render(scope) is value
    assert template("{{ " + dotted + " }}").references[0].name == dotted
    assert template("{{" + dotted + "}}").render({dotted: value, **scope}) is value


@given(st.text() | st.lists(PATH_PIECES, max_size=10).map("".join), VALUES)
def test_any_path_finds_something_or_is_refused(text: str, value: JsonValue) -> None:
    with contextlib.suppress(ExpressionError, ShapingError):
        path = compile_path(text, HERE)
        found = path.find(value)
        assert path.definite or isinstance(found, list)
        assert found is not None or path.definite


def places(value: JsonValue, path: str = "$") -> list[tuple[str, JsonValue]]:
    found = [(path, value)]
    if isinstance(value, dict):
        for name, item in value.items():
            quoted = name.replace("\\", "\\\\").replace("'", "\\'")
            found += places(item, f"{path}['{quoted}']")
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += places(item, f"{path}[{index}]")
    return found


@given(VALUES)
def test_every_place_has_a_path(value: JsonValue) -> None:
    every = places(value)
    for path, expected in every:
        assert compile_path(path, HERE).find(value) is expected
    assert compile_path("$..*.length()", HERE).find(value) == len(every) - 1


STEPS = st.sampled_from(
    [".a", ".b", "['c']", "[0]", "[-1]", "[*]", ".*", "[1:]", "[0,1]", "[?(@.a)]", "..a"]
)
SMALL: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=15,
)


@given(st.lists(STEPS, min_size=1, max_size=4).map("".join), SMALL)
def test_paths_find_what_jsonpath_ng_finds(steps: str, value: JsonValue) -> None:
    path = compile_path("$" + steps, HERE)

    expected = [match.value for match in parse("$" + steps).find(value)]

    found = path.find(value)
    if path.definite:
        assert expected == ([] if found is MISSING else [found])
    else:
        assert isinstance(found, list)
        assert sorted(map(repr, found)) == sorted(map(repr, expected))


@given(st.text() | st.from_regex(r"[0-9.]{0,4} ?(ms|s|m|h|[KMG]i?B)") | NUMBERS | VALUES)
def test_any_amount_is_a_number_or_refused(value: object) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration_s(value) >= 0
    with contextlib.suppress(ValueError):
        assert parse_size_bytes(value) >= 0
