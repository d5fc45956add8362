"""Members that are settled when the file is loaded: a constant, or bound variables.

"5", 5, "{{ROUNDS}}", "{{ PAUSE or '2s' }}"; never what only a run knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from naftiko.document.nodes import Node, Scalar
from naftiko.errors import RunError
from naftiko.expressions.durations import parse_duration_s
from naftiko.plan.clients import LeftOut, leave_out
from naftiko.plan.templates import PlanTemplates, unbound
from naftiko.values import MISSING, JsonValue

MAX_DIGITS = 10
_DURATION = "a duration such as `500ms`, `10s` or `2m`"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Member:
    """A member as problems name it: `timeout` of "the `until` step `poll`". None: not given."""

    name: str
    of: str
    node: Node | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _Value:
    """What a member says. `is_bound` where a variable gives it."""

    member: Member
    node: Node
    value: JsonValue
    is_bound: bool = False

    def refusal(self, code: str, expected: str) -> LeftOut:
        """Return the problem of a value that does not fit. A variable's is a secret: not shown."""
        shown = f" (`{self.node.text}`)" if self.is_bound and isinstance(self.node, Scalar) else ""
        message = f"`{self.member.name}`{shown} of {self.member.of} is to be {expected}"
        hint = "correct the value of the variable, or its default" if self.is_bound else ""
        return leave_out(code, message, self.node.location, hint)


@dataclass(frozen=True, slots=True)
class SettledMembers:
    """Reads them, each within its bounds."""

    templates: PlanTemplates

    def count(self, member: Member, default: int, most: int) -> int:
        """Return a bound, from 1 to its maximum; a text of digits is a number.

        Raises: LeftOut.
        """
        found = self._value(member)
        if found is None:
            return default
        value = found.value
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value) if len(value) < MAX_DIGITS else None
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
            return value
        raise found.refusal("invalid-bound", f"a whole number from 1 to {most:,}")

    def word(self, member: Member, words: Sequence[str], code: str) -> str | None:
        """Return one of these words, None where it is not given; true and false are words too.

        Raises: LeftOut, with `code` for any other.
        """
        found = self._value(member)
        if found is None:
            return None
        value = found.value
        word = str(value).lower() if isinstance(value, bool) else value
        if isinstance(word, str) and word.strip().lower() in words:
            return word.strip().lower()
        raise found.refusal(code, " or ".join(f"`{item}`" for item in words))

    def number(self, member: Member, default: float, least: float, most: float) -> float:
        """Return a number within its bounds.

        Raises: LeftOut.
        """
        found = self._value(member)
        if found is None:
            return default
        value = found.value
        if found.is_bound and isinstance(value, str):
            value = _number(value)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and least <= value <= most
        ):
            return float(value)
        raise found.refusal("invalid-bound", f"a number from {least:g} to {most:g}")

    def duration_s(self, member: Member) -> float | None:
        """Return a duration in seconds, None where it is not given.

        Raises: LeftOut.
        """
        found = self._value(member)
        return None if found is None else _duration_s(found)

    def duration_within_s(self, member: Member, default: float, least: float, most: float) -> float:
        """Return a duration in seconds, within its bounds.

        Raises: LeftOut.
        """
        found = self._value(member)
        if found is None:
            return default
        seconds = _duration_s(found)
        if least <= seconds <= most:
            return seconds
        raise found.refusal(
            "invalid-duration", f"a duration from {_shown_s(least)} to {_shown_s(most)}"
        )

    def _value(self, member: Member) -> _Value | None:
        """Return what a member says; None where it is not given, or empty.

        Raises: LeftOut where it reads what only a run knows.
        """
        node = member.node
        if node is None:
            return None
        value = node.value if isinstance(node, Scalar) else None
        if not isinstance(node, Scalar) or not isinstance(value, str) or "{{" not in value:
            return _Value(member=member, node=node, value=value)
        template = self.templates.scalar(node)
        for read, reference in unbound(template.references, self.templates):
            raise leave_out(
                "setting-of-a-run",
                f"`{member.name}` of {member.of} reads `{read}`, which only a run knows; it is "
                "settled when the file is loaded",
                reference.location,
                "read variables of `binds` there, and nothing else",
            )
        self.templates.warn_settled(template.references)
        try:
            rendered = template.render({})
        except RunError as error:
            reason = self.templates.masker(error.message)
            message = f"`{member.name}` of {member.of} has no value: {reason}"
            raise leave_out("invalid-member", message, node.location) from None
        if rendered is MISSING or rendered is None:
            return None
        if isinstance(rendered, str):
            rendered = rendered.strip()
            if not rendered:
                return None  # of an optional variable, which has no value
        return _Value(member=member, node=node, value=rendered, is_bound=True)


def _duration_s(found: _Value) -> float:
    try:
        return parse_duration_s(found.value)
    except ValueError as error:
        if found.is_bound:
            raise found.refusal("invalid-duration", _DURATION) from None
        message = f"`{found.member.name}`: {error}"
        raise leave_out("invalid-duration", message, found.node.location) from None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _shown_s(seconds: float) -> str:
    """Return a bound as a file would have it: 1.0 -> "1s", 2592000.0 -> "30d"."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"
