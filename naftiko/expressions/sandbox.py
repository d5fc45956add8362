"""Jinja2 text -> a function, checked and bound at load.

Importing this module imports Jinja2 (40 ms), so it is imported where a template needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeAlias

from jinja2 import Template, TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.visitor import NodeTransformer

from naftiko.errors import Problem, ShapingError, did_you_mean
from naftiko.expressions import ExpressionError
from naftiko.expressions.bounded import MAX_TEXT, ValueFaultError, to_json
from naftiko.expressions.jinja import (
    ALLOWED_NODES,
    BOUNDED,
    CONCAT,
    FROZEN,
    OUTPUT,
    STATE,
    TIMED,
    Environment,
    State,
    environment,
    filter_names,
)
from naftiko.expressions.lookup import Getter, Scope
from naftiko.expressions.names import BindName, Names
from naftiko.expressions.regions import expression_end, statement_end
from naftiko.expressions.typed import typed, typed_environment
from naftiko.source import Anchor
from naftiko.values import JsonValue, Missing

MAX_EXPRESSION_LENGTH = 4_000
MAX_STATEMENTS_LENGTH = 65_536
MAX_EXCERPT = 60
MAX_DEPTH = 100
"""Nodes of a template in one another."""

Escape: TypeAlias = Callable[[str], str]
Render: TypeAlias = "Callable[[Scope, Escape | None], str]"

_RESULT = "result"
_SEGMENT = re.compile(r"[A-Za-z0-9_$*-]+\Z")
_OPENING = re.compile(r"\{\{[{&!]?|\{%|\{#")
_UNKNOWN = re.compile(r"No (filter|test) named '([^']*)'")


def compile_expression(code: str, at: Anchor, bind: BindName, *, checked: bool = False) -> Getter:
    """Compile what stands between `{{` and `}}` into a function that gives its native value.

    "items | length", "a.b + 1", "x or 'y'"; `checked` refuses to compare, or to take as true,
    values of other types than an operator is for (typed.py).

    Raises: ExpressionError[bad-template]; the function raises ShapingError.
    """
    if len(code) > MAX_EXPRESSION_LENGTH:
        _fail(f"the expression has more than {MAX_EXPRESSION_LENGTH:,} characters", at)
    names = Names(code, bind)
    tree = _parse("{{" + names.without_dashes(code) + "}}", code, at)
    expression = _only_expression(tree)
    if expression is None:
        _fail("the placeholder holds no single expression", at, len(code))
    tree.body = [nodes.Assign(nodes.Name(_RESULT, "store"), expression)]
    if checked:
        _check(tree, code, at)
        tree.body = [nodes.Assign(nodes.Name(_RESULT, "store"), typed(expression))]
    template = _finish(tree, names, code, at, typed_environment() if checked else environment())

    def get(scope: Scope) -> JsonValue | Missing:
        context = template.new_context({**names.values(scope), STATE: State()})
        with _failures(names, code):
            for _ in template.root_render_func(context):
                pass
            value: JsonValue | Missing = to_json(context.vars[_RESULT])
        return value

    return get


def _only_expression(tree: nodes.Template) -> nodes.Expr | None:
    output = tree.body[0] if len(tree.body) == 1 else None
    if not isinstance(output, nodes.Output) or len(output.nodes) != 1:
        return None
    return None if isinstance(output.nodes[0], nodes.TemplateData) else output.nodes[0]


def compile_statements(text: str, at: Anchor, bind: BindName) -> Render:
    """Compile a text with `{% if %}`, `{% for %}` or `{% set %}` into a function.

    "{% for i in items %}{{ i.name }};{% endfor %}"

    Raises: ExpressionError[bad-template]; the function raises ShapingError.
    """
    if len(text) > MAX_STATEMENTS_LENGTH:
        _fail(f"a template with statements has more than {MAX_STATEMENTS_LENGTH:,} characters", at)
    names = Names(text, bind)
    tree = _parse("".join(_rewritten(text, names)), text, at)
    template = _finish(tree, names, text, at, environment())

    def render(scope: Scope, escape: Escape | None) -> str:
        context = template.new_context({**names.values(scope), STATE: State(escape)})
        out: list[str] = []
        length = 0
        with _failures(names, text):
            for chunk in template.root_render_func(context):
                length += len(chunk)
                if length > MAX_TEXT:
                    message = "the text grows to more than 1 MiB"
                    raise SecurityError(message)
                out.append(chunk)
        return "".join(out)

    return render


def _rewritten(text: str, names: Names) -> Iterator[str]:
    """Yield the text as Jinja2 takes it: without Mustache's spellings and without dashed names."""
    done = 0
    while (match := _OPENING.search(text, done)) is not None:
        opening, start = match.group(), match.start()
        find_end = statement_end if opening == "{%" else expression_end
        end = find_end(text, match.end())
        if opening == "{#" or end < 0:
            end = max(text.find("#}", start), start) + 2
            yield text[done:end]
        else:
            yield text[done:start]
            yield _region(text[start:end], opening, names)
            if opening == "{{{":
                end += text.startswith("}", end)
        done = end
    yield text[done:]


def _region(region: str, opening: str, names: Names) -> str:
    if opening == "{{!":
        return ""
    if opening in {"{{{", "{{&"}:
        region = "{{" + region[3:]
    return names.without_dashes(region)


def _parse(source: str, code: str, at: Anchor) -> nodes.Template:
    try:
        tree = environment().parse(source)
        if _is_too_deep(tree):
            raise RecursionError
    except TemplateSyntaxError as error:
        _fail_syntax(error, code, at)
    except ValueError:
        # a number of more digits than int() takes
        _fail("the expression holds a number that is too long", at, len(code))
    except RecursionError:
        _fail("the expression is nested too deep", at, len(code))
    return tree


def _is_too_deep(tree: nodes.Node) -> bool:
    """Tell whether nodes stand deeper than MAX_DEPTH in one another.

    Compiling takes far longer than it should for deep trees, and what stops it, CPython's recursion
    limit, is not ours alone: libraries raise it.
    """
    level: list[nodes.Node] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return False
    return True


def _finish(
    tree: nodes.Template, names: Names, code: str, at: Anchor, env: Environment
) -> Template:
    """Check the tree, bind its names, and have Jinja2 make a function of it."""
    try:
        _check(tree, code, at)
        bound = _Binder(tree, names).visit(tree)
        bound.set_environment(env)
        return Template.from_code(env, env.compile(bound), {}, None)
    except TemplateSyntaxError as error:
        _fail_syntax(error, code, at)
    except (RecursionError, SyntaxError, MemoryError):
        # CPython's compiler gives up on deep nesting in one of these ways
        _fail("the expression is nested too deep", at, len(code))


def _check(tree: nodes.Template, code: str, at: Anchor) -> None:
    for node in tree.find_all(nodes.Node):
        if type(node) in ALLOWED_NODES and not getattr(node, "recursive", False):
            hidden = isinstance(node, nodes.Name) and node.ctx != "load" and node.name[:1] == "_"
            if not hidden:
                continue
        what, hint = f"`{type(node).__name__.lower()}`", ""
        if isinstance(node, nodes.Call):
            what, hint = "a function call", "use a filter: `{{ x | upper }}`, `{{ x | items }}`"
        _fail(f"{what} is not possible in a template", at, len(code), hint)


class _Binder(NodeTransformer):
    """Puts variables for the names that come from the scope, and bounds for what can grow."""

    def __init__(self, tree: nodes.Template, names: Names) -> None:
        self._names = names
        self._local = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
        self._local.discard(_RESULT)
        if tree.find(nodes.For) is not None:
            self._local.add("loop")

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        return self._bound(node) or node

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        return self._bound(node) or self.generic_visit(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        return self._bound(node) or self.generic_visit(node)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.iter, nodes.Literal) or node.iter.find(nodes.Literal) is not None:
            node.iter = _filtered(node.iter, FROZEN)
        node.iter = _filtered(node.iter, BOUNDED)
        return node

    def visit_Assign(self, node: nodes.Assign) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.target, nodes.Name) or node.target.name != _RESULT:
            node.node = _filtered(node.node, FROZEN)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), CONCAT)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(node, TIMED)

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        self.generic_visit(node)
        node.nodes = [
            inner if isinstance(inner, nodes.TemplateData) else _filtered(inner, OUTPUT)
            for inner in node.nodes
        ]
        return node

    def _bound(self, node: nodes.Expr) -> nodes.Name | None:
        dotted = self._dotted(node)
        if dotted is None:
            return None
        return nodes.Name(self._names.variable(dotted), "load", lineno=node.lineno)

    def _dotted(self, node: nodes.Expr) -> str | None:
        """Return `a.b.0` for what reads just that from the scope."""
        segments: list[str] = []
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            key = node.attr if isinstance(node, nodes.Getattr) else _constant(node.arg)
            if key is None:
                return None
            segments.append(key)
            node = node.node
        if not isinstance(node, nodes.Name) or node.ctx != "load" or node.name in self._local:
            return None
        return ".".join([self._names.real(node.name), *reversed(segments)])


def _constant(node: nodes.Expr) -> str | None:
    """Return the key of `x["key"]` or `x[0]` where a dotted name can hold it."""
    if not isinstance(node, nodes.Const) or isinstance(node.value, bool):
        return None
    if isinstance(node.value, int) and node.value >= 0:
        return str(node.value)
    is_segment = isinstance(node.value, str) and _SEGMENT.match(node.value)
    return node.value if is_segment else None


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    assert isinstance(node, nodes.Expr)
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


@contextmanager
def _failures(names: Names, code: str) -> Iterator[None]:
    """Turn what an expression raises on unfit values into one error that shows no value."""
    try:
        yield
    except (UndefinedError, SecurityError, ValueFaultError) as error:
        _fail_run(names.shown(str(error)), code)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError,
            RecursionError):  # fmt: skip
        _fail_run("the values do not fit it", code)


def _fail_run(reason: str, code: str) -> NoReturn:
    shown = " ".join(code.split())
    shown = shown if len(shown) <= MAX_EXCERPT else shown[: MAX_EXCERPT - 1] + "…"
    message = f"the template `{shown}` failed: {reason}"
    raise ShapingError(code="template-failed", message=message) from None


def _fail_syntax(error: TemplateSyntaxError, code: str, at: Anchor) -> NoReturn:
    message = (error.message or "it cannot be read").rstrip(".")
    hint = ""
    unknown = _UNKNOWN.search(message)
    if unknown is not None:
        kind, name = unknown.groups()
        message = f"there is no {kind} `{name}`"
        hint = did_you_mean(name, filter_names()) if kind == "filter" else ""
    else:
        if message.endswith("got '='"):
            hint = "compare with `==`"
        message = f"the template cannot be read: {message[:1].lower()}{message[1:]}"
    lines = code.split("\n")
    number = min(max(error.lineno, 1), len(lines))
    offset = sum(len(line) + 1 for line in lines[: number - 1])
    _fail(message.replace("'", "`"), at, len(lines[number - 1]), hint, offset)


def _fail(message: str, at: Anchor, length: int = 0, hint: str = "", offset: int = 0) -> NoReturn:
    place = at(offset, length)
    raise ExpressionError(Problem(code="bad-template", message=message, location=place, hint=hint))
