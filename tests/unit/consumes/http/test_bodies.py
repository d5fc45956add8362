"""Bodies given as JSON text: whatever the arguments hold, only their own values change."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naftiko.consumes.http.json_text import json_text_nodes
from naftiko.consumes.http.request import RequestPlan
from naftiko.document.nodes import Scalar
from naftiko.source import Location
from naftiko.values import JsonValue
from tests.unit.consumes.http.apis import api

PLACE = Location("api.yaml", 3, 5)

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(['"', '", "admin": true, "x": "', "\\", "{{b}}", "}}", "\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(['"', "\\", '"}'])


def nodes(text: str) -> Any:
    found = json_text_nodes(Scalar(text, text, PLACE))
    return None if found is None else found.plain()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "{{x}}"}', {"a": "{{x}}"}),
        ('{"a": {{x}}, "b": [{{ y.z }}]}', {"a": "{{x}}", "b": ["{{ y.z }}"]}),
        ('{"a": "say \\"{{x}}\\" {{y}}\\n"}', {"a": 'say "{{x}}" {{y}}\n'}),
        ("{{x}}", "{{x}}"),
        ('{"a": {{{x}}}}', {"a": "{{{x}}}"}),
        ("{\"a\": {{ x | default('}}') }}}", {"a": "{{ x | default('}}') }}"}),
        ('{"n": 12345678901234567890123, "f": 1.5}', {"n": 12345678901234567890123, "f": 1.5}),
        ('{"a": {"b": {}}}', {"a": {"b": {}}}),
        ('{"{{x}}": 1}', None),
        ('{"a": 1{% if x %}, "b": 2{% endif %}}', None),
        ('{"a": {{x}}{{y}}}', None),
        ('{"a": -{{x}}}', None),
        ('{"a": NaN}', None),
        ('{"a": "{{x"}', None),
        ('{"a": "\\ue0001\\ue001", "b": {{x}}}', None),
        ("hello {{x}}", None),
        ("[" * 100_000, None),
    ],
)
def test_json_text_becomes_nodes(text: str, value: Any) -> None:
    assert nodes(text) == value


def test_a_placeholder_keeps_its_place() -> None:
    text = Scalar("", '{"a": {{x}}}', PLACE)
    found = json_text_nodes(text)
    assert found is not None
    scalar = found.get("a")  # type: ignore[union-attr]  # it is a mapping
    assert isinstance(scalar, Scalar)
    assert (scalar.location.line, scalar.location.column) == (3, 11)


@cache
def plan(body: str) -> RequestPlan:
    return api(f"method: POST, body: {json.dumps(body)}").http().request


def sent(body: str, arguments: dict[str, JsonValue]) -> Any:
    return json.loads(plan(body).render(arguments).body or b"null")


@given(a=JSON_VALUES, b=JSON_VALUES)
def test_values_keep_their_types_and_their_place(a: Any, b: Any) -> None:
    body = '{"a": "{{a}}", "b": {{b}}, "l": [{{a}}, 1], "fixed": true}'
    expected = {"a": a, "b": b, "l": [a, 1], "fixed": True}
    assert sent(body, {"a": a, "b": b}) == expected


@given(a=TEXTS, b=TEXTS)
def test_texts_cannot_break_out_of_a_sentence(a: str, b: str) -> None:
    body = '{"s": "<{{a}}|{{b}}>", "fixed": 1}'
    assert sent(body, {"a": a, "b": b}) == {"s": f"<{a}|{b}>", "fixed": 1}


@given(a=TEXTS)
def test_texts_cannot_break_out_where_a_condition_decides(a: str) -> None:
    body = '{"s": "{{a}}"{% if a %}, "given": true{% endif %}}'
    expected = {"s": a, "given": True} if a else {"s": a}
    assert sent(body, {"a": a}) == expected
