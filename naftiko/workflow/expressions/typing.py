"""Expression -> typed tree: operands that do not fit are found before anything runs.

Spec: section 2 and docs/workflow-plan.md, "Trees". What a reference means is settled by a `Scope`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Protocol

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.errors import Problems, did_you_mean
from naftiko.source import Anchor, Location
from naftiko.values import JsonObject
from naftiko.workflow.expressions.functions import FUNCTIONS, Function
from naftiko.workflow.expressions.nodes import (
    Binary,
    Call,
    Expr,
    ListOf,
    Literal,
    Not,
    Ref,
    Template,
)
from naftiko.workflow.expressions.operators import CLASH, Operators
from naftiko.workflow.expressions.syntax import (
    MAX_DEPTH,
    MAX_NODES,
    SyntaxProblem,
    parse_expression,
    parse_template,
)
from naftiko.workflow.expressions.tree_size import exceeds
from naftiko.workflow.expressions.typed import (
    Typed,
    concatenated,
    constant_of,
    kind_text,
    list_of_typed,
    number_fault,
    plucked_of,
    tainted,
    with_default,
)
from naftiko.workflow.expressions.wording import shown
from naftiko.workflow.types import (
    BOOLEAN,
    STRING,
    Type,
    list_of,
    record,
)

SYNTAX = "WF310"
_SPACE = " \t\r\n"


class Scope(Protocol):
    """Knows what names mean at a place of a workflow."""

    def resolve(self, ref: Ref, at: Location, expected: Type | None) -> Typed | None:
        """Return the tree of a reference, without its default, and its type.

        `expected` is what the place wants, for parameters that are declared by their use. Problems
        (WF320, 321, 330, 345) are the scope's to report; None says that it did.
        """
        ...


_LIKE_A_REFERENCE = re.compile(
    r"\{\{\s*(?P<braced>(?:params|steps)\.[A-Za-z0-9_.]+)\s*\}\}"
    r"|\A(?P<bare>(?:params|steps)\.[a-z][A-Za-z0-9_.]*)\Z"
)


class Typer:
    """Types what stands in one place of a workflow; problems are WF310, WF322, WF323."""

    def __init__(self, scope: Scope, problems: Problems) -> None:
        """Take what knows the names and what collects the problems."""
        self._scope = scope
        self._problems = problems
        self._operators = Operators(problems)

    def condition(self, scalar: Scalar) -> JsonObject | None:
        """Return the tree of a condition: a bare expression or a single `${...}`, boolean."""
        try:
            expression = _condition(scalar)
        except SyntaxProblem as error:
            self._problems.add(error.problem)
            return None
        typed = self._expression(expression, scalar.at, BOOLEAN)
        if typed is None:
            return None
        if typed.type.kind != "boolean":
            self._problems.error(
                CLASH,
                f"a condition is true or false, but this is {kind_text(typed.type)}",
                scalar.at(expression.offset, expression.length),
                "compare it, such as with `== 'available'` or `!= null`",
            )
            return None
        return self._bounded(typed.tree, scalar.location)

    def value(self, node: Node, expected: Type | None = None) -> Typed | None:
        """Return the tree of a value: constants, texts with `${...}`, lists and maps of them."""
        typed = self._node(node, expected)
        if typed is None or self._bounded(typed.tree, node.location) is None:
            return None
        return typed

    def _bounded(self, tree: JsonObject, place: Location) -> JsonObject | None:
        if not exceeds(tree):
            return tree
        self._problems.error(
            SYNTAX,
            f"the value has more than {MAX_NODES} parts, or more than {MAX_DEPTH} in one another",
            place,
            "compute parts of it in a step of action `set`",
        )
        return None

    def _node(self, node: Node, expected: Type | None) -> Typed | None:
        if isinstance(node, Sequence):
            return self._sequence(node, expected)
        if isinstance(node, Mapping):
            return self._mapping(node, expected)
        if isinstance(node.value, str):
            return self._text(node, expected)
        return self._constant(node)

    def _sequence(self, node: Sequence, expected: Type | None) -> Typed | None:
        wanted = expected.element() if expected is not None and expected.kind == "list" else None
        items = [self._node(item, wanted) for item in node]
        found = [item for item in items if item is not None]
        if len(found) < len(items):
            return None
        return list_of_typed(found)

    def _mapping(self, node: Mapping, expected: Type | None) -> Typed | None:
        members: dict[str, Typed] = {}
        complete = True
        for key, child in node.entries:
            if not key.text.isascii():
                self._problems.error(
                    SYNTAX,
                    f"the name `{shown(key.text)}` has letters beyond ASCII",
                    key.location,
                    "names in a value are ASCII; texts may hold any letter",
                )
                complete = False
            is_map = expected is not None and expected.kind == "map"
            wanted = expected.member(key.text) if is_map and expected is not None else None
            typed = self._node(child, wanted)
            if typed is None:
                complete = False
            else:
                members[key.text] = typed
        if not complete:
            return None
        tree: JsonObject = {"obj": {name: typed.tree for name, typed in members.items()}}
        type_ = record({name: typed.type for name, typed in members.items()})
        return Typed(tree=tree, type=tainted(type_, members.values()))

    def _constant(self, node: Scalar) -> Typed | None:
        """Return a number, boolean or null as it is; canonical JSON has two decimals at most."""
        value = node.value
        assert not isinstance(value, str)
        fault = "" if value is None or isinstance(value, bool) else number_fault(value)
        if fault:
            self._problems.error(
                SYNTAX,
                f"`{shown(node.text)}` {fault}",
                node.location,
                "round it, or write it in quotes where a text is meant",
            )
            return None
        return constant_of(value)

    def _text(self, node: Scalar, expected: Type | None) -> Typed | None:
        try:
            template = parse_template(node.text, node.at)
        except SyntaxProblem as error:
            self._problems.add(error.problem)
            return None
        constant = template.constant
        if constant is not None:
            self._check_text(constant, node)
            return constant_of(constant)
        if template.single is not None:
            return self._expression(template.single, node.at, expected)
        return self._joined(template, node)

    def _check_text(self, text: str, node: Scalar) -> None:
        """Warn of a text that was meant as a reference: `{{params.id}}`, `params.id`."""
        found = _LIKE_A_REFERENCE.search(text)
        if found is None:
            return
        name = found["braced"] or found["bare"]
        self._problems.warn(
            "WF315",
            f"`{shown(text)}` is a text here, and is sent as it is",
            node.location,
            f"write `${{{name}}}` for the value",
        )

    def _joined(self, template: Template, node: Scalar) -> Typed | None:
        parts: list[Typed] = []
        complete = True
        for part in template.parts:
            if isinstance(part, str):
                parts.append(constant_of(part))
                continue
            typed = self._expression(part, node.at, STRING)
            if typed is not None and not typed.type.is_scalar:
                self._clash(
                    f"{kind_text(typed.type)} cannot be a part of a text",
                    node.at(part.offset, part.length),
                    "only texts, numbers, booleans and times can; `join(list, ', ')` makes a text",
                )
                typed = None
            if typed is None:
                complete = False
            else:
                parts.append(typed)
        if not complete:
            return None
        return Typed(tree={"cat": [part.tree for part in parts]}, type=tainted(STRING, parts))

    def _expression(self, node: Expr, at: Anchor, expected: Type | None) -> Typed | None:
        if isinstance(node, Literal):
            return constant_of(node.value, node.kind)
        if isinstance(node, Ref):
            return self._ref(node, at, expected)
        if isinstance(node, Call):
            return self._call(node, at)
        if isinstance(node, Not):
            return self._not(node, at)
        if isinstance(node, ListOf):
            return self._elements(node, at, expected)
        return self._binary(node, at, expected)

    def _elements(self, node: ListOf, at: Anchor, expected: Type | None) -> Typed | None:
        wanted = expected.element() if expected is not None and expected.kind == "list" else None
        items = [self._expression(item, at, wanted) for item in node.items]
        found = [item for item in items if item is not None]
        return list_of_typed(found) if len(found) == len(items) else None

    def _ref(self, node: Ref, at: Anchor, expected: Type | None) -> Typed | None:
        place = at(node.offset, node.length)
        if node.root in {"params", "steps"} and not (node.path and isinstance(node.path[0], str)):
            example = "params.name" if node.root == "params" else "steps.id.output"
            self._problems.error(
                SYNTAX, f"`{node.root}` alone is no value", place, f"such as `{example}`"
            )
            return None
        found = self._scope.resolve(node, place, expected)
        if found is None or node.default is None:
            return found
        return self._with_default(found, node, node.default, at)

    def _with_default(self, found: Typed, node: Ref, default: Literal, at: Anchor) -> Typed | None:
        type_ = found.type
        if default.kind != "null":
            wanted = type_.kind
            fits = wanted in {default.kind, "opaque"} or (
                wanted == "number" and default.kind == "integer"
            )
            place = at(default.offset, default.length)
            if not fits:
                self._clash(
                    f"the default is {kind_text(constant_of(default.value, default.kind).type)},"
                    f" but what it stands for is {kind_text(type_)}",
                    place,
                )
                return None
            if not self._operators.is_of_enum(type_, default.value, place):
                return None
        return Typed(tree=with_default(found.tree, default), type=type_)

    def _not(self, node: Not, at: Anchor) -> Typed | None:
        operand = self._expression(node.operand, at, BOOLEAN)
        if operand is None:
            return None
        if operand.type.kind != "boolean":
            self._clash(
                f"`!` wants a boolean, but this is {kind_text(operand.type)}",
                at(node.operand.offset, node.operand.length),
            )
            return None
        return Typed(tree={"op": "!", "a": operand.tree}, type=tainted(BOOLEAN, [operand]))

    def _call(self, node: Call, at: Anchor) -> Typed | None:
        function = FUNCTIONS.get(node.name)
        if function is None:
            self._problems.error(
                SYNTAX,
                f"there is no function `{shown(node.name)}`",
                at(node.offset, len(node.name)),
                did_you_mean(node.name, FUNCTIONS) or "known: " + ", ".join(FUNCTIONS),
            )
            return None
        if len(node.args) != len(function.args):
            self._problems.error(
                SYNTAX,
                f"`{node.name}` takes {_arguments(len(function.args))}, not {len(node.args)}",
                at(node.offset, node.length),
                f"such as `{function.example}`",
            )
            return None
        args = [
            self._argument(node.name, arg, kinds, at)
            for arg, kinds in zip(node.args, function.args, strict=True)
        ]
        found = [arg for arg in args if arg is not None]
        if len(found) < len(args):
            return None
        return self._called(node, function, found, at)

    def _argument(self, name: str, node: Expr, kinds: tuple[str, ...], at: Anchor) -> Typed | None:
        typed = self._expression(node, at, Type(kind=kinds[0]))
        if typed is None or typed.type.kind in kinds:
            return typed
        self._clash(
            f"`{name}` takes {_either(kinds)}, but this is {kind_text(typed.type)}",
            at(node.offset, node.length),
            f"such as `{FUNCTIONS[name].example}`",
        )
        return None

    def _called(
        self, node: Call, function: Function, args: list[Typed], at: Anchor
    ) -> Typed | None:
        type_ = args[0].type.element() if function.gives == "element" else Type(kind=function.gives)
        if node.name == "concat":
            type_ = concatenated(*args)
        if node.name == "pluck":
            plucked = plucked_of(*args)
            if not isinstance(plucked, Type):
                self._clash(plucked[0], at(node.args[1].offset, node.args[1].length), plucked[1])
                return None
            type_ = plucked
        if node.name == "join":
            element = args[0].type.element()
            if not element.is_scalar and args[0].tree.get("list") != []:
                self._clash(
                    f"`join` takes a list of texts or numbers, but its elements are"
                    f" {kind_text(element)}",
                    at(node.args[0].offset, node.args[0].length),
                    "`items: string` says it of a parameter; `string(...)` makes texts",
                )
                return None
            args = [
                replace(args[0], type=tainted(args[0].type, [Typed(tree={}, type=element)])),
                *args[1:],
            ]
        tree: JsonObject = {
            "fn": node.name,
            "args": [arg.tree for arg in args],
            "t": type_.kind,
        }
        return Typed(tree=tree, type=tainted(type_, args))

    def _binary(self, node: Binary, at: Anchor, expected: Type | None) -> Typed | None:
        left, right = self._operands(node, at, expected)
        if left is None or right is None:
            return None
        type_ = self._operators.result(node, left, right, at)
        if type_ is None:
            return None
        tree: JsonObject = {"op": node.op, "a": left.tree, "b": right.tree}
        return Typed(tree=tree, type=tainted(type_, [left, right]))

    def _operands(
        self, node: Binary, at: Anchor, expected: Type | None
    ) -> tuple[Typed | None, Typed | None]:
        """Type both sides; the one that is no reference says what the other is to be."""
        if node.op in {"&&", "||"}:
            return (
                self._expression(node.left, at, BOOLEAN),
                self._expression(node.right, at, BOOLEAN),
            )
        wanted = expected if node.op in {"+", "-"} else None
        if isinstance(node.left, Ref) and not isinstance(node.right, Ref):
            right = self._expression(node.right, at, wanted)
            return self._expression(node.left, at, _counterpart(node.op, right, wanted)), right
        left = self._expression(node.left, at, wanted)
        if node.op == "in":
            element = None if left is None else left.type
            hope = list_of(element) if element is not None else None
        else:
            hope = left.type if left is not None else wanted
        return left, self._expression(node.right, at, hope)

    def _clash(self, message: str, place: Location, hint: str = "") -> None:
        self._problems.error(CLASH, message, place, hint)


def _condition(scalar: Scalar) -> Expr:
    if scalar.text.lstrip(_SPACE).startswith("${"):
        parts = parse_template(scalar.text, scalar.at).parts
        told = [part for part in parts if not (isinstance(part, str) and not part.strip(_SPACE))]
        if len(told) == 1 and not isinstance(told[0], str):
            return told[0]
    return parse_expression(scalar.text, scalar.at)


def _counterpart(op: str, other: Typed | None, otherwise: Type | None) -> Type | None:
    """Return what a reference left of an operator is wanted to be, from what stands right."""
    if other is None:
        return otherwise
    if op == "in":
        return other.type.element() if other.type.kind == "list" else None
    if op == "-" and other.type.kind == "duration":
        return Type(kind="timestamp")
    return None if other.type.kind == "null" else other.type


def _either(kinds: tuple[str, ...]) -> str:
    words = [kind_text(Type(kind=kind)) for kind in kinds]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _arguments(count: int) -> str:
    return "no argument" if count == 0 else f"{count} argument" + "s" * (count > 1)
