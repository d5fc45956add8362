"""Files, limits and places of the reader."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.document.reader import load_document, parse_document
from naftiko.errors import DocumentError, Problem
from naftiko.source import Location, Source, render_excerpt


def refused(text: str | bytes, **limits: int) -> Problem:
    with pytest.raises(DocumentError) as caught:
        parse_document(text, "a.yaml", **limits)  # type: ignore[arg-type]  # limits are ints
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def unreadable(path: Path) -> Problem:
    with pytest.raises(DocumentError) as caught:
        load_document(path, display_path=path.name)
    problem = caught.value.problems[0]
    assert problem.code == "unreadable"
    return problem


def scalar(node: Node | None) -> Scalar:
    assert isinstance(node, Scalar)
    return node


def test_a_missing_file_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text("a: 1\n")

    problem = unreadable(tmp_path / "order.yaml")

    assert problem.message == "the file `order.yaml` does not exist"
    assert problem.hint == f"did you mean `{tmp_path / 'orders.yaml'}`?"
    assert problem.location == Location("order.yaml")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    hint = unreadable(tmp_path / "none/a.yaml").hint

    assert hint == f"there is no folder `{tmp_path / 'none'}` either"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert unreadable(tmp_path).message == f"`{tmp_path.name}` is a folder, not a file"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert "is not a regular file" in unreadable(tmp_path / "pipe").message


@pytest.mark.parametrize("name", ["a\0b", "a" * 300, "\ud800"])
def test_an_impossible_name_is_unreadable(tmp_path: Path, name: str) -> None:
    unreadable(tmp_path / name)


def test_a_file_above_a_file_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a: 1\n")

    unreadable(tmp_path / "file" / "a.yaml")


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(DocumentError) as caught:
        load_document(tmp_path / "large.yaml")

    assert caught.value.problems[0].code == "too-large"
    assert caught.value.problems[0].message == "the file has more than 5 MiB"


def test_the_size_limit_counts_bytes() -> None:
    assert parse_document("a: éé", "a.yaml", max_bytes=7).root.get("a") is not None
    assert refused("a: éé".encode(), max_bytes=6).code == "too-large"


def test_too_many_values() -> None:
    text = "a: [1, 2, 3]\n"

    assert parse_document(text, "a.yaml", max_nodes=6).root.get("a") is not None
    assert refused(text, max_nodes=5).code == "too-many-values"


def test_an_alias_counts_what_it_expands_to() -> None:
    text = "a: &a [1, 2]\nb: *a\n"

    assert parse_document(text, "a.yaml", max_nodes=9).root.get("a") is not None
    assert refused(text, max_nodes=8).code == "alias-bomb"


def test_depth_is_bounded() -> None:
    assert parse_document("a: [[1]]", "a.yaml", max_depth=3).root.get("a") is not None
    assert refused("a: [[1]]", max_depth=2).code == "too-deep"


@pytest.mark.parametrize(
    "text",
    ["[" * 2_000_000, "{a: " * 500_000, "- " * 1_000_000, "? " * 1_000_000, "a:\n " * 300_000],
    ids=["lists", "mappings", "items", "keys", "indents"],
)
def test_endless_nesting_ends_at_once(text: str) -> None:
    with pytest.raises(DocumentError):
        parse_document(text, "a.yaml")


def test_problems_are_capped() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document("a:\n" + "- !x 1\n" * 50_000, "a.yaml")

    assert len(caught.value.problems) == 100


def test_an_alias_bomb_takes_no_memory() -> None:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 60)]

    assert refused("\n".join(lines)).code == "alias-bomb"


def test_a_merge_bomb_is_bounded() -> None:
    lines = ["m0: &m0 {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}"]
    lines += [f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}], x{n}: 1}}" for n in range(1, 100)]

    assert refused("\n".join(lines)).code == "alias-bomb"


def test_places() -> None:
    text = 'info:\n  label: "Orders"\n  tags: [a, é, bc]\n'
    root = parse_document(text, "orders.yaml").root

    info = root.get("info")
    assert isinstance(info, Mapping)
    assert info.location == Location("orders.yaml", 2, 3)
    assert scalar(info.key("label")).location == Location("orders.yaml", 2, 3, 8)
    assert scalar(info.get("label")).location == Location("orders.yaml", 2, 10, 18)
    tags = info.get("tags")
    assert isinstance(tags, Sequence)
    assert tags.location == Location("orders.yaml", 3, 9)
    assert [item.location.column for item in tags] == [10, 13, 16]


def test_the_place_of_a_value_is_after_its_anchor_and_tag() -> None:
    root = parse_document('a: &x !!str 12\nb: &y\n  "z"\n', "a.yaml").root

    assert scalar(root.get("a")).location == Location("a.yaml", 1, 13, 15)
    assert scalar(root.get("b")).location == Location("a.yaml", 3, 3, 6)


@pytest.mark.parametrize(
    ("text", "found", "place"),
    [
        ("a: b {{x}}", "{{x}}", "1:6"),
        ('a: "b {{x}}"', "{{x}}", "1:7"),
        ("a: 'it''s {{x}}'", "{{x}}", "1:11"),
        ('a: "\\t\\u00e9 {{x}}"', "{{x}}", "1:14"),
        ("a: |\n  b\n    {{x}}\n", "{{x}}", "3:5"),
        ("a: |2-\n\n    b\n  {{x}}\n", "{{x}}", "4:3"),
        ("a: ! |\n   b\n   c {{x}}\n", "{{x}}", "3:6"),
        ("a: >\n  b\n  c {{x}}\n\n  d\n", "{{x}}", "3:5"),
        ("a: >-\n  b\n    c\n  d {{x}}", "{{x}}", "4:5"),
        ("a: b\n  c {{x}}", "{{x}}", "2:5"),
        ('a: "b\n\n   c {{x}}"', "{{x}}", "3:6"),
        ('a: "b\\\n   c {{x}}"', "{{x}}", "2:6"),
        ('a: &n "b {{x}}"', "{{x}}", "1:10"),
        ("a: |\r\n  b\r\n  {{x}}\r\n", "{{x}}", "3:3"),
        ("a:\n  |\n    b {{x}}", "{{x}}", "3:7"),
    ],
)
@pytest.mark.parametrize("pure", [False, True])
def test_the_place_of_a_part_of_a_text(text: str, found: str, place: str, *, pure: bool) -> None:
    node = scalar(parse_document(text, "a.yaml", pure=pure).root.get("a"))

    location = node.at(node.text.index(found), len(found))

    assert f"{location.line}:{location.column}" == place
    assert location.end_column == location.column + len(found)


def test_a_problem_shows_its_line() -> None:
    text = "capability:\n\tconsumes: []\n"
    problem = refused(text)

    assert render_excerpt(Source("a.yaml", text), problem.location) == (
        "   2 | \tconsumes: []\n"  # a tab is kept, so that both lines indent alike
        "     | ^"
    )


def test_a_problem_marks_its_extent() -> None:
    text = "consumes:\n  - baseUri: {{HOST}}/v1   # from the environment\n"

    assert render_excerpt(Source("a.yaml", text), refused(text).location) == (
        "   2 |   - baseUri: {{HOST}}/v1   # from the environment\n     |              ^^^^^^^^^^^"
    )


def test_the_text_is_kept_as_it_is() -> None:
    text = '{"a": "\\ud83d\\ude00"}'

    assert parse_document("\ufeff" + text, "a.json").text == text


def test_json_escapes_of_one_character_in_two() -> None:
    text = '{"a": "\\ud83d\\ude00", "b": "\\\\ud83d\\\\ude00"}'

    assert parse_document(text, "a").root.plain() == {"a": "😀", "b": "\\ud83d\\ude00"}


@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize("escape", ["\\ud83d", "\\ude00\\ud83d", "\\UFFFFFFFF", "\\U00110000"])
def test_an_escape_that_is_no_character(escape: str, *, pure: bool) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_document(f'{{"a": "x{escape}"}}', "a.json", pure=pure)

    assert caught.value.problems[0].code == "yaml-syntax"


def test_a_long_number_is_refused() -> None:
    assert parse_document(f"a: {'9' * 1000}", "a.yaml").root.plain() == {"a": int("9" * 1000)}
    assert refused(f"a: {'9' * 5000}").code == "bad-number"
    assert refused(f"a: 0x{'f' * 5000}").code == "bad-number"
    assert refused(f"a: !!int 0{'9' * 5000}").code == "bad-tag-value"
