"""The evaluator of policies against one that tries everything that is left open."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from naftiko.workflow.security.policies import Decision, Policies, decide, overlap, parse_policy

TEXTS = [""] + ["".join(chars) for length in (1, 2, 3) for chars in product("ab", repeat=length)]
GLOBS = st.text("ab*?", max_size=4)
ASKED = st.text("ab*", max_size=3)


def fits(pattern: str, text: str) -> bool:
    """The plainest glob there is."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(fits(pattern[1:], text[cut:]) for cut in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and fits(pattern[1:], text[1:])


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    row: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Deny"]))}
    row[draw(st.sampled_from(["Action", "NotAction"]))] = draw(
        st.lists(GLOBS, min_size=1, max_size=2)
    )
    row[draw(st.sampled_from(["Resource", "NotResource"]))] = draw(GLOBS)
    if draw(st.booleans()):
        row["Condition"] = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    return row


def is_allowed(rows: list[dict[str, Any]], action: str, resource: str, holds: list[bool]) -> bool:
    allowed = False
    for row, condition in zip(rows, holds, strict=True):
        fits_action = any(fits(glob, action) for glob in row.get("Action") or row["NotAction"])
        fits_resource = fits(row["Resource"] if "Resource" in row else row["NotResource"], resource)
        applies = fits_action == ("Action" in row) and fits_resource == ("Resource" in row)
        if applies and ("Condition" not in row or condition):
            if row["Effect"] == "Deny":
                return False
            allowed = True
    return allowed


@given(
    st.lists(statements(), max_size=4),
    st.lists(statements(), max_size=2) | st.none(),
    st.text("ab", max_size=3),
    ASKED,
)
def test_a_decision_holds_however_the_unknown_turns_out(
    rows: list[dict[str, Any]], limit: list[dict[str, Any]] | None, action: str, asked: str
) -> None:
    own = parse_policy({"Statement": rows})
    boundary = parse_policy({"Statement": limit}) if limit is not None else None
    assert own is not None
    found = decide(Policies(statements=own, boundary=boundary), action, asked, {})
    outcomes = {
        is_allowed(rows, action, resource, list(holds[: len(rows)]))
        and (limit is None or is_allowed(limit, action, resource, list(holds[len(rows) :])))
        for resource in (TEXTS if "*" in asked else [asked])
        if fits(asked, resource)
        for holds in product([True, False], repeat=len(rows) + len(limit or []))
    }
    if found is Decision.ALLOWED:
        assert outcomes <= {True}
    elif found.is_denial:
        assert outcomes <= {False}
    elif "*" not in asked and limit is None:
        assert outcomes == {True, False}


@given(GLOBS, ASKED)
def test_globs_overlap_if_a_text_fits_both(left: str, right: str) -> None:
    texts = ["".join(chars) for length in range(7) for chars in product("ab", repeat=length)]
    assert overlap(left, right) == any(fits(left, text) and fits(right, text) for text in texts)
