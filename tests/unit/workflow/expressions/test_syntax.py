"""The grammar: what is read, how it binds, and what is refused where."""

from __future__ import annotations

import pytest

from naftiko.source import Location, anchored
from naftiko.workflow.expressions.nodes import Binary, Call, Expr, ListOf, Literal, Not, Ref
from naftiko.workflow.expressions.syntax import SyntaxProblem, parse_expression, parse_template

AT = anchored(Location("w.yaml", 1, 1))


def shape(node: Expr | str) -> str:
    if isinstance(node, str):
        return repr(node)
    if isinstance(node, Literal):
        return f"{node.value!r}"
    if isinstance(node, Ref):
        default = f":-{node.default.value!r}" if node.default else ""
        return ".".join([node.root, *map(str, node.path)]) + default
    if isinstance(node, Call):
        return f"{node.name}({', '.join(map(shape, node.args))})"
    if isinstance(node, Not):
        return f"(! {shape(node.operand)})"
    if isinstance(node, ListOf):
        return f"[{', '.join(map(shape, node.items))}]"
    assert isinstance(node, Binary)
    return f"({shape(node.left)} {node.op} {shape(node.right)})"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a || b && c", "(a || (b && c))"),
        ("!a == b", "(! (a == b))"),
        ("a + 1 - 2 < b", "(((a + 1) - 2) < b)"),
        ("(a || b) && !c", "((a || b) && (! c))"),
        ("a in ['x', \"y\"]", "(a in ['x', 'y'])"),
        ("item.Tags[0][\"aws:x\"]['b']", "item.Tags.0.aws:x.b"),
        ("item.in.contains == null", "(item.in.contains == None)"),
        ("params.a:-us-east-1", "params.a:-'us-east-1'"),
        ("params.a :- 'x y' == 'z'", "(params.a:-'x y' == 'z')"),
        ("params.a:--3", "params.a:--3"),
        ("params.a:-true && b", "(params.a:-True && b)"),
        ("a - -1.50", "(a - -1.5)"),
        ("now() - days(params.n)", "(now() - days(params.n))"),
        ("join([ ], ',')", "join([], ',')"),
        ("a matches '^\\d+$'", "(a matches '^\\\\d+$')"),
        ("inside", "inside"),
        ("nullable", "nullable"),
        ("a startswith 'x' || a endswith 'y'", "((a startswith 'x') || (a endswith 'y'))"),
    ],
)
def test_an_expression_binds_as_the_grammar_says(text: str, expected: str) -> None:
    assert shape(parse_expression(text, AT)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("plain $5", ["'plain $5'"]),
        ("${a}", ["a"]),
        ("x-${ a }-y${b}", ["'x-'", "a", "'-y'", "b"]),
        ("$${a} $$${b}", ["'${a} $${b}'"]),
        ("${'}'}", ["'}'"]),
    ],
)
def test_a_template_is_texts_and_expressions(text: str, expected: list[str]) -> None:
    assert [shape(part) for part in parse_template(text, AT).parts] == expected


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("", 1, "an expression is missing", "write one"),
        ("a ==", 5, "the expression ends where an operand should stand", ""),
        ("a = 1", 3, "`=` is no operator", "`==`"),
        ("a and b", 3, "`and` cannot stand here", "`&&`"),
        ("a == b == c", 8, "`==` cannot follow a comparison", "`&&`"),
        ("!!a", 2, "`!` cannot stand twice", "both"),
        ("1.234", 1, "`1.234` has more than two decimals", "round"),
        ("9223372036854775808", 1, "the number is too large", "64"),
        ("12ab", 1, "`12ab` is no number", "quotes"),
        ("'abc", 1, "the text has no end", "'"),
        ("(a", 1, "`(` has no `)`", ")"),
        ("f(a", 2, "`(` has no `)`", ")"),
        ("a[b]", 2, "between `[` and `]` stands a position or a text in quotes", "[0]"),
        ("a.", 3, "a name is missing after `.`", "["),
        ("a:-", 4, "a constant is missing after `:-`", "text"),
        ("${a} == 1", 1, "`$` cannot stand inside an expression", "one expression"),
        ("a ? b", 3, "`?` cannot stand here", ""),
        ("in", 1, "`in` cannot stand here", ""),
        ("a == b}", 7, "`}` cannot stand here", ""),
        ("(" * 30, 21, "the expression is nested more than 20 deep", "set"),
        ("+".join(["a"] * 150), 1, "the expression has more than 200 parts", "set"),
    ],
)
def test_what_is_no_expression_is_refused_at_its_place(
    text: str, column: int, message: str, hint: str
) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        parse_expression(text, AT)
    problem = caught.value.problem
    assert (problem.code, problem.location.column, problem.message) == ("WF310", column, message)
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("x ${a", 3, "`${` has no `}`"),
        ("x ${", 3, "`${` has no `}`"),
        ("${}", 1, "`${}` holds no expression"),
        ("${a b}", 5, "`b` cannot stand here"),
    ],
)
def test_a_broken_hole_is_refused_at_its_place(text: str, column: int, message: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        parse_template(text, AT)
    problem = caught.value.problem
    assert (problem.location.column, problem.message) == (column, message)


def test_nodes_slice_their_own_text() -> None:
    text = "x ${ join(item.Names, ', ') == params.a:-b }"
    part = parse_template(text, AT).parts[1]
    assert isinstance(part, Binary)
    call, ref = part.left, part.right
    assert text[call.offset : call.offset + call.length] == "join(item.Names, ', ')"
    assert text[ref.offset : ref.offset + ref.length] == "params.a"
    assert text[part.offset : part.offset + part.length] == "join(item.Names, ', ') == params.a:-b"
    assert text[part.op_offset : part.op_offset + 2] == "=="
