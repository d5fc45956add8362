"""What may stand on both sides of an operator, and what it gives."""

from __future__ import annotations

from naftiko.errors import Problems, did_you_mean
from naftiko.source import Anchor, Location
from naftiko.values import JsonValue
from naftiko.workflow.expressions.nodes import (
    Binary,
    Expr,
    ListOf,
    Literal,
)
from naftiko.workflow.expressions.patterns import check_literal
from naftiko.workflow.expressions.typed import Typed, kind_text, some_of
from naftiko.workflow.expressions.wording import shown
from naftiko.workflow.types import (
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    Type,
)

CLASH = "WF322"
ORDERED = frozenset({"string", "number", "timestamp", "duration"})
"""The families that `<` compares."""
COMPARED = ORDERED | {"boolean"}
"""The families that `==` compares."""


class Operators:
    """Types what operators give; problems are WF310, WF322, WF323."""

    def __init__(self, problems: Problems) -> None:
        """Take what collects the problems."""
        self._problems = problems

    def result(self, node: Binary, left: Typed, right: Typed, at: Anchor) -> Type | None:
        """Return the type of what an operator gives, or report why it cannot."""
        if node.op in {"+", "-"}:
            return self._sum(node, left.type, right.type, at)
        if node.op in {"&&", "||"}:
            fits = left.type.kind == right.type.kind == "boolean"
            hint = "compare first: `a == 1 && b == 2`"
        elif node.op in {"==", "!="}:
            return self._equality(node, left, right, at)
        elif node.op in {"in", "contains"}:
            return self._membership(node, left, right, at)
        elif node.op in {"startswith", "endswith", "matches"}:
            fits, hint = left.type.kind == right.type.kind == "string", ""
            if fits and node.op == "matches" and not self._pattern(node.right, right, at):
                return None
        else:
            fits = left.type.family == right.type.family and left.type.family in ORDERED
            hint = "" if left.type.family in ORDERED else "only `==` and `!=` compare these"
        if fits:
            return BOOLEAN
        self._operands_clash(node, left.type, right.type, at, hint)
        return None

    def _sum(self, node: Binary, left: Type, right: Type, at: Anchor) -> Type | None:
        if left.family == right.family == "number":
            return INTEGER if left.kind == right.kind == "integer" else NUMBER
        if left.kind == "timestamp" and right.kind == "duration":
            return Type(kind="timestamp")
        hint = "numbers can be added, and a duration to a time: `now() - days(7)`"
        if node.op == "+" and "string" in {left.kind, right.kind}:
            hint = "join texts in a template: `${params.a}-${params.b}`"
        elif left.kind == right.kind == "timestamp":
            hint = "`age(time)` is the time since then"
        self._operands_clash(node, left, right, at, hint)
        return None

    def _equality(self, node: Binary, left: Typed, right: Typed, at: Anchor) -> Type | None:
        if NULL.kind in {left.type.kind, right.type.kind}:
            return BOOLEAN
        if left.type.family != right.type.family or left.type.family not in COMPARED:
            alike = left.type.family == right.type.family
            hint = "compare members or `length(...)`; `== null` is always possible" if alike else ""
            self._operands_clash(node, left.type, right.type, at, hint)
            return None
        fits = self._constant_fits(left.type, node.right, at)
        return BOOLEAN if self._constant_fits(right.type, node.left, at) and fits else None

    def _membership(self, node: Binary, left: Typed, right: Typed, at: Anchor) -> Type | None:
        if node.op == "contains" and left.type.kind == right.type.kind == "string":
            return BOOLEAN
        many, one = (right, left) if node.op == "in" else (left, right)
        many_node, one_node = (
            (node.right, node.left) if node.op == "in" else (node.left, node.right)
        )
        if many.tree.get("list") == []:
            return BOOLEAN
        element = many.type.element()
        fits = many.type.kind == "list" and element.family == one.type.family
        if not fits or one.type.family not in COMPARED:
            self._operands_clash(node, left.type, right.type, at, _membership_hint(node.op))
            return None
        members = many_node.items if isinstance(many_node, ListOf) else ()
        checks = [self._constant_fits(one.type, member, at) for member in members]
        checks.append(self._constant_fits(element, one_node, at))
        return BOOLEAN if all(checks) else None

    def _pattern(self, node: Expr, typed: Typed, at: Anchor) -> bool:
        if isinstance(node, Literal) and isinstance(node.value, str):
            return check_literal(node.value, at, node.offset, self._problems)
        self._problems.error(
            "WF323",
            "the pattern of `matches` is not a constant",
            at(node.offset, node.length),
            "write it out in quotes, or use `contains`, `startswith` or `==`",
        )
        return False

    def _constant_fits(self, type_: Type, node: Expr, at: Anchor) -> bool:
        if not isinstance(node, Literal):
            return True
        return self.is_of_enum(type_, node.value, at(node.offset, node.length))

    def is_of_enum(self, type_: Type, value: JsonValue, place: Location) -> bool:
        """Tell whether a constant can be what stands there; otherwise report it."""
        if not type_.enum or not isinstance(value, str) or value in type_.enum:
            return True
        self._clash(
            f"`{shown(value)}` is none of the values that can stand here",
            place,
            did_you_mean(value, type_.enum) or some_of(type_.enum),
        )
        return False

    def _operands_clash(self, node: Binary, left: Type, right: Type, at: Anchor, hint: str) -> None:
        self._clash(
            f"`{node.op}` cannot stand between {kind_text(left)} and {kind_text(right)}",
            at(node.op_offset, len(node.op)),
            hint,
        )

    def _clash(self, message: str, place: Location, hint: str = "") -> None:
        self._problems.error(CLASH, message, place, hint)


def _membership_hint(op: str) -> str:
    if op == "in":
        return "right of `in` stands a list of what stands left"
    return "left of `contains` stands a list of what stands right, or both are texts"
