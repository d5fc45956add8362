"""What makes an expression of Jinja2's typed: nothing is compared, or taken as true, by guess.

Importing this module imports Jinja2 (40 ms).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from jinja2 import Undefined, nodes, pass_context
from jinja2.runtime import Context  # noqa: TC002  # Jinja2 is loaded by the line above
from jinja2.visitor import NodeTransformer

from naftiko.expressions.bounded import ValueFaultError
from naftiko.expressions.jinja import STATE, Environment, State, environment
from naftiko.expressions.text import type_name

_COMPARE, _BOOLEAN = "_compare", "_boolean"
_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=",
          "in": "in", "notin": "not in"}  # fmt: skip
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda left, right: left < right,
    "lteq": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "gteq": lambda left, right: left >= right,
}


@cache
def typed_environment() -> Environment:
    """Return the environment of templates with the filters that check types."""
    env = environment().overlay()
    assert isinstance(env, Environment)
    env.filters = {**env.filters, _COMPARE: _compare, _BOOLEAN: _boolean}
    return env


def typed(expression: nodes.Expr) -> nodes.Expr:
    """Return the expression with its comparisons, `and`, `or`, `not` and `if` checked."""
    found: nodes.Expr = _Typed().visit(expression)
    return found


class _Typed(NodeTransformer):
    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802  # Jinja2 names it
        self.generic_visit(node)
        arguments: list[nodes.Expr] = []
        for operand in node.ops:
            arguments += [nodes.Const(operand.op), operand.expr]
        return nodes.Filter(node.expr, _COMPARE, arguments, [], None, None, lineno=node.lineno)

    def visit_And(self, node: nodes.And) -> nodes.Node:  # noqa: N802  # Jinja2 names it
        self.generic_visit(node)
        node.left, node.right = _checked(node.left, "and"), _checked(node.right, "and")
        return node

    def visit_Or(self, node: nodes.Or) -> nodes.Node:  # noqa: N802  # Jinja2 names it
        self.generic_visit(node)
        node.left, node.right = _checked(node.left, "or"), _checked(node.right, "or")
        return node

    def visit_Not(self, node: nodes.Not) -> nodes.Node:  # noqa: N802  # Jinja2 names it
        self.generic_visit(node)
        node.node = _checked(node.node, "not")
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802  # Jinja2 names it
        self.generic_visit(node)
        node.test = _checked(node.test, "if")
        return node


def _checked(node: nodes.Expr, word: str) -> nodes.Filter:
    return nodes.Filter(node, _BOOLEAN, [nodes.Const(word)], [], None, None, lineno=node.lineno)


def _boolean(value: Any, word: str) -> bool:
    """Return the value, which must be true or false."""
    refuse_undefined(value)
    if not isinstance(value, bool):
        message = f"`{word}` takes true or false, found {type_name(value)}"
        raise ValueFaultError(message)
    return value


def refuse_undefined(value: Any) -> None:
    """Raise where a name leads nowhere.

    Raises: ValueFaultError, which names it.
    """
    if isinstance(value, Undefined):
        name = value._undefined_name  # Jinja2 offers it in messages only
        message = f"'{name}' has no value"
        raise ValueFaultError(message)


@pass_context
def _compare(context: Context, left: Any, *rest: Any) -> bool:
    """Compare `left` by (operator, right, operator, right...), as in `1 < x < 3`."""
    state = context.get(STATE)
    if isinstance(state, State):
        state.check_time()
    for operator, right in zip(rest[::2], rest[1::2], strict=True):
        refuse_undefined(left)
        refuse_undefined(right)
        if not _holds(operator, left, right):
            return False
        left = right
    return True


def _holds(operator: str, left: Any, right: Any) -> bool:
    if operator in ("in", "notin"):
        return _contains(operator, right, left) is (operator == "in")
    if operator in ("eq", "ne"):
        if left is not None and right is not None:
            _refuse_mixed(operator, left, right)
        return (left == right) is (operator == "eq")
    _refuse_mixed(operator, left, right)
    if type_name(left) not in ("a number", "a string"):
        message = f"`{_SIGNS[operator]}` orders numbers and strings, found {type_name(left)}"
        raise ValueFaultError(message)
    return _ORDER[operator](left, right)


def _contains(operator: str, whole: Any, part: Any) -> bool:
    if isinstance(whole, str | dict) and isinstance(part, str):
        return part in whole
    if isinstance(whole, list | tuple | Iterator):  # `map` and `select` give an iterator
        kind = type_name(part)
        return any(type_name(item) == kind and item == part for item in whole)
    message = f"`{_SIGNS[operator]}` cannot look for {type_name(part)} in {type_name(whole)}"
    raise ValueFaultError(message)


def _refuse_mixed(operator: str, left: Any, right: Any) -> None:
    found, other = type_name(left), type_name(right)
    if found != other:
        message = f"`{_SIGNS[operator]}` compares {found} with {other}"
        raise ValueFaultError(message)
