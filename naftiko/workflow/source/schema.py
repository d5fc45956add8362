"""Reads the fields of one mapping of a workflow source and says what is wrong with each.

Spec: section 1 and the codes WF201-WF206 of section 4.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.document.nodes import Sequence as ListNode
from naftiko.document.scalars import shorten
from naftiko.errors import Problems, did_you_mean
from naftiko.source import Location
from naftiko.workflow.source.durations import MAX_SECONDS, parse_duration

T = TypeVar("T")

MAX_TEXT = 4_096
"""The longest text that a parameter may have; nothing an author writes needs more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRule:
    """What a text has to be: a full match of `pattern`, in words `expected`, and its length."""

    pattern: re.Pattern[str] | None = None
    expected: str = ""
    shortest: int = 1
    longest: int = MAX_TEXT
    one_line: bool = False


NAME = TextRule(
    pattern=re.compile(r"[a-z][a-z0-9_]{2,63}"),
    expected="3 to 64 lower-case letters, digits and `_`, a letter first",
)
IDENTIFIER = TextRule(
    pattern=re.compile(r"[a-z][a-z0-9_]{0,63}"),
    expected="up to 64 lower-case letters, digits and `_`, a letter first",
)
VERSION = TextRule(
    pattern=re.compile(r"(?:0|[1-9][0-9]{0,5})(?:\.(?:0|[1-9][0-9]{0,5})){1,2}"),
    expected="two or three numbers with dots between them, such as `1.0`",
)
WORKFLOW_REF = TextRule(
    pattern=re.compile(r"[a-z][a-z0-9_]{2,63}(?:@[0-9]{1,6}(?:\.[0-9]{1,6}){1,2})?"),
    expected="the name of a workflow, or `name@version`",
)
PATH = TextRule(
    pattern=re.compile(
        r"[A-Za-z_][A-Za-z0-9_-]*(?:\[[0-9]{1,4}\])*"
        r"(?:\.[A-Za-z_][A-Za-z0-9_-]*(?:\[[0-9]{1,4}\])*)*"
    ),
    expected="a path of names and indexes, such as `DBSnapshots[0].Status`",
    longest=500,
)
SERVICE = TextRule(
    pattern=re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}"),
    expected="the name of an AWS service, such as `rds`",
)
ACTION = TextRule(
    pattern=re.compile(r"[A-Za-z][A-Za-z0-9 ._-]{0,149}"),
    expected="the name of one of its operations, such as `describe_db_instances`",
)
PERMISSION = TextRule(
    pattern=re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+"),
    expected="one IAM action, such as `rds:DescribeDBInstances`",
)
HANDLER = TextRule(
    pattern=re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_]*)?(?:@[0-9]+(?:\.[0-9]+){1,2})?"),
    expected="the name of a handler, a recipe or a workflow",
    longest=130,
)
FREE = TextRule()
LINE = TextRule(one_line=True, longest=200)


def kind_of(node: Node) -> str:
    """Return what a node is, in words."""
    match node:
        case Mapping():
            return "a mapping"
        case ListNode():
            return "a list"
        case Scalar(value=bool()):
            return f"`{node.text}`"
        case Scalar(value=int()) | Scalar(value=float()):
            return f"the number `{shorten(node.text, 24)}`"
        case Scalar(value=None):
            return "empty" if not node.text else f"`{node.text}`"
        case _:
            return f"the text `{shorten(node.text)}`"


class Section:
    """The fields of one mapping, asked for by name. `what` says whose they are: "a step"."""

    def __init__(self, node: Mapping, what: str, problems: Problems) -> None:
        """Keep the mapping."""
        self.node = node
        self.what = what
        self.problems = problems

    # What is wrong

    def missing(self, name: str, hint: str = "") -> None:
        """Report a field that has to be there."""
        message = f"{self.what} lacks `{name}`"
        self.problems.error("WF202", message, self.node.location, hint)

    def wrong_type(self, name: str, node: Node, expected: str, hint: str = "") -> None:
        """Report a value of another type."""
        if not hint and isinstance(node, Scalar) and "${" in node.text:
            hint = "it is a constant of the plan, no expression may stand here"
        message = f"{_shown(name)} is {kind_of(node)} where {expected} is expected"
        self.problems.error("WF203", message, node.location, hint)

    def out_of_range(self, message: str, location: Location, hint: str = "") -> None:
        """Report a value of the right type that is not allowed."""
        self.problems.error("WF204", message, location, hint)

    def refuse_unknown(self, known: Collection[str], hints: Iterable[tuple[str, str]] = ()) -> None:
        """Report every field that is not known."""
        own_hints = dict(hints)
        for key, _ in self.node.entries:
            if key.text in known:
                continue
            hint = own_hints.get(key.text) or did_you_mean(key.text, sorted(known))
            message = f"{self.what} has no field `{shorten(key.text)}`"
            self.problems.error("WF201", message, key.location, hint)

    # Values

    def get(self, name: str, *, required: bool = False, hint: str = "") -> Node | None:
        """Return the node of a field."""
        node = self.node.get(name)
        if node is None and required:
            self.missing(name, hint)
        return node

    def text(
        self, name: str, rule: TextRule = FREE, *, required: bool = False, hint: str = ""
    ) -> Scalar | None:
        """Return a text."""
        node = self.get(name, required=required, hint=hint)
        return None if node is None else self.as_text(name, node, rule, hint)

    def as_text(
        self, name: str, node: Node, rule: TextRule = FREE, hint: str = ""
    ) -> Scalar | None:
        """Return a node that has to be a text of this rule."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            if isinstance(node, Scalar) and node.value is not None:
                hint = f'quote it: "{shorten(node.text, 40)}"'
            self.wrong_type(name, node, "a text", hint)
            return None
        message = _broken(rule, name, node.text)
        if message:
            self.out_of_range(message, node.location, hint)
            return None
        return node

    def words(self, name: str, rule: TextRule = LINE) -> str:
        """Return a text for people, without blanks around it; "" where there is none."""
        node = self.text(name, rule)
        return node.text.strip() if node is not None else ""

    def integer(self, name: str, default: T, low: int, high: int) -> int | T:
        """Return a whole number."""
        node = self.get(name)
        if node is None:
            return default
        if not isinstance(node, Scalar) or type(node.value) is not int:
            self.wrong_type(name, node, "a whole number")
            return default
        return node.value if self._in_range(name, node, low, high) else default

    def number(self, name: str, low: float, high: float) -> float | None:
        """Return a number."""
        node = self.get(name)
        if node is None:
            return None
        if not isinstance(node, Scalar) or type(node.value) not in {int, float}:
            self.wrong_type(name, node, "a number")
            return None
        value = node.value
        assert isinstance(value, int | float)
        return float(value) if self._in_range(name, node, low, high) else None

    def _in_range(self, name: str, node: Scalar, low: float, high: float) -> bool:
        value = node.value
        assert isinstance(value, int | float)
        if low <= value <= high:
            return True
        bound = f"at least {low:,}" if value < low else f"at most {high:,}"
        message = f"`{name}` is {shorten(node.text, 24)}, and {bound} is allowed"
        self.out_of_range(message, node.location)
        return False

    def boolean(self, name: str) -> bool:
        """Return `true` or `false`, which it is where it is absent."""
        node = self.get(name)
        if node is None:
            return False
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        self.wrong_type(name, node, "`true` or `false`", _boolean_hint(node))
        return False

    def choice(self, name: str, options: Sequence[str], default: T) -> str | T:
        """Return one of the options."""
        node = self.get(name)
        found = None if node is None else self.as_text(name, node)
        if found is None:
            return default
        if found.text in options:
            return found.text
        listed = ", ".join(f"`{option}`" for option in options)
        message = f"`{name}` is `{shorten(found.text)}`, which is none of {listed}"
        self.out_of_range(message, found.location, _near_option(found.text, options))
        return default

    def duration(self, name: str, default: T, low: int = 1, high: int = MAX_SECONDS) -> int | T:
        """Return seconds."""
        node = self.get(name)
        if node is None:
            return default
        seconds = parse_duration(node, self.problems, name=name, low=low, high=high)
        return default if seconds is None else seconds

    def mapping(self, name: str, *, required: bool = False, hint: str = "") -> Mapping | None:
        """Return a mapping."""
        node = self.get(name, required=required, hint=hint)
        if node is None or isinstance(node, Mapping):
            return node
        self.wrong_type(name, node, "a mapping", hint)
        return None

    def sequence(self, name: str, *, required: bool = False, hint: str = "") -> ListNode | None:
        """Return a list."""
        node = self.get(name, required=required, hint=hint)
        if node is None or isinstance(node, ListNode):
            return node
        if not hint and isinstance(node, Scalar) and node.text and "\n" not in node.text:
            hint = f"write a list: [{shorten(node.text)}]"
        self.wrong_type(name, node, "a list", hint)
        return None

    def texts(self, name: str, rule: TextRule, *, most: int) -> tuple[Scalar, ...] | None:
        """Return a list of texts, each once; None where the field is absent."""
        node = self.sequence(name)
        if node is None:
            return None
        self.at_most(name, node, most)
        found: dict[str, Scalar] = {}
        for item in node:
            text = self.as_text(f"an item of `{name}`", item, rule)
            if text is None:
                continue
            first = found.setdefault(text.text, text)
            if first is not text:
                self.twice(f"`{shorten(text.text)}` stands twice in `{name}`", text, first.location)
        return tuple(found.values())

    def at_most(self, name: str, node: ListNode, most: int) -> None:
        """Report a list that is too long."""
        if len(node) > most:
            message = f"`{name}` has {len(node):,} items, and at most {most:,} are allowed"
            self.out_of_range(message, node.location)

    def twice(self, message: str, second: Scalar, first: Location) -> None:
        """Report what may stand only once."""
        hint = f"it stands in line {first.line} already"
        self.problems.error("WF205", message, second.location, hint)

    def expression(self, name: str, *, required: bool = False, hint: str = "") -> Scalar | None:
        """Return a condition or a reference, which resolution reads: a text, or true or false."""
        node = self.get(name, required=required, hint=hint)
        if node is None:
            return None
        if isinstance(node, Scalar) and isinstance(node.value, str | bool) and node.text.strip():
            return node
        self.wrong_type(name, node, "an expression", hint)
        return None

    def named(
        self, name: str, rule: TextRule | None = None, *, required: bool = False
    ) -> tuple[tuple[Scalar, Node], ...]:
        """Return the entries of a mapping from names to values."""
        node = self.mapping(name, required=required)
        if node is None:
            return ()
        if rule is not None:
            for key, _ in node.entries:
                self.as_text(f"a name in `{name}`", key, rule)
        return node.entries


def blank(node: Node) -> Scalar:
    """Return what stands for a value that was refused, so that reading goes on."""
    return Scalar("", "", node.location)


def _shown(name: str) -> str:
    """Return the name of a field in backticks; "an item of ..." has them where they belong."""
    return name if " " in name else f"`{name}`"


def _broken(rule: TextRule, name: str, text: str) -> str:
    name = _shown(name)
    if not text.strip():
        return f"{name} is empty"
    length = len(text.strip())
    if length > rule.longest:
        return f"{name} has {length:,} characters, and at most {rule.longest:,} are allowed"
    if rule.pattern is not None and rule.pattern.fullmatch(text) is None:
        return f"{name} is `{shorten(text)}`, which is not {rule.expected}"
    if length < rule.shortest:
        return f"{name} has {length} characters, and at least {rule.shortest} are expected"
    if rule.one_line and any(character in text.strip() for character in "\r\n\t"):
        return f"{name} has more than one line, or a tab"
    return ""


def _boolean_hint(node: Node) -> str:
    text = node.text.lower() if isinstance(node, Scalar) else ""
    if text in {"true", "yes", "on"}:
        return "write `true`, without quotes"
    return "write `false`, without quotes" if text in {"false", "no", "off"} else ""


def _near_option(text: str, options: Sequence[str]) -> str:
    hint = did_you_mean(text, options)
    return hint if hint.startswith("did you mean") else ""
