"""The Jinja2 environment of templates. Importing this module imports Jinja2 (40 ms).

On top of Jinja2's immutable sandbox: no functions and no globals, chosen filters and tests,
attributes are keys of objects only, and loops, texts and numbers are bounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import ChainableUndefined, Undefined, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS

from naftiko.expressions.bounded import (
    MAX_ITEMS,
    Budget,
    ValueFaultError,
    bound_text,
    is_number,
    text_of,
    to_json,
)
from naftiko.expressions.cputime import spent_s
from naftiko.expressions.ownfilters import OWN_FILTERS, OWN_TESTS

MAX_NUMBER_BITS = 4096
MAX_PRECISION = 300
MAX_CPU_S = 1.0
"""Processor time of one rendering. It is looked at in loops, filters, tests and comparisons, which
are bounded one by one, but not in how often a template repeats them."""

LOOKS = 8
"""The clock is looked at once in so many times."""

STATE = "_state"
"""The context variable that holds the State of one rendering."""

_FILTERS = (
    "abs", "count", "d", "default", "dictsort", "first", "float", "int", "items", "last", "length",
    "list", "map", "max", "min", "reject", "rejectattr", "reverse", "select",
    "selectattr", "sort", "truncate", "unique",
)  # fmt: skip
_TESTS = (
    "!=", "<", "<=", "==", ">", ">=", "boolean", "defined", "divisibleby", "eq", "equalto", "even",
    "false", "float", "ge", "greaterthan", "gt", "in", "integer", "iterable", "le", "lessthan",
    "lower", "lt", "mapping", "ne", "none", "number", "odd", "sequence", "string", "true",
    "undefined", "upper",
)  # fmt: skip
_LOOP_ATTRIBUTES = frozenset(
    {"first", "index", "index0", "last", "length", "nextitem", "previtem", "revindex", "revindex0"}
)

ALLOWED_NODES: frozenset[type[nodes.Node]] = frozenset(
    {
        nodes.Add, nodes.And, nodes.Assign, nodes.Compare, nodes.Concat, nodes.CondExpr,
        nodes.Const, nodes.Dict, nodes.Div, nodes.Filter, nodes.FloorDiv, nodes.For,
        nodes.Getattr, nodes.Getitem, nodes.If, nodes.Keyword, nodes.List, nodes.Mod, nodes.Mul,
        nodes.Name, nodes.Neg, nodes.Not, nodes.Operand, nodes.Or, nodes.Output, nodes.Pair,
        nodes.Pos, nodes.Slice, nodes.Sub, nodes.Template, nodes.TemplateData, nodes.Test,
        nodes.Tuple,
    }
)  # fmt: skip


@dataclass(slots=True)
class State:
    """What one rendering has left, and how it escapes."""

    escape: Callable[[str], str] | None = None
    items_left: int = MAX_ITEMS
    budget: Budget = field(default_factory=Budget)
    looks: int = 0
    ends: float = field(default_factory=lambda: spent_s() + MAX_CPU_S)

    def check_time(self) -> None:
        """Look at the clock, every few times that it is asked for: that costs as much as a filter.

        Raises: SecurityError where time is up.
        """
        self.looks += 1
        if self.looks % LOOKS == 0 and spent_s() > self.ends:
            message = f"it takes more than {MAX_CPU_S:g} s"
            raise SecurityError(message)


def _check_time(context: Context | None) -> None:
    state = None if context is None else context.get(STATE)
    if isinstance(state, State):
        state.check_time()


class _Items:
    """The items of a loop, which looks at the clock before each of them."""

    def __init__(self, items: list[Any], state: State) -> None:
        self._items = items
        self._state = state

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            self._state.check_time()
            yield item


class Environment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, narrowed. Values in it are JSON values, so it deals with `Any`."""

    intercepted_binops = frozenset({"+", "*", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return the member of an object; `loop.index` and its like."""
        if isinstance(obj, LoopContext) and attribute in _LOOP_ATTRIBUTES:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return the member of an object, or the item of a list or text; else undefined."""
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, dict):
            key = argument if isinstance(argument, str) else str(argument)
            return obj[key] if key in obj else self.undefined(obj=obj, name=key)
        if isinstance(obj, list | tuple | str) and isinstance(argument, int | slice):
            try:
                return obj[argument]
            except (IndexError, ValueError):
                pass
        return self.undefined(obj=obj, name=str(argument))

    def call_test(
        self,
        name: str,
        value: Any,
        args: Any = None,
        kwargs: Mapping[str, Any] | None = None,
        context: Context | None = None,
        eval_ctx: Any = None,
    ) -> Any:
        """Run the test of a `select`, within the time of the rendering."""
        _check_time(context)
        return super().call_test(name, value, args, kwargs, context, eval_ctx)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Run `+`, `*` and `%` on numbers, and `+` on texts and lists, within bounds."""
        if is_number(left) and is_number(right):
            return _arithmetic(operator, left, right)
        texts = isinstance(left, str) and isinstance(right, str)
        if operator == "+" and (texts or (isinstance(left, list) and isinstance(right, list))):
            bound_text(len(left) + len(right))
            return left + right
        message = f"`{operator}` is not possible between these values"
        raise ValueFaultError(message)


def _arithmetic(operator: str, left: Any, right: Any) -> Any:
    if operator == "+":
        return left + right
    if operator == "%":
        return left % right
    bits = sum(value.bit_length() for value in (left, right) if isinstance(value, int))
    if bits > MAX_NUMBER_BITS:
        message = "a number grows too large"
        raise SecurityError(message)
    return left * right


def _join(value: Any, separator: Any = "", attribute: Any = None) -> str:
    items = value if isinstance(value, Iterable) else ()
    if attribute is not None:
        names = str(attribute).split(".")
        items = (_member(item, names) for item in items)
    texts = [text_of(item) for item in items]
    between = text_of(separator)
    bound_text(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def _member(value: Any, names: list[str]) -> Any:
    for name in names:
        value = environment().getitem(value, name)
    return value


def _concat(parts: list[Any]) -> str:
    texts = [text_of(part) for part in parts]
    bound_text(sum(map(len, texts)))
    return "".join(texts)


@pass_context
def _bounded(context: Context, value: Any) -> _Items:
    """Return the items of a loop, charged to the rendering."""
    state: State = context[STATE]
    items = [] if value is None else list(value)
    state.items_left -= len(items)
    if state.items_left < 0:
        message = f"loops run more than {MAX_ITEMS:,} times"
        raise SecurityError(message)
    return _Items(items, state)


@pass_context
def _timed(context: Context, value: Any) -> Any:
    """Return the value, which cost time to compute."""
    _check_time(context)
    return value


def _in_time(apply: Callable[..., Any]) -> Callable[..., Any]:
    """Return the filter so that it looks at the clock first."""
    # Jinja2 marks with it what a filter takes first, and here it sees `run` in the filter's place.
    passed = getattr(getattr(apply, "jinja_pass_arg", None), "name", "")

    @pass_context
    def run(context: Context, *args: Any, **kwargs: Any) -> Any:
        _check_time(context)
        match passed:
            case "":
                return apply(*args, **kwargs)
            case "context":
                return apply(context, *args, **kwargs)
            case "environment":
                return apply(context.environment, *args, **kwargs)
            case _:
                return apply(context.eval_ctx, *args, **kwargs)

    return run


@pass_context
def _frozen(context: Context, value: Any) -> Any:
    """Return a copy for a name to stand for, charged to the rendering."""
    state: State = context[STATE]
    return value if isinstance(value, Undefined) else to_json(value, state.budget)


def _round(value: Any, precision: Any = 0, method: Any = "common") -> Any:
    if not is_number(value) or not isinstance(precision, int) or abs(precision) > MAX_PRECISION:
        message = "`round` takes a number and a small precision"
        raise ValueFaultError(message)
    if method == "common":
        return round(value, precision)
    factor: float = 10.0**precision
    return (math.ceil if method == "ceil" else math.floor)(value * factor) / factor


def _sum(value: Any, attribute: Any = None, start: Any = 0) -> Any:
    items = value if isinstance(value, Iterable) and not isinstance(value, str) else ()
    if attribute is not None:
        names = str(attribute).split(".")
        items = (_member(item, names) for item in items)
    numbers = [start, *items]
    if not all(map(is_number, numbers)):
        message = "`sum` takes numbers"
        raise ValueFaultError(message)
    return sum(numbers)


@pass_context
def _output(context: Context, value: Any) -> str:
    """Return the text of an inserted value, escaped."""
    state: State = context[STATE]
    text = text_of(value)
    return text if state.escape is None else state.escape(text)


CONCAT, BOUNDED, FROZEN, OUTPUT = "_concat", "_bounded", "_frozen", "_output"
TIMED = "_timed"

_OWN_FILTERS: dict[str, Callable[..., Any]] = {
    **OWN_FILTERS,
    "join": _join,
    "round": _round,
    "sum": _sum,
    CONCAT: _concat,
    BOUNDED: _bounded,
    FROZEN: _frozen,
    OUTPUT: _output,
    TIMED: _timed,
}


@cache
def environment() -> Environment:
    """Return the one environment."""
    env = Environment(undefined=ChainableUndefined, autoescape=False, keep_trailing_newline=True)
    env.globals.clear()
    filters = {name: FILTERS[name] for name in _FILTERS} | _OWN_FILTERS
    env.filters = {name: _in_time(apply) for name, apply in filters.items()}
    env.tests = {name: TESTS[name] for name in _TESTS} | OWN_TESTS
    return env


def filter_names() -> list[str]:
    """Return the filters that a template may use."""
    return sorted(name for name in environment().filters if not name.startswith("_"))
