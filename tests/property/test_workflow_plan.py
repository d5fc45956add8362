"""What holds for every document and every change to one."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.plan.canonical import CanonicalError, canonical, checksum, parse_canonical

KEYS = st.text(st.characters(codec="ascii"), max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DECIMALS = st.integers(-(10**6), 10**6).map(lambda number: number / 100)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | DECIMALS | TEXTS
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS: st.SearchStrategy[JsonObject] = st.dictionaries(KEYS, VALUES, max_size=5)


@given(DOCUMENTS)
def test_round_trip(document: JsonObject) -> None:
    text = canonical(document)
    assert parse_canonical(text) == document
    assert canonical(parse_canonical(text)) == text
    assert json.loads(text) == document


@given(DOCUMENTS)
def test_order_of_members_does_not_count(document: JsonObject) -> None:
    assert canonical(dict(reversed(document.items()))) == canonical(document)


@given(DOCUMENTS, st.data())
def test_another_byte_is_refused_or_another_document(
    document: JsonObject, data: st.DataObject
) -> None:
    text = canonical(document)
    place = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != text[place]))
    other = text[:place] + bytes([byte]) + text[place + 1 :]
    try:
        found = parse_canonical(other)
    except CanonicalError:
        return
    assert canonical(found) == other
    counted = {"checksum", "signatures"}
    if not counted & {*document, *found}:
        assert checksum(found) != checksum(document)


@given(st.binary(max_size=60))
def test_bytes_are_canonical_or_refused(data: bytes) -> None:
    try:
        found = parse_canonical(data)
    except CanonicalError:
        return
    assert canonical(found) == data
