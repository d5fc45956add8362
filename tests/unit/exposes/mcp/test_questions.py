"""Answers to questions, as callers may send them."""

from __future__ import annotations

from naftiko.exposes.mcp.questions import fits
from naftiko.plan.run import Question


def test_an_answer_that_takes_for_ever_to_check_does_not_fit() -> None:
    schema = {"type": "object", "properties": {"ids": {"type": "array", "uniqueItems": True}}}
    question = Question(kind="form", params={"message": "Which?", "requestedSchema": schema})
    ids = list(range(10**24, 10**24 + 50_000))

    assert fits(question, {"action": "accept", "content": {"ids": ids[:10]}})
    assert not fits(question, {"action": "accept", "content": {"ids": ids}})
