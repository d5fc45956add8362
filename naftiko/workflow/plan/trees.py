"""The whitelist of trees, and what is read off them. docs/workflow-plan.md, "Trees"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from naftiko.values import JsonValue
from naftiko.workflow.expressions.functions import FUNCTIONS
from naftiko.workflow.types import KINDS

MAX_EXPRESSION_DEPTH = 20
MAX_EXPRESSION_NODES = 200
MAX_TREE_NODES = 10_000
MAX_PATTERN = 200
MAX_TEXT = 65_536
MAX_PATH = 40

BINARY = frozenset(
    ("||", "&&", "==", "!=", "<", "<=", ">", ">=", "+", "-", "in", "contains", "matches")
) | {"startswith", "endswith"}

ARGUMENTS = {name: len(function.args) for name, function in FUNCTIONS.items()}
"""How many arguments each function takes."""

ROOTS = ("params", "steps", "item", "vars")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,255}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_KINDS = frozenset(KINDS)


class Wrong(Exception):  # noqa: N818 - becomes PlanError, with its place
    """Something is not in the whitelist. `path` grows from the inside."""

    def __init__(self, reason: str) -> None:
        """Keep what is wrong."""
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []

    def inside(self, part: str | int) -> Wrong:
        """Add the name or index under which it was found."""
        self.path.append(f"[{part}]" if isinstance(part, int) else f".{part}")
        return self

    @property
    def where(self) -> str:
        """Return the place: `execution_plan[2].until.a`."""
        return "".join(reversed(self.path)).removeprefix(".")


@dataclass(slots=True)
class _Budget:
    nodes: int = MAX_TREE_NODES
    expression: int = field(default=MAX_EXPRESSION_NODES)


def check_tree(tree: object) -> None:
    """Check the form of a tree.

    Raises: Wrong.
    """
    _check(tree, _Budget(), 0)


def _check(tree: object, budget: _Budget, depth: int) -> None:
    """Check a node; `depth` counts the operators and functions around it."""
    if type(tree) is not dict:
        raise Wrong("a tree is an object")
    if depth > MAX_EXPRESSION_DEPTH:
        raise Wrong(f"an expression of more than {MAX_EXPRESSION_DEPTH} levels")
    if not depth:
        budget.expression = MAX_EXPRESSION_NODES
    budget.nodes -= 1
    budget.expression -= 1
    if budget.nodes < 0:
        raise Wrong(f"a value of more than {MAX_TREE_NODES} parts")
    if budget.expression < 0:
        raise Wrong(f"an expression of more than {MAX_EXPRESSION_NODES} nodes")
    for name, check in _NODES.items():
        if name in tree:
            check(tree, budget, depth)
            return
    raise Wrong("a node that is no tree")


def _members(tree: dict[str, object], allowed: frozenset[str], optional: frozenset[str]) -> None:
    for name in tree:
        if name not in allowed:
            raise Wrong(f"unknown member `{name}`")
    for name in allowed - optional:
        if name not in tree:
            raise Wrong(f"`{name}` is missing")


_NONE: frozenset[str] = frozenset()
_LIT = frozenset(("lit", "t"))
_REF = frozenset(("ref", "t", "default"))
_DEFAULT = frozenset(("default",))
_FN = frozenset(("fn", "args", "t"))
_TWO = frozenset(("op", "a", "b"))
_ONE = frozenset(("op", "a"))


def _literal(tree: dict[str, object], budget: _Budget, depth: int) -> None:
    _members(tree, _LIT, _NONE)
    kind = _kind(tree["t"])
    if not is_kind(tree["lit"], kind):
        raise Wrong(f"the constant is no {kind}").inside("lit")


def _kind(kind: object) -> str:
    if type(kind) is not str or kind not in _KINDS:
        raise Wrong(f"expected a kind of value, found {_shown(kind)}").inside("t")
    return kind


def is_kind(value: object, kind: str) -> bool:
    """Tell whether a value is of a kind: 7 is an `integer` and a `number`, true is neither."""
    if kind == "opaque":
        return True
    if kind in {"number", "duration"}:
        return type(value) in {int, float}
    if kind == "timestamp":
        return type(value) is str and _TIME.fullmatch(value) is not None
    return type(value) is _TYPES[kind]


_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "list": list,
    "map": dict,
    "null": type(None),
}


def _reference(tree: dict[str, object], budget: _Budget, depth: int) -> None:
    _members(tree, _REF, _DEFAULT)
    _kind(tree["t"])
    path = tree["ref"]
    if type(path) is not list or not 0 < len(path) <= MAX_PATH or path[0] not in ROOTS:
        raise Wrong("a reference is a list that starts with params, steps, item or vars")
    if any(type(part) is not str and type(part) is not int for part in path):
        raise Wrong("a reference has names and indexes only")
    if "default" in tree and type(tree["default"]) in {list, dict}:
        raise Wrong("a default is a constant").inside("default")


def _operator(tree: dict[str, object], budget: _Budget, depth: int) -> None:
    operator = tree["op"]
    if operator == "!":
        _members(tree, _ONE, _NONE)
        _inner(tree["a"], "a", budget, depth)
        return
    if type(operator) is not str or operator not in BINARY:
        raise Wrong(f"unknown operator {_shown(operator)}").inside("op")
    _members(tree, _TWO, _NONE)
    _inner(tree["a"], "a", budget, depth)
    _inner(tree["b"], "b", budget, depth)
    if operator == "matches":
        _pattern(tree["b"])


def _pattern(tree: object) -> None:
    text = tree.get("lit") if type(tree) is dict else None
    if type(text) is not str or len(text) > MAX_PATTERN:
        raise Wrong(f"`matches` takes a constant of at most {MAX_PATTERN} characters").inside("b")


def _function(tree: dict[str, object], budget: _Budget, depth: int) -> None:
    _members(tree, _FN, _NONE)
    _kind(tree["t"])
    name, arguments = tree["fn"], tree["args"]
    if type(name) is not str or name not in ARGUMENTS:
        raise Wrong(f"unknown function {_shown(name)}").inside("fn")
    if FUNCTIONS[name].gives not in {"element", tree["t"]}:
        raise Wrong(f"`{name}` gives {FUNCTIONS[name].gives}").inside("t")
    if type(arguments) is not list or len(arguments) != ARGUMENTS[name]:
        raise Wrong(f"`{name}` takes {ARGUMENTS[name]} arguments").inside("args")
    _items(arguments, "args", budget, depth + 1)
    if name == "pluck" and type(arguments[1].get("lit")) is not str:
        raise Wrong("`pluck` takes a constant name").inside("args")


def _text(tree: dict[str, object], budget: _Budget, depth: int) -> None:
    _members(tree, frozenset(("cat",)), _NONE)
    _items(_listed(tree["cat"], "cat"), "cat", budget, depth + 1)


def _list(tree: dict[str, object], budget: _Budget, depth: int) -> None:
    _members(tree, frozenset(("list",)), _NONE)
    _items(_listed(tree["list"], "list"), "list", budget, depth + 1 if depth else 0)


def _object(tree: dict[str, object], budget: _Budget, depth: int) -> None:
    _members(tree, frozenset(("obj",)), _NONE)
    members = tree["obj"]
    if type(members) is not dict:
        raise Wrong("expected an object").inside("obj")
    for name, inner in members.items():
        try:
            _check(inner, budget, depth + 1 if depth else 0)
        except Wrong as error:
            raise error.inside(name).inside("obj") from None


def _listed(value: object, name: str) -> list[object]:
    if type(value) is not list:
        raise Wrong("expected a list").inside(name)
    return value


def _items(items: list[object], name: str, budget: _Budget, depth: int) -> None:
    for index, inner in enumerate(items):
        try:
            _check(inner, budget, depth)
        except Wrong as error:
            raise error.inside(index).inside(name) from None


def _inner(tree: object, name: str, budget: _Budget, depth: int) -> None:
    try:
        _check(tree, budget, depth + 1)
    except Wrong as error:
        raise error.inside(name) from None


_NODES = {
    "ref": _reference,
    "lit": _literal,
    "op": _operator,
    "cat": _text,
    "fn": _function,
    "list": _list,
    "obj": _object,
}


def _shown(value: object) -> str:
    text = value if type(value) is str else type(value).__name__
    return f"`{text[:60]}`"


def references(tree: JsonValue) -> Iterator[list[str | int]]:
    """Yield the paths of all references in a tree that has been checked."""
    if not isinstance(tree, dict):
        return
    path = tree.get("ref")
    if isinstance(path, list):
        yield [part for part in path if isinstance(part, str | int)]
        return
    for inner in children(tree):
        yield from references(inner)


def children(tree: JsonValue) -> Iterator[JsonValue]:
    """Yield the trees right inside a tree that has been checked."""
    if not isinstance(tree, dict):
        return
    for name in ("a", "b"):
        if name in tree:
            yield tree[name]
    for name in ("args", "cat", "list"):
        inner = tree.get(name)
        if isinstance(inner, list):
            yield from inner
    members = tree.get("obj")
    if isinstance(members, dict):
        yield from members.values()
