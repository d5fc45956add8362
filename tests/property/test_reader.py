"""What holds for every text the reader is given."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from naftiko.document.nodes import Document, Mapping, Node, Scalar, Sequence
from naftiko.document.reader import load_document, parse_document
from naftiko.document.scalars import ScalarValueError, plain_value
from naftiko.errors import DocumentError
from naftiko.values import JsonValue

# What YAML lets stand in a file as it is; the rest needs an escape.
CHARACTERS = st.characters(
    codec="utf-8",
    exclude_categories=["Cc", "Cs"],
    exclude_characters="\ufeff\ufffe\uffff\u2028\u2029",
)
TEXTS = st.text(CHARACTERS, max_size=20)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def lists_and_objects(inner: st.SearchStrategy[JsonValue]) -> st.SearchStrategy[JsonValue]:
    return st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)


VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS, lists_and_objects, max_leaves=20
)


def is_word(text: str) -> bool:
    try:
        return plain_value(text) == text
    except ScalarValueError:
        return False


WORDS = TEXTS.filter(is_word)
"""Texts that PyYAML, which writes YAML 1.1, leaves unquoted only where 1.2 does too."""
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=5)
YAML_PIECES = st.sampled_from(
    [
        *("a", "b", ":", " ", "\n", "  ", "- ", "a: ", "\n  ", "{", "}", "[", "]", ",", '"', "'"),
        *("|", ">", "&x ", "*x", "<<: ", "!t ", "!!int ", "#", "\\", "{{a}}", "1", ".inf", "~"),
        *("---\n", "%", "?", "é", "😀", "\t", "\r\n", "\x85", "\u2028", "\x00", "\ufeff"),
        *("|2\n", ">-\n"),
    ]
)


def read(text: str | bytes, *, pure: bool = False) -> Document | None:
    """Return the document, or None where it is refused in good order."""
    try:
        return parse_document(text, "a.yaml", pure=pure)
    except DocumentError as error:
        problems = error.problems
    assert problems
    for problem in problems:
        assert problem.code
        assert not problem.message.endswith(".")
        assert problem.location.line >= 1
        assert problem.location.column >= 1
    return None


def scalars(node: Node) -> list[Scalar]:
    match node:
        case Scalar():
            return [node]
        case Sequence():
            return [leaf for item in node for leaf in scalars(item)]
        case Mapping():
            inner = [leaf for _, value in node.entries for leaf in scalars(value)]
            return [key for key, _ in node.entries] + inner


@given(st.text())
@example("a: &x {<<: *x}")
@example("\ud800")
def test_any_text_is_read_or_refused(text: str) -> None:
    read(text)
    read(text, pure=True)


@given(st.lists(YAML_PIECES, max_size=30).map("".join))
def test_any_yaml_like_text_is_read_or_refused(text: str) -> None:
    read(text)
    read(text, pure=True)


@given(st.binary())
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfea\x00")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read(data)


@given(st.binary())
def test_any_file_is_read_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        path.write_bytes(data)
        try:
            codes = [load_document(path).path]
        except DocumentError as error:
            codes = [problem.code for problem in error.problems]
    assert "unreadable" not in codes


@given(OBJECTS)
def test_json_is_read_as_json(value: dict[str, JsonValue]) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        document = read(text)
        assert document is not None
        assert document.root.plain() == value


@given(
    st.dictionaries(TEXTS, st.recursive(WORDS | NUMBERS, lists_and_objects, max_leaves=20)),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, "'", '"', "|", ">"]),
)
def test_yaml_is_read_as_it_was_written(
    value: dict[str, JsonValue], flow: bool | None, style: str | None
) -> None:
    text = yaml.safe_dump(
        value, default_flow_style=flow, default_style=style, allow_unicode=True, sort_keys=False
    )

    document = read(text)

    assert document is not None
    assert document.root.plain() == value


@given(OBJECTS, st.sampled_from([None, "'", '"', "|", ">"]))
def test_both_parsers_read_the_same(value: dict[str, JsonValue], style: str | None) -> None:
    text = yaml.safe_dump(value, default_style=style, allow_unicode=True, width=20)

    one, other = read(text), read(text, pure=True)

    assert one is not None
    assert other is not None
    assert one == other


@given(OBJECTS, st.sampled_from([None, "'", "|"]), st.booleans())
def test_places_slice_their_own_text(
    value: dict[str, JsonValue], style: str | None, unicode: bool
) -> None:
    text = yaml.safe_dump(value, default_style=style, allow_unicode=unicode, width=1000)
    document = read(text)
    assert document is not None
    lines = text.split("\n")

    for node in scalars(document.root):
        if node.location.end_column:
            place = node.location
            shown = lines[place.line - 1][place.column - 1 : place.end_column - 1]
            again = parse_document(f"a: {shown}", "a.yaml").root.get("a")
            assert isinstance(again, Scalar)
            assert again.text == node.text
        for offset, character in enumerate(node.text):
            place = node.at(offset, 1)
            found = lines[place.line - 1][place.column - 1 : place.end_column - 1]
            escaped = found in {"", "\\"}
            assert found == character or escaped or character in "\n "


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "P", "Zs"]), max_size=9)))
def test_lines_of_a_literal_block_are_where_they_stand(content: list[str]) -> None:
    text = "a:\n  b: |2\n" + "".join(f"    {line}\n" for line in content)
    document = read(text)
    assert document is not None
    lines = text.split("\n")

    node = next(leaf for leaf in scalars(document.root) if leaf.location.column == 6)

    for offset, character in enumerate(node.text):
        place = node.at(offset, 1)
        expected = character if character != "\n" else ""
        assert lines[place.line - 1][place.column - 1 : place.end_column - 1] == expected
