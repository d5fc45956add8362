r"""Trees of a plan -> JSONata.

What comes out never gives "nothing" (JSONata's undefined, an error in a state machine) and never
fails on data: Choice and Pass states cannot catch. A value of another type than the plan says is
treated as null. No text of a workflow is put into an expression but as a literal whose every
delimiter is escaped, and data is never in one: expressions name variables.

Spec: sections 2 and 11. Language: https://docs.jsonata.org, without `$`, `$$` and `$eval`, which
Step Functions refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl.function_texts import (
    PICTURES,
    concat_text,
    moment_text,
    number_text,
    pluck_text,
)
from naftiko.workflow.asl.literals import (
    KEYWORDS,
    PLAIN,
    NotMappable,
    literal,
    path_step,
    text_literal,
    wrapped,
)
from naftiko.workflow.asl.names import output_key
from naftiko.workflow.asl.regexes import regex_of
from naftiko.workflow.own_fields import STATUS, Hidden, is_own

MATCHED_CHARS = 1024
"""`matches` looks at no more of a text."""
_ORDER = frozenset({"<", "<=", ">", ">="})
_SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60}
_FACTS = frozenset({"timestamp", "now", "execution_id", "region", "account_id", "partition"})
_TEXTS = {"lower": "$lowercase", "upper": "$uppercase"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A JSONata expression. `nullable`: it may give null. `kind`: the `t` of its tree.

    `millis` gives a timestamp as milliseconds, where that needs no reading of a text.
    """

    text: str
    kind: str
    nullable: bool = True
    millis: str = ""


MOMENT = '"[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01]Z"'
"""How a computed time is written."""

NOW = Code(text="$facts.now", kind="timestamp", nullable=False, millis="$facts.now_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Where an expression finds what it refers to: the variables' names, with their `$`."""

    step: Callable[[str], str]
    uuid: str = "null"
    vars: str = "{}"
    item: str = "$item"
    required: frozenset[str] = field(default=frozenset())
    hidden: Hidden = field(default=frozenset())


def expression(tree: JsonValue, names: Names) -> str:
    r"""Return a tree as the text of a field: "{% $params.id & \"-x\" %}".

    Raises: NotMappable.
    """
    return wrapped(Compiler(names).code(tree).text)


class Compiler:
    """Compiles the trees of one field; its local variables are numbered."""

    def __init__(self, names: Names) -> None:
        """Start."""
        self._names = names
        self._count = 0

    def local(self) -> str:
        """Return a new local variable."""
        self._count += 1
        return f"$v{self._count}"

    def code(self, tree: JsonValue) -> Code:
        """Compile a tree.

        Raises: NotMappable.
        """
        node = cast("JsonObject", tree)
        if "lit" in node:
            kind = str(node.get("t", "opaque"))
            return Code(text=literal(node["lit"]), kind=kind, nullable=node["lit"] is None)
        if "ref" in node:
            return self._ref(node)
        if "op" in node:
            return self._op(node)
        if "fn" in node:
            return self._function(node)
        if "cat" in node:
            parts = [self.as_text(self.code(part)) for part in _list(node["cat"])]
            return Code(text=_joined(parts), kind="string", nullable=False)
        if "list" in node:
            return Code(text=self._array(node), kind="list", nullable=False)
        return Code(text=self._object(node), kind="map", nullable=False)

    def condition(self, tree: JsonValue) -> str:
        """Return a tree that must be true, as a condition that is true or false."""
        return self._true(self.code(tree))

    def bind(self, codes: Sequence[Code], make: Callable[[Sequence[str]], str]) -> str:
        """Return what `make` builds on names for these values, each evaluated once."""
        lines, named = [], []
        for code in codes:
            if _is_simple(code.text):
                named.append(code.text)
                continue
            local = self.local()
            lines.append(f"{local} := {code.text}; ")
            named.append(local)
        return f"({''.join(lines)}{make(named)})" if lines else f"({make(named)})"

    def as_text(self, code: Code) -> str:
        """Return a value as part of a text; null is the empty text."""
        if code.kind == "timestamp":
            millis = self._millis(code)
            return self.bind(
                [millis],
                lambda names: f'{names[0]} = null ? "" : $fromMillis({names[0]}, {MOMENT})',
            )
        if not code.nullable:
            return code.text
        return self.bind([code], lambda names: f'{names[0]} = null ? "" : {names[0]}')

    def present(self, text: str) -> str:
        """Return an expression that may give nothing as one that gives null then."""
        local = self.local()
        return f"({local} := {text}; $exists({local}) ? {local} : null)"

    def _ref(self, node: JsonObject) -> Code:
        root, *rest = _list(node["ref"])
        kind = str(node.get("t", "opaque"))
        text, rest, nullable = self._root(str(root), rest)
        for part in rest:
            text, nullable = self._member(text, part), True
        if rest or (nullable and root != "params"):
            text = self.present(text) if text != self._names.item else text
        default = node.get("default")
        if default is not None:
            fallback = literal(default)
            code = Code(text=text, kind=kind)
            text = self.bind([code], lambda names: f"{names[0]} = null ? {fallback} : {names[0]}")
            nullable = False
        return Code(text=text, kind=kind, nullable=nullable)

    def _root(self, root: str, rest: list[JsonValue]) -> tuple[str, list[JsonValue], bool]:
        if root == "item":
            return self._names.item, rest, True
        name = str(rest[0])
        if root == "params":
            text = f"$params.{path_step(name)}"
            return text, rest[1:], name not in self._names.required
        if root == "vars":
            return f"{self._names.vars}.{path_step(name)}", rest[1:], True
        step, own = self._names.step(name), is_own(["steps", *rest], self._names.hidden)
        output = str(rest[1]) if own else output_key(str(rest[1]))
        if PLAIN.fullmatch(output) and output not in KEYWORDS:
            return f"{step}.{output}", rest[2:], output != STATUS
        return f"$lookup({step}, {text_literal(output)})", rest[2:], True

    def _member(self, text: str, part: JsonValue) -> str:
        local = self.local()
        if isinstance(part, int):
            return f'({local} := {text}; $type({local}) = "array" ? {local}[{part}])'
        key = text_literal(str(part))
        return f'({local} := {text}; $type({local}) = "object" ? $lookup({local}, {key}))'

    def _op(self, node: JsonObject) -> Code:
        op = str(node["op"])
        left = self.code(node["a"])
        if op == "!":
            return _boolean(f"$not({self._true(left)})")
        if op == "matches":
            return _boolean(self._matches(left, cast("JsonObject", node["b"])))
        right = self.code(node["b"])
        if op in {"&&", "||"}:
            word = "and" if op == "&&" else "or"
            return _boolean(f"({self._true(left)} {word} {self._true(right)})")
        if op in {"==", "!="}:
            return _boolean(self._equal(left, right, "=" if op == "==" else "!="))
        if op in _ORDER:
            return _boolean(self._ordered(left, right, op))
        if op in {"+", "-"}:
            return self._sum(left, right, op)
        return _boolean(self._found(left, right, op))

    def _true(self, code: Code) -> str:
        return f"({code.text} = true)" if code.nullable else code.text

    def _equal(self, left: Code, right: Code, op: str) -> str:
        if "timestamp" not in {left.kind, right.kind}:
            return f"({left.text} {op} {right.text})"
        first, second = self._millis(left), self._millis(right)
        return f"({first.text} {op} {second.text})"

    def _ordered(self, left: Code, right: Code, op: str) -> str:
        if "timestamp" in {left.kind, right.kind}:
            moments = [self._millis(left), self._millis(right)]
            return self._guarded(moments, "number", lambda names: f"{names[0]} {op} {names[1]}")
        kind = "string" if "string" in {left.kind, right.kind} else "number"
        return self._guarded([left, right], kind, lambda names: f"{names[0]} {op} {names[1]}")

    def _guarded(
        self,
        codes: Sequence[Code],
        kind: str,
        make: Callable[[Sequence[str]], str],
        otherwise: str = "false",
    ) -> str:
        def build(names: Sequence[str]) -> str:
            checks = [
                f"$type({name}) = {text_literal(kind)}"
                for name, code in zip(names, codes, strict=True)
                if code.nullable
            ]
            return (
                f"{' and '.join(checks)} ? {make(names)} : {otherwise}" if checks else make(names)
            )

        return self.bind(codes, build)

    def _found(self, left: Code, right: Code, op: str) -> str:
        if op == "in":
            return self._within(left, right)
        if op == "contains" and left.kind != "string":
            return self._within(right, left)
        both = [left, right]
        if op == "contains":
            return self._guarded(both, "string", lambda names: f"$contains({names[0]}, {names[1]})")
        if op == "startswith":
            return self._guarded(
                both,
                "string",
                lambda names: f"$substring({names[0]}, 0, $length({names[1]})) = {names[1]}",
            )

        def ends(names: Sequence[str]) -> str:
            text, end = names
            start = f"$length({text}) - $length({end})"
            return f"{start} >= 0 and $substring({text}, {start}) = {end}"

        return self._guarded(both, "string", ends)

    def _within(self, element: Code, holder: Code) -> str:
        return self.bind(
            [element, holder],
            lambda names: (
                f'{names[0]} != null and $type({names[1]}) = "array" ? '
                f"{names[0]} in {names[1]} : false"
            ),
        )

    def _matches(self, left: Code, pattern: JsonObject) -> str:
        regex = regex_of(str(pattern["lit"]))
        return self._guarded(
            [left],
            "string",
            lambda names: f"$contains($substring({names[0]}, 0, {MATCHED_CHARS}), {regex})",
        )

    def _sum(self, left: Code, right: Code, op: str) -> Code:
        nullable = left.nullable or right.nullable
        if "timestamp" not in {left.kind, right.kind}:
            kind = "number" if "number" in {left.kind, right.kind} else left.kind
            text = self._guarded(
                [left, right], "number", lambda names: f"{names[0]} {op} {names[1]}", "null"
            )
            return Code(text=text, kind=kind, nullable=nullable)
        if left.kind == right.kind:
            return Code(text=self._apart(left, right), kind="duration")
        moment, span = (left, right) if left.kind == "timestamp" else (right, left)
        millis = self._guarded(
            [self._millis(moment), span],
            "number",
            lambda names: f"{names[0]} {op} {names[1]} * 1000",
            "null",
        )
        whole = Code(text=millis, kind="number", nullable=nullable)
        text = self._guarded(
            [whole], "number", lambda names: f"$fromMillis({names[0]}, {MOMENT})", "null"
        )
        return Code(text=text, kind="timestamp", nullable=nullable, millis=millis)

    def _apart(self, left: Code, right: Code) -> str:
        moments = [self._millis(left), self._millis(right)]
        return self._guarded(
            moments, "number", lambda names: f"({names[0]} - {names[1]}) / 1000", "null"
        )

    def _millis(self, code: Code) -> Code:
        text = code.millis or self.bind([code], lambda names: moment_text(names[0]))
        return Code(text=text, kind="number", nullable=code.nullable or not code.millis)

    def _function(self, node: JsonObject) -> Code:
        name = str(node["fn"])
        kind = str(node.get("t", "string"))
        if name == "now":
            return NOW
        if name in _FACTS:
            return Code(text=f"$facts.{name}", kind=kind, nullable=False)
        if name == "uuid":
            return Code(text=self._names.uuid, kind="string")
        codes = [self.code(argument) for argument in _list(node["args"])]
        nullable = name == "number" or any(code.nullable for code in codes)
        return Code(text=self._call(name, codes), kind=kind, nullable=nullable)

    def _call(self, name: str, codes: list[Code]) -> str:
        first = codes[0]
        if name in _SECONDS:
            return self._guarded(
                codes, "number", lambda names: f"{names[0]} * {_SECONDS[name]}", "null"
            )
        if name in _TEXTS:
            return self._guarded(
                codes, "string", lambda names: f"{_TEXTS[name]}({names[0]})", "null"
            )
        if name == "trim":
            # JSONata's own makes one of the spaces inside, too.
            return self._guarded(
                codes, "string", lambda names: rf'$replace({names[0]}, /^\s+|\s+$/, "")', "null"
            )
        if name == "age":
            return self._apart(NOW, first)
        if name in PICTURES:
            return self._guarded(
                [self._millis(first)],
                "number",
                lambda names: f"$fromMillis({names[0]}, {PICTURES[name]})",
                "null",
            )
        special: Mapping[str, Callable[[list[Code]], str]] = {
            "string": lambda given: self._string(given[0]),
            "int": lambda given: self._int(given[0]),
            "length": lambda given: self._length(given[0]),
            "first": lambda given: self._element(given[0], "0"),
            "last": lambda given: self._element(given[0], "-1"),
            "number": lambda given: self._number(given[0]),
            "join": self._join,
            "concat": lambda given: self.bind(given, concat_text),
            "pluck": lambda given: self.bind(given, pluck_text),
        }
        if name not in special:
            raise NotMappable(f"the function `{name}`")
        return special[name](codes)

    def _string(self, code: Code) -> str:
        return self.bind([code], lambda names: f"{names[0]} = null ? null : $string({names[0]})")

    def _int(self, code: Code) -> str:
        if code.kind == "string":
            number = (
                "($contains({0}, /^[+-]?[0-9]{{1,18}}$/) ? "
                '$number($replace({0}, /^[+]/, "")) : null)'
            )
            return self._guarded([code], "string", lambda names: number.format(names[0]), "null")
        whole = "({0} < 0 ? $ceil({0}) : $floor({0}))"
        return self._guarded([code], "number", lambda names: whole.format(names[0]), "null")

    def _number(self, code: Code) -> str:
        kind = "string" if code.kind == "string" else "number"
        make = number_text if kind == "string" else lambda names: names[0]
        return self._guarded([code], kind, make, "null")

    def _length(self, code: Code) -> str:
        return self.bind(
            [code],
            lambda names: (
                f'$type({names[0]}) = "string" ? $length({names[0]}) : '
                f'$type({names[0]}) = "array" ? $count({names[0]}) : '
                f'$type({names[0]}) = "object" ? $count($keys({names[0]})) : null'
            ),
        )

    def _element(self, code: Code, index: str) -> str:
        text = self.bind([code], lambda names: f'$type({names[0]}) = "array" ? {names[0]}[{index}]')
        return self.present(text)

    def _join(self, codes: list[Code]) -> str:
        part = 'function($part) { $part = null ? "" : $string($part) }'
        return self.bind(
            codes,
            lambda names: (
                f'$type({names[0]}) = "array" and {names[1]} != null ? '
                f"$join([$map({names[0]}, {part})], {names[1]}) : null"
            ),
        )

    def _array(self, node: JsonObject) -> str:
        codes = [self.code(item) for item in _list(node["list"])]
        if all(code.kind not in {"list", "opaque"} for code in codes):
            return "[" + ", ".join(code.text for code in codes) + "]"
        # A list in a list would be emptied into it.
        text = "[]"
        for code in codes:
            element = self.bind(
                [code],
                lambda names: f'$type({names[0]}) = "array" ? [[{names[0]}]] : [{names[0]}]',
            )
            text = f"$append({text}, {element})"
        return text

    def _object(self, node: JsonObject) -> str:
        members = cast("JsonObject", node["obj"])
        pairs = (f"{text_literal(name)}: {self.code(v).text}" for name, v in members.items())
        return "{" + ", ".join(pairs) + "}"


def _boolean(text: str) -> Code:
    return Code(text=text, kind="boolean", nullable=False)


def _joined(parts: Sequence[str]) -> str:
    return " & ".join(['""', *parts] if len(parts) < 2 else parts)


def _is_simple(text: str) -> bool:
    return (
        re.fullmatch(r"\$?[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*|\"[A-Za-z0-9_ -]*\"", text) is not None
    )


def _list(value: JsonValue) -> list[JsonValue]:
    return cast("list[JsonValue]", value)
