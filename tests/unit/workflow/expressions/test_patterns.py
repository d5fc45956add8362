"""The subset of patterns: what is in it, what is refused, and that none takes long."""

from __future__ import annotations

import re

import pytest

from naftiko.document.nodes import Scalar
from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.workflow.expressions.pattern_syntax import PatternFault
from naftiko.workflow.expressions.patterns import check_pattern, compile_matcher, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("^[a-zA-Z][a-zA-Z0-9-]*$", "a-1", "1a"),
        ("[a-z]+(-[a-z]+)?", "ab-cd", "ab-"),
        (r"\d{12}", "123456789012", "\N{ARABIC-INDIC DIGIT ONE}" * 12),
        (r"\w+", "a_1", "é"),
        (r"arn:aws:iam::\d{12}:role/[\w+=,.@-]+", "arn:aws:iam::123456789012:role/x", "arn"),
        ("(prod|dev)-.*", "prod-1", "test-1"),
        (".*a.*", "xax", "xx"),
        ("(ab|c)*", "abcab", "ba"),
        ("[a[b&&c]", "[", "d"),
        (r"[^/\]]+", "x", "]"),
        ("", "", "a"),
        ("a{2,}", "aaa", "a"),
        ("^a$", "a", "a\n"),
        (r"\S+@\S+\.com", "a@b.com", "a b.com"),
        ("https?://[^/]+/?", "https://x", "ftp://x"),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, matching: str, other: str) -> None:
    compiled = compile_pattern(pattern)
    assert compiled.fullmatch(matching)
    assert not compiled.fullmatch(other)


REFUSED = [
    ("(a+)+", "a quantifier stands in a repeated group"),
    ("(ab*)*", "a quantifier stands in a repeated group"),
    ("((a?)x){3}", "a quantifier stands in a repeated group"),
    ("(a|ab)*", "alternatives of a repeated group begin alike"),
    ("(x(a|a))*", "alternatives of a repeated group begin alike"),
    ("(a|)*", "a repeated group can be empty"),
    ("(x(|a))*", "a repeated group can be empty"),
    ("(^a)*", "`^` or `$` stands in a repeated group"),
    ("a*a*a*b", "too many ways"),
    (".*x.*y.*", "too many ways"),
    ("a?" * 30, "too many ways"),
    ("(a|b)" * 7, "more than 64 combinations"),
    (r"(a)\1", "cannot refer back"),
    ("(?=a)", "not allowed"),
    ("(?<!a)", "not allowed"),
    ("(?i)a", "not allowed"),
    ("(?P<n>a)", "not allowed"),
    (r"\bx", "not allowed"),
    ("a*?", "follows another quantifier"),
    ("a++", "follows another quantifier"),
    ("a{2001}", "no range"),
    ("a{3,1}", "no range"),
    ("*a", "repeats nothing"),
    ("^*", "repeats nothing"),
    ("a{", "begins no quantifier"),
    ("(a", "has no `)`"),
    ("a)", "closes nothing"),
    ("[a", "has no `]`"),
    ("[]", "is empty"),
    ("[z-a]", "backwards"),
    (r"[\D]", "cannot stand in a class"),
    ("a\\", "not allowed"),
    ("a" * 201, "more than 200"),
]


@pytest.mark.parametrize(("pattern", "message"), REFUSED, ids=range(len(REFUSED)))
def test_an_unsafe_pattern_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(PatternFault, match=re.escape(message)):
        compile_pattern(pattern)
    problems = Problems()
    node = Scalar(pattern, pattern, Location("w.yaml", 2, 12), quoted=True)
    assert not check_pattern(node, problems)
    problem = problems.errors[0]
    assert problem.code == "WF323"
    assert problem.location.line == 2
    assert problem.location.column >= 13


def test_a_good_pattern_has_no_problems() -> None:
    problems = Problems()
    assert check_pattern(Scalar("[a-z]+", "[a-z]+", Location("w.yaml")), problems)
    assert not len(problems)


def test_matches_looks_at_the_first_1024_characters() -> None:
    test = compile_matcher("a+")
    assert test("a" * 1_024 + "b")
    assert not test("a" * 1_023 + "b")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(.*a.*b|x)", "a" * 4_096),
        ("[a-z]*[a-z]*-[0-9]*x", "a" * 2_000 + "-" + "0" * 2_000),
        ("a?" * 20 + "a" * 20, "a" * 30 + "b"),
        (".*-[a-z]*-[0-9]*-x", "-a" * 2_000),
    ],
)
def test_the_worst_that_is_accepted_ends(pattern: str, text: str) -> None:
    assert not compile_pattern(pattern).fullmatch(text)
