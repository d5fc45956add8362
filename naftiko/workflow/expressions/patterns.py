r"""Patterns that cannot take long: a subset of regular expressions. Spec: section 2.

Letters, `.`, classes, groups, `|`, `^`, `$` and the quantifiers `* + ? {n} {n,} {n,m}`; the escapes
`\d \w \s` and their negations (ASCII), `\t \n \r`, and `\` before punctuation. Always a full match.

A matcher that backtracks tries all ways of sharing a text out among the parts of a pattern, so a
pattern is refused unless these are few: no quantifier inside a repeated group, no alternatives
there that can begin alike, and of repeats that can take the same characters from one another no
more than two without an end, or some with a small one. `ways_of` has the arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from naftiko.document.nodes import Scalar
from naftiko.errors import Problems
from naftiko.source import Anchor
from naftiko.workflow.expressions.pattern_cost import MAX_INPUT, check_repeats, paths_of, ways_of
from naftiko.workflow.expressions.pattern_syntax import Group, PatternFault, parse_parts, regex_text

CODE = "WF323"
MAX_WAYS = 2 * (MAX_INPUT + 1) ** 2


def check_pattern(scalar: Scalar, problems: Problems) -> bool:
    """Return whether the `pattern` of a parameter can be used; otherwise report WF323."""
    return _check(str(scalar.value), scalar.at, 0, problems)


def check_literal(pattern: str, at: Anchor, offset: int, problems: Problems) -> bool:
    """Do the same for the text in quotes at `offset` of an expression."""
    return _check(pattern, at, offset + 1, problems)


def _check(pattern: str, at: Anchor, start: int, problems: Problems) -> bool:
    try:
        _parse(pattern)
    except PatternFault as fault:
        place = at(start + fault.offset, fault.length or len(pattern))
        problems.error(CODE, fault.message, place, fault.hint)
        return False
    return True


@lru_cache(maxsize=1_024)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern for `fullmatch`.

    Raises: PatternFault.
    """
    return re.compile(regex_text(_parse(pattern)), re.ASCII)


def compile_matcher(pattern: str) -> Callable[[str], bool]:
    """Return the test that `matches` makes: a full match of the first 1,024 characters.

    Raises: PatternFault.
    """
    fullmatch = compile_pattern(pattern).fullmatch

    def test(text: str) -> bool:
        return fullmatch(text[:MAX_INPUT]) is not None

    return test


def _parse(pattern: str) -> Group:
    group = parse_parts(pattern)
    check_repeats(group)
    ways = sum(ways_of(path) for path in paths_of(group))
    if ways > MAX_WAYS:
        raise PatternFault(
            "a text can be shared out among the repeats of this pattern in too many ways",
            hint="separate them by a character that neither matches, or give them small limits,"
            " such as `{0,5}`",
        )
    return group
