"""Sealed records: back as they were, or refused."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naftiko.errors import StartError
from naftiko.values import JsonObject
from naftiko.workflow.state.sealing import LocalKey, Sealed, StateUnreadable
from naftiko.workflow.state.store import Execution, Record

KEY = bytes(range(32))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def sealed(*records: JsonObject) -> tuple[Sealed, Execution, list[Record]]:
    sealing = Sealed(KEY, "x1", "sha256:1")
    row = Execution(
        id="x1",
        workflow_id="w",
        checksum="sha256:1",
        status="running",
        created=0.0,
        length=len(records),
        head=sealing.head(len(records)),
    )
    return sealing, row, [sealing.seal(one, seq, 0.0) for seq, one in enumerate(records)]


@given(st.lists(st.dictionaries(st.text(), JSON), max_size=3))
def test_records_come_back_as_they_were(records: list[JsonObject]) -> None:
    sealing, row, stored = sealed(*records)
    assert sealing.open_all(row, stored) == tuple(records)


def test_nothing_of_a_record_can_be_read() -> None:
    _, _, stored = sealed({"password": "hunter2"})
    assert b"hunter2" not in stored[0].blob
    assert b"password" not in stored[0].blob


THREE: list[JsonObject] = [{"r": "start"}, {"r": "intent"}, {"r": "done"}]


def test_every_flipped_byte_is_found() -> None:
    sealing, row, stored = sealed(*THREE)
    for seq, one in enumerate(stored):
        for name in ("nonce", "blob"):
            whole = getattr(one, name)
            for place in range(len(whole)):
                flipped = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
                changed = [*stored]
                changed[seq] = replace(one, **{name: flipped})
                with pytest.raises(StateUnreadable, match=f"record {seq} has been changed"):
                    sealing.open_all(row, changed)


def test_order_and_number_are_part_of_it() -> None:
    sealing, row, (first, second, third) = sealed(*THREE)
    swapped = [first, replace(third, seq=1), replace(second, seq=2)]
    with pytest.raises(StateUnreadable, match="record 1 has been changed"):
        sealing.open_all(row, swapped)
    with pytest.raises(StateUnreadable, match="record 1 is missing"):
        sealing.open_all(row, [first, third, second])
    with pytest.raises(StateUnreadable, match="2 records, and must have 3"):
        sealing.open_all(row, [first, second])
    # Whoever may write to the store cannot say that there were only two.
    with pytest.raises(StateUnreadable, match="number of its records"):
        sealing.open_all(replace(row, length=2), [first, second])


@pytest.mark.parametrize(
    "other",
    [
        Sealed(KEY, "x2", "sha256:1"),
        Sealed(KEY, "x1", "sha256:2"),
        Sealed(bytes(32), "x1", "sha256:1"),
    ],
    ids=["execution", "plan", "key"],
)
def test_records_are_bound_to_execution_plan_and_key(other: Sealed) -> None:
    _, row, stored = sealed(*THREE)
    with pytest.raises(StateUnreadable):
        other.open_all(row, stored)
    with pytest.raises(StateUnreadable, match="record 0"):
        other.open_all(replace(row, head=other.head(3)), stored)


def test_key_wrapped_and_unwrapped() -> None:
    wrapper = LocalKey(KEY)
    wrapped = asyncio.run(wrapper.wrap(b"k" * 32, "x1", "sha256:1"))
    assert b"k" * 8 not in wrapped
    assert asyncio.run(wrapper.unwrap(wrapped, "x1", "sha256:1")) == b"k" * 32


def test_wrapped_key_of_another_or_changed_is_refused() -> None:
    wrapper = LocalKey(KEY)
    wrapped = asyncio.run(wrapper.wrap(b"k" * 32, "x1", "sha256:1"))
    with pytest.raises(StateUnreadable, match="another state key"):
        asyncio.run(LocalKey(bytes(32)).unwrap(wrapped, "x1", "sha256:1"))
    with pytest.raises(StateUnreadable, match="changed"):
        asyncio.run(wrapper.unwrap(wrapped, "x2", "sha256:1"))
    with pytest.raises(StateUnreadable, match="changed"):
        asyncio.run(wrapper.unwrap(wrapped, "x1", "sha256:2"))
    for place in range(len(wrapped)):
        flipped = wrapped[:place] + bytes([wrapped[place] ^ 1]) + wrapped[place + 1 :]
        with pytest.raises(StateUnreadable):
            asyncio.run(wrapper.unwrap(flipped, "x1", "sha256:1"))
    for length in range(len(wrapped)):
        with pytest.raises(StateUnreadable):
            asyncio.run(wrapper.unwrap(wrapped[:length], "x1", "sha256:1"))


@pytest.mark.parametrize(
    "text", ["", "not base64 ünd", "AAAA", base64.b64encode(b"x" * 33).decode()]
)
def test_key_that_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(StartError) as caught:
        LocalKey.from_text(text)
    assert not text or text not in str(caught.value)
    assert "openssl" in caught.value.hint


def test_key_from_text() -> None:
    wrapped = asyncio.run(LocalKey(KEY).wrap(b"k" * 32, "x1", "c"))
    same = LocalKey.from_text(base64.b64encode(KEY).decode() + "\n")
    assert asyncio.run(same.unwrap(wrapped, "x1", "c")) == b"k" * 32
