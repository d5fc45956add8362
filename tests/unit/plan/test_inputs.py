"""Inputs: read from text by type, checked all at once, worded for the caller."""

from __future__ import annotations

import pytest

from naftiko.errors import InputError
from naftiko.plan.inputs import Input, InputTable, compile_validator

TABLE = InputTable(
    inputs=(
        Input(name="name", schema={"type": "string", "maxLength": 5}, required=True),
        Input(name="count", schema={"type": "integer", "minimum": 1, "maximum": 9}),
        Input(name="ratio", schema={"type": "number"}),
        Input(name="on", schema={"type": "boolean"}),
        Input(name="state", schema={"type": "string", "enum": ["RUNNING", "FAILED"]}),
        Input(name="ids", schema={"type": "array", "items": {"type": "integer"}}),
        Input(name="body", schema={"type": "object", "required": ["a"]}),
        Input(name="doc", schema={"type": ["string", "object"]}),
        Input(name="json", schema={"type": ["array", "object", "string"]}),
        Input(name="any", schema={}),
        Input(name="size", schema={"type": "integer"}, default=7, has_default=True),
    )
)


@pytest.mark.parametrize(
    ("name", "texts", "value"),
    [
        ("name", ["5"], "5"),
        ("count", ["5"], 5),
        ("count", ["+5"], 5),
        ("count", ["5.0"], "5.0"),
        ("count", ["five"], "five"),
        ("count", ["٣"], "٣"),
        ("ratio", ["5"], 5),
        ("ratio", ["1.5e3"], 1500.0),
        ("ratio", ["nan"], "nan"),
        ("on", ["true"], True),
        ("on", ["FALSE"], False),
        ("on", ["maybe"], "maybe"),
        ("ids", ["1", "2"], [1, 2]),
        ("ids", ["3"], [3]),
        ("ids", ["[4, 5]"], [4, 5]),
        ("ids", ["x"], ["x"]),
        ("body", ['{"a": 1}'], {"a": 1}),
        ("body", ["{oops"], "{oops"),
        ("doc", ['{"a": 1}'], '{"a": 1}'),
        ("json", ['{"a": 1}'], '{"a": 1}'),
        ("json", ['["a"]'], '["a"]'),
        ("json", ["a", "b"], ["a", "b"]),
        ("any", ["text"], "text"),
    ],
)
def test_text_is_read_by_type(name: str, texts: list[str], value: object) -> None:
    item = TABLE.get(name)
    assert item is not None
    assert TABLE.read_text(item, texts) == value


def test_everything_wrong_is_said_at_once() -> None:
    values = {
        "name": "too long",
        "count": "five",
        "state": "RUNING",
        "ids": [1, "x"],
        "body": {},
        "nam": 1,
    }

    with pytest.raises(InputError) as caught:
        TABLE.check(dict(values), {"count": "query"})

    said = {item.name: item for item in caught.value.fields}
    assert said["name"].message == "`name` must have at most 5 characters, found 8"
    assert said["count"].message == '`count` must be integer, found "five"'
    assert said["count"].in_ == "query"
    assert said["state"].hint == "did you mean `RUNNING`?"
    assert said["ids[1]"].message == '`ids[1]` must be integer, found "x"'
    assert said["body.a"].message == "`body.a` is required"
    assert said["nam"].hint == "did you mean `name`?"
    assert caught.value.status == 400


def test_defaults_are_filled_in() -> None:
    assert TABLE.check({"name": "a"})["size"] == 7


def test_long_values_are_cut_in_errors() -> None:
    with pytest.raises(InputError) as caught:
        TABLE.check({"name": "a", "count": "x" * 1000})
    assert len(caught.value.fields[0].message) < 200


def test_an_open_table_lets_unknown_names_pass() -> None:
    assert InputTable(closed=False).check({"more": 1}) == {"more": 1}


def test_a_schema_given_in_the_file_is_published_and_enforced_verbatim() -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}
    table = InputTable(verbatim=schema)

    assert table.schema == schema
    with pytest.raises(InputError):
        table.check({"a": 2})


def test_a_schema_that_refers_to_another_document_is_refused_without_asking_for_it() -> None:
    with pytest.raises(ValueError, match="127"):
        compile_validator({"items": {"$ref": "http://127.0.0.1:9/x"}})


def test_a_pattern_that_backtracks_without_end_is_cut_off() -> None:
    table = InputTable(inputs=(Input(name="a", schema={"pattern": r"^(?=a)(a+)+$"}),))

    with pytest.raises(InputError):
        table.check({"a": "a" * 5000 + "!"})


def test_very_many_unknown_names_are_cut_short() -> None:
    with pytest.raises(InputError) as caught:
        TABLE.check({"name": "a", **{f"unknown-{number}": 1 for number in range(20_000)}})

    assert len(caught.value.fields) == 50


def test_the_json_text_of_an_object_or_list_is_read_where_no_text_will_do() -> None:
    given = {"name": "a", "ids": "[1, 2]", "body": '{"a": 1}', "doc": '{"a": 1}'}
    checked = TABLE.check(dict(given), reads_texts=True)
    assert checked == {"name": "a", "ids": [1, 2], "body": {"a": 1}, "doc": '{"a": 1}', "size": 7}
    with pytest.raises(InputError) as caught:
        TABLE.check(dict(given))
    assert {item.name for item in caught.value.fields} == {"ids", "body"}


@pytest.mark.parametrize("text", ["7", "{", '{"b": 1}', '"{}"', ""])
def test_a_text_that_is_no_fitting_json_is_named_as_it_came(text: str) -> None:
    with pytest.raises(InputError) as caught:
        TABLE.check({"name": "a", "body": text}, reads_texts=True)
    (field,) = caught.value.fields
    assert "must be object, found" in field.message


def test_a_number_as_text_is_no_number() -> None:
    with pytest.raises(InputError):
        TABLE.check({"name": "a", "count": "5"}, reads_texts=True)


UNIQUE = InputTable(inputs=(Input(name="ids", schema={"type": "array", "uniqueItems": True}),))


@pytest.mark.parametrize(
    "ids",
    [
        range(2**63, 2**63 + 20_000),
        range(-(2**63), -(2**63) + 20_000),
        range(10**24, 10**24 + 20_000),
        range(10**307, 10**307 + 1_000),
        range(10**400, 10**400 + 1_000),
    ],
    ids=["64 bits", "negative", "25 digits", "308 digits", "no float"],
)
def test_many_long_integers_are_not_compared_with_each_other(ids: range) -> None:
    """The validator's hash of integers is that of their float: it would compare each with each."""
    with pytest.raises(InputError) as caught:
        UNIQUE.check({"ids": list(ids)})

    assert "too many long integers" in caught.value.fields[0].message
    few = list(ids[:40])
    assert UNIQUE.check({"ids": few}) == {"ids": few}
    with pytest.raises(InputError):
        UNIQUE.check({"ids": [*few, few[-1]]})


def test_long_integers_that_are_far_from_each_other_are_compared() -> None:
    ids = list(range(2**60, 2**60 + 2**22 * 20_000, 2**22))

    assert UNIQUE.check({"ids": ids}) == {"ids": ids}


def test_long_integers_that_nothing_compares_may_be_many() -> None:
    table = InputTable(inputs=(Input(name="ids", schema={"type": "array"}),))
    ids = list(range(10**30, 10**30 + 5_000))

    assert table.check({"ids": ids}) == {"ids": ids}
