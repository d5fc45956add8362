"""What holds for the filters that read and write JSON, take texts apart, and bound them."""

from __future__ import annotations

import contextlib
import json
import re

from hypothesis import given
from hypothesis import strategies as st

from naftiko.errors import ShapingError
from naftiko.expressions.template import compile_template
from naftiko.source import Location, anchored
from naftiko.values import MISSING, JsonValue
from tests.property.test_expressions import VALUES

HERE = anchored(Location("a.yaml"))
TEXTS = st.text() | st.text("a\u0301\r\n\0\u202e\u200d😀")
JSON_TEXTS = VALUES.map(json.dumps) | st.text() | st.text('[]{}",:0129.-+eE ntf\\u')


def render(template: str, **scope: JsonValue) -> JsonValue:
    value = compile_template(template, HERE).render(scope)
    assert value is not MISSING
    return value


@given(JSON_TEXTS)
def test_fromjson_reads_json_and_nothing_else(text: str) -> None:
    found = compile_template("{{ v | fromjson }}", HERE).render({"v": text})
    if found is not MISSING:
        assert found == json.loads(text)
    else:
        with contextlib.suppress(ValueError, OverflowError):
            value = json.loads(text, parse_constant=float)
            # what only Python takes for JSON: NaN, halves of pairs, numbers beyond all bounds
            assert re.search(r"NaN|Infinity|\\u[dD]|[0-9eE]{3}", text), value


@given(st.integers(1, 1500), st.sampled_from(["[", '{"a":', '[{"a":']))
def test_fromjson_refuses_what_is_too_deep(levels: int, opening: str) -> None:
    closing = {"[": "]", '{"a":': "}", '[{"a":': "}]"}[opening]
    depth = levels * len(closing)
    with contextlib.suppress(ShapingError):
        value = render("{{ v | fromjson }}", v=f"{opening * levels}1{closing * levels}")
        assert depth <= 201
        assert value is not None
        return
    assert depth > 200


@given(VALUES, st.integers(0, 8))
def test_tojson_with_an_indent_is_what_python_prints(value: JsonValue, indent: int) -> None:
    assert render(f"{{{{ v | tojson(indent={indent}) }}}}", v=value) == json.dumps(
        value, indent=indent
    )


@given(VALUES)
def test_what_tojson_writes_fromjson_reads(value: JsonValue) -> None:
    again = render("{{ v | tojson | fromjson }}", v=value)
    # numbers beyond 64 bits lose digits on the way in
    assert again == value or re.search(r"[0-9]{19}", json.dumps(value))


@given(VALUES)
def test_bytelength_counts_the_bytes_of_the_text(value: JsonValue) -> None:
    text = compile_template("x{{ v }}", HERE).render_text({"v": value})
    assert render("{{ v | bytelength }}", v=value) == len(text.encode()) - 1


@given(st.text())
def test_bytes_literal_is_what_python_prints(text: str) -> None:
    assert render("{{ v | bytes_literal }}", v=text) == repr(text.encode())


@given(TEXTS, st.integers(0, 60))
def test_bounded_stays_within_its_length_and_is_done_once(text: str, length: int) -> None:
    template = f"{{{{ v | bounded({length}) }}}}"
    found = render(template, v=text)
    assert isinstance(found, str)
    assert len(found) <= length
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", found)
    assert render(template, v=found) == found
    if len(text) <= length and text.isprintable():
        assert found == text


@given(TEXTS, st.text(max_size=2), st.integers(-2, 5))
def test_split_parts_make_up_the_text(text: str, separator: str, most: int) -> None:
    template = f"{{{{ v | split(s, {most}) }}}}"
    if not separator:
        with contextlib.suppress(ShapingError):
            assert not render(template, v=text, s=separator)
        return
    found = render(template, v=text, s=separator)
    assert found == text.split(separator, most)
    assert render("{{ v | split }}", v=text) == text.split()
