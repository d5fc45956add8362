"""Names of discovered entries are a pure function of the (key, raw) pairs and of what is taken."""

from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from naftiko.plan.discovery.names import MAX_NAME, assign_names, safe, suffix

SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}")
TEXTS = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="aA_-. b", max_size=4),
    st.text(alphabet="ab", min_size=60, max_size=70),
)
WANTED = st.dictionaries(st.text(max_size=6), TEXTS, max_size=12)
TAKEN = st.lists(TEXTS.map(safe), max_size=6)


@given(wanted=WANTED, taken=TAKEN, fallback=TEXTS)
def test_names_are_safe_and_each_is_there_once(
    wanted: dict[str, str], taken: list[str], fallback: str
) -> None:
    names = assign_names(wanted, taken, fallback=fallback)
    assert names.keys() == wanted.keys()
    assert len(set(names.values())) == len(names)
    assert not set(names.values()) & set(taken)
    assert all(SAFE.fullmatch(name) for name in names.values())


@given(wanted=WANTED, taken=TAKEN, order=st.randoms(use_true_random=False))
def test_the_order_of_items_names_nothing(
    wanted: dict[str, str], taken: list[str], order: random.Random
) -> None:
    items = list(wanted.items())
    order.shuffle(items)
    order.shuffle(taken)
    assert assign_names(dict(items), taken) == assign_names(wanted, taken)


@given(wanted=WANTED, taken=TAKEN, data=st.data())
def test_an_item_of_another_name_changes_no_name(
    wanted: dict[str, str], taken: list[str], data: st.DataObject
) -> None:
    """Whoever comes or goes changes only the names of those who want the same safe name.

    That holds as long as nobody is called like another one with its suffix.
    """
    key = data.draw(st.text(max_size=6).filter(lambda text: text not in wanted))
    raw = data.draw(TEXTS)
    others = {item: name for item, name in wanted.items() if safe(name) != safe(raw)}
    with_it, without_it = (
        assign_names({**wanted, key: raw}, taken),
        assign_names(wanted, taken),
    )
    if any(
        suffix(item) in safe(text) for item in (*wanted, key) for text in (*wanted.values(), raw)
    ):
        return
    assert {item: with_it[item] for item in others} == {item: without_it[item] for item in others}


@given(wanted=WANTED, taken=TAKEN)
def test_nobody_has_a_name_that_several_want(wanted: dict[str, str], taken: list[str]) -> None:
    """So that none of them can be taken for another, whoever was there first."""
    names = assign_names(wanted, taken)
    for key, name in names.items():
        rivals = [item for item, raw in wanted.items() if safe(raw) == name and item != key]
        if rivals:
            # Called like that only by its suffix, which is its own.
            assert any(name.endswith(suffix(key, length)) for length in range(6, MAX_NAME))


def test_of_several_none_keeps_the_name() -> None:
    names = assign_names({"1": "a.v1", "2": "a-v1", "3": "b", "4": "a_v1"})
    expected = {"1": f"a_v1{suffix('1')}", "2": "a-v1", "3": "b", "4": f"a_v1{suffix('4')}"}
    assert names == expected


def test_names_that_are_none_are_called_after_the_fallback() -> None:
    names = assign_names({"1": "", "2": "é§", "3": "--", "4": "x" * 65}, fallback="state machine")
    assert names["1"] == f"state_machine{suffix('1')}"
    assert names["2"] == f"state_machine{suffix('2')}"
    assert names["3"] == f"state_machine{suffix('3')}"
    assert names["4"] == "x" * (MAX_NAME - 7) + suffix("4")
    assert assign_names({"1": ""}, fallback="é") == {"1": f"entry{suffix('1')}"}


def test_a_dash_at_an_end_goes_as_with_other_tools() -> None:
    assert assign_names({"1": "-x-"}) == {"1": "x"}
    assert assign_names({"1": "-x-"}, ["x"]) == {"1": f"x{suffix('1')}"}


def test_ten_thousand_items_of_one_name_each_have_their_own() -> None:
    names = assign_names({f"arn:{number}": "same" for number in range(10_000)}, ["same"])
    assert len(set(names.values())) == 10_000
    assert all(SAFE.fullmatch(name) for name in names.values())


def test_a_suffix_that_is_taken_grows() -> None:
    assert assign_names({"1": "a"}, ["a", f"a{suffix('1')}"]) == {"1": f"a{suffix('1', 7)}"}
    tails = [suffix("1", length) for length in range(6, MAX_NAME)]
    full = ["a", *("a"[: MAX_NAME - len(tail)] + tail for tail in tails)]
    assert assign_names({"1": "a"}, full) == {"1": "a_2"}
