"""Templates: what they give (cases/expressions/*.yaml), where they are wrong, what bounds them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from naftiko.document.nodes import Mapping, Sequence
from naftiko.document.reader import load_document
from naftiko.errors import ShapingError
from naftiko.expressions import ExpressionError
from naftiko.expressions.template import (
    Getter,
    Reference,
    Template,
    compile_template,
    default_getter,
    lookup,
)
from naftiko.source import Location, anchored
from naftiko.values import MISSING, JsonValue
from tests.case_files import CASES, case_name

HERE = anchored(Location("a.yaml", 7, 5))


def cases(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    root: Any = load_document(CASES / "expressions" / name).root.plain()
    return root, root["cases"]


GOOD, GOOD_CASES = cases("templates.yaml")
BAD_CASES = cases("bad-templates.yaml")[1]
SCOPE: dict[str, JsonValue] = GOOD["scope"]


def template(text: str) -> Template:
    return compile_template(text, HERE)


@pytest.mark.parametrize("case", GOOD_CASES, ids=case_name)
def test_rendering(case: dict[str, Any]) -> None:
    compiled = template(case["template"])

    expected = MISSING if case.get("absent") else case["value"]
    found = compiled.render(SCOPE)
    assert found == expected
    assert type(found) is type(expected)
    assert compiled.render_text(SCOPE) == case.get("text", expected)
    assert compiled.missing(SCOPE) == case.get("missing", [])


@pytest.mark.parametrize("case", BAD_CASES, ids=case_name)
def test_refusing(case: dict[str, Any]) -> None:
    text: str = case["template"]
    with pytest.raises(ExpressionError) as caught:
        template(text)

    problem = caught.value.problem
    assert problem.code == case["code"]
    assert case["says"] in problem.message
    assert case.get("hint", "") in problem.hint
    start = problem.location.column - 5
    assert text[start : problem.location.end_column - 5] == case["at"]


def test_kinds() -> None:
    assert template("a").is_constant
    assert template("{{! a }}").is_constant
    assert not template("{{a}}").is_constant
    assert not template("{% if a %}{% endif %}").is_constant
    assert template("{{a}}").is_whole
    assert template("{{ a | upper }}").is_whole
    assert not template(" {{a}}").is_whole
    assert not template("{{a}}{{b}}").is_whole
    assert not template("a").is_whole
    assert not template("{% if a %}{% endif %}").is_whole


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{a}} {{ b.c-d.0 }} {{a}}", [("a", 2), ("b.c-d.0", 9), ("a", 22)]),
        ("{{{x}}}", [("x", 3)]),
        ("{{ a.b | default(c) }}", [("a.b", 3), ("c", 17)]),
        ("{{ get-user.items.0.id | upper }}", [("get-user.items.0.id", 3)]),
        ("{{ a[0].b + 1 }}", [("a.0.b", 3)]),
        ("{{ a[b].c + 1 }}", [("a", 3), ("b", 5)]),
        ("{{ 'a' | upper }}", []),
        ("{% for x in tools.list %}{{x.n}}{{y}}{% endfor %}", [("tools.list", 12), ("y", 34)]),
        ("{% set x = a %}{{ x | upper }}", [("a", 11)]),
    ],
)
def test_references(text: str, names: list[tuple[str, int]]) -> None:
    found = [(item.name, item.location.column - 5) for item in template(text).references]

    assert sorted(found) == sorted(names)


@pytest.mark.parametrize(
    "text",
    ["{{ns.KEY}}", "a {{ns.KEY}}", "{{ ns.KEY | trim }}", "{% if ns.KEY %}{{ns.KEY}}{% endif %}"],
)
def test_bound_names_are_read_from_their_getter(text: str) -> None:
    asked: list[str] = []

    def resolve(reference: Reference) -> Getter | None:
        asked.append(reference.name)
        return (lambda _scope: "s3cret") if reference.name == "ns.KEY" else None

    compiled = compile_template(text, HERE, resolve)

    rendered = compiled.render_text({"ns": {"KEY": "the caller's"}, "ns.KEY": "the caller's"})
    assert rendered.removeprefix("a ") == "s3cret"
    assert set(asked) == {"ns.KEY"}


def test_names_not_resolved_come_from_the_scope() -> None:
    compiled = compile_template("{{a}}{{ b | upper }}", HERE, lambda _reference: None)

    assert compiled.render({"a": "x", "b": "y"}) == "xY"


@pytest.mark.parametrize(
    "text", ["{{q}}", "[{{q}}]", "{{ q | trim }}", "{% if q %}{{q}}{{ 'b' ~ q }}{% endif %}"]
)
def test_values_are_escaped_and_the_text_is_not(text: str) -> None:
    rendered = template(text).render_text({"q": "<"}, escape=lambda value: f"({value})")

    assert rendered in {"(<)", "[(<)]", "(<)(b<)"}


def test_escaped_into_json() -> None:
    compiled = template('{"a": "{{q}}"}')

    text = compiled.render_text({"q": 'x"}, "b'}, escape=lambda value: json.dumps(value)[1:-1])

    assert json.loads(text) == {"a": 'x"}, "b'}


BILLION = "{% set a = 'x' %}" + "{% set a = a ~ a %}" * 64 + "{{a}}"
NUMBERS = "{% set a = 9 %}" + "{% set a = a * a %}" * 64 + "{{a}}"
NESTED = (
    "{% for a in l %}{% for b in l %}{% for c in l %}{% for d in l %}{{d}}" + "{% endfor %}" * 4
)


@pytest.mark.parametrize(
    "text",
    [
        BILLION,
        BILLION.replace("~", "+"),
        BILLION.replace("a ~ a", "a | replace('x', 'xx')"),
        BILLION.replace("a ~ a", "[a, a] | join(a)"),
        BILLION.replace("'x'", "[1]").replace("~", "+"),
        BILLION.replace("a ~ a", "[a, a]"),
        BILLION.replace("a ~ a", "[a, a] | list"),
        BILLION.replace("a ~ a", "{'b': a, 'c': a}"),
        "".join(f"{{% for a in [[a{', a' * 20}]] %}}" for _ in range(19)) + "{% endfor %}" * 19,
        "{{ [" + "m, " * 1000 + "] | length > 0 and [" + "m, " * 300 + "] }}",
        "{{ 1 | round(-1000000000) }}",
        "{{ 1 | round(1000000000, 'ceil') }}",
        "{{ lists | sum(start=[]) }}",
        NUMBERS,
        NESTED,
        NESTED.replace("{{d}}", ""),
        "{% for a in l %}{% for b in l %}{{t}}{% endfor %}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ '%01000000000d' % 1 }}",
        "{{ [1] * 1000000000 }}",
    ],
)
def test_growth_is_bounded(text: str) -> None:
    compiled = template(text)

    with pytest.raises(ShapingError) as caught:
        compiled.render(
            {"l": list(range(300)), "t": "x" * 1000, "m": [0] * 10_000, "lists": [[1]] * 10_000}
        )

    assert caught.value.code == "template-failed"
    assert caught.value.status == 502


@pytest.mark.parametrize(
    "text",
    [
        "{{ n / 0 }}",
        "{{ n + 1 }}",
        "{{ gone + 1 }}",
        "{{ l | sum }}",
        "{{ n < t }}",
        "{{ l | sort }}",
    ],
)
def test_a_failure_shows_no_value(text: str) -> None:
    compiled = template(text)

    with pytest.raises(ShapingError) as caught:
        compiled.render({"n": {"k": "s3cret"}, "t": "s3cret", "l": ["s3cret", 1]})

    assert "s3cret" not in str(caught.value)
    assert text.strip("{} ") in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 1900 + "1" + ")" * 1900 + " }}",
        "{{ " + "not " * 900 + "x }}",
        "{{ " + "-" * 3900 + "x }}",
        "{{ " + "[" * 1900 + "]" * 1900 + " }}",
        "{{ x" + "[0]" * 1300 + " }}",
        "{{ x" + " | trim" * 500 + " }}",
        "{{ x" + " + x" * 900 + " }}",
        "{{ " + "x" * 5000 + " + 1 }}",
        "{% if x %}" * 200 + "{% endif %}" * 200,
        "{% for x in y %}" * 50 + "{% endfor %}" * 50,
    ],
)
def test_hostile_texts_are_refused_or_run(text: str) -> None:
    with contextlib.suppress(ExpressionError, ShapingError):
        template(text).render({"x": 1})


def test_a_value_nested_too_deep_is_not_written() -> None:
    value: JsonValue = 1
    for _ in range(100_000):
        value = [value]

    assert template("{{v}}").render({"v": value}) is value
    for text in ("a{{v}}", "{{ [v] }}"):
        with pytest.raises(ShapingError):
            template(text).render({"v": value})


def test_lookup() -> None:
    scope: dict[str, JsonValue] = {"a.b": 1, "a": {"b": 2, "c": [3]}, "n": None}

    assert lookup(scope, "a.b") == 1
    assert lookup(scope, "a.c.0") == 3
    assert lookup(scope, "n") is None
    assert lookup(scope, "n.x") is MISSING
    assert lookup(scope, "a.c.00") == 3
    assert lookup(scope, "a.c." + "9" * 5000) is MISSING
    assert default_getter("a.c.²")(scope) is MISSING


def test_a_case_file_is_a_document() -> None:
    root = load_document(CASES / "expressions/templates.yaml").root
    found = root.get("cases")
    assert isinstance(found, Sequence)
    assert all(isinstance(item, Mapping) for item in found)


def test_a_large_value_that_stands_in_a_text_many_times() -> None:
    template = compile_template("{{x}}" * 40, lambda _offset, _length=0: Location("f", 1, 1))
    with pytest.raises(ShapingError, match="more than 32 MiB"):
        template.render_text({"x": "a" * 1024 * 1024})
