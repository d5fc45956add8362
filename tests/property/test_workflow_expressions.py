"""Workflow expressions: the compiled form agrees with a plain one, and views hold their word."""

from __future__ import annotations

import json
import re
import warnings
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from naftiko.document.nodes import Scalar
from naftiko.errors import Problem, Problems
from naftiko.source import Location, anchored
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.evaluate import compile_tree
from naftiko.workflow.expressions.pattern_syntax import PatternFault
from naftiko.workflow.expressions.patterns import compile_pattern
from naftiko.workflow.expressions.syntax import SyntaxProblem, parse_expression, parse_template
from naftiko.workflow.expressions.tree_size import exceeds
from naftiko.workflow.expressions.typing import Typer
from naftiko.workflow.expressions.values import Facts, TypeMismatch, Values
from naftiko.workflow.view import MAX_VIEW_BYTES, redacted
from tests.unit.workflow.expressions.scopes import PARAMS, Names

NOW = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
FACTS = Facts(now=NOW, execution_id="e")


class Mismatch(Exception):  # noqa: N818 - what the plain evaluator says for TypeMismatch
    pass


# A plain evaluator: dates for times, no preparation, one rule after the other.


def plain(tree: Any, params: Any) -> Any:
    if "lit" in tree:
        return tree["lit"]
    if "ref" in tree:
        value = params.get(tree["ref"][1])
        return tree.get("default") if value is None else checked(value, tree["t"])
    if "cat" in tree:
        return short("".join(text(plain(part, params)) for part in tree["cat"]))
    if "list" in tree:
        return [plain(part, params) for part in tree["list"]]
    if "fn" in tree:
        return called(tree, [plain(arg, params) for arg in tree["args"]])
    return operated(tree, params)


def checked(value: Any, kind: str) -> Any:
    is_number = type(value) is int and abs(value) < 2**64
    if type(value) is float:
        is_number = value == value and abs(value) != float("inf")
    fits = {
        "string": type(value) is str,
        "integer": type(value) is int and is_number,
        "number": is_number,
        "duration": is_number,
        "boolean": type(value) is bool,
        "list": type(value) is list,
        "map": type(value) is dict,
        "timestamp": type(value) is str,
        "opaque": True,
    }
    if not fits[kind]:
        raise Mismatch
    return time(value) if kind == "timestamp" else value


def time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"
    if type(value) is not str or not re.fullmatch(form, value, re.ASCII):
        raise Mismatch
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Mismatch from None


def text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return short(value)
    if isinstance(value, list | dict):
        raise Mismatch
    checked(value, "number")
    return str(int(value)) if value == int(value) else number(value)


def number(value: float) -> str:
    digits, _, exponent = repr(value).partition("e")
    if not exponent:
        return digits
    sign = "-" if digits.startswith("-") else ""
    whole, _, places = digits.lstrip("-").partition(".")
    return sign + "0." + "0" * (-int(exponent) - 1) + whole + places  # |value| < 1 here


def short(value: str) -> str:
    if len(value) > 65_536:
        raise Mismatch
    return value


def called(tree: Any, args: Any) -> Any:
    name = tree["fn"]
    if name == "now":
        return NOW
    if name == "timestamp":
        return "20260131100000"
    if any(arg is None for arg in args):
        return None
    first = args[0]
    if name in {"first", "last"}:
        if not first:
            return None
        value = first[0 if name == "first" else -1]
        return value if value is None or isinstance(value, datetime) else checked(value, tree["t"])
    if name == "join":
        return short(args[1].join(text(item) for item in first))
    if name == "int" and isinstance(first, str):
        if not re.fullmatch("[+-]?[0-9]{1,18}", first):
            raise Mismatch
        return int(first)
    return {
        "lower": lambda: short(short(first).lower()),
        "upper": lambda: short(short(first).upper()),
        "trim": lambda: short(short(first).strip()),
        "string": lambda: text(first),
        "int": lambda: checked(int(first), "number"),
        "length": lambda: len(first),
        "days": lambda: checked(first * 86_400, "number"),
        "hours": lambda: checked(first * 3_600, "number"),
        "minutes": lambda: checked(first * 60, "number"),
        "age": lambda: (NOW - first) / timedelta(seconds=1),
    }[name]()


def operated(tree: Any, params: Any) -> Any:  # noqa: C901 - one rule after the other
    op = tree["op"]
    a = plain(tree["a"], params)
    if op == "!":
        return a is not True
    if op == "&&" and a is not True:
        return False
    if op == "||" and a is True:
        return True
    b = plain(tree["b"], params)
    if op in {"&&", "||"}:
        return b is True
    if op == "==":
        return same(a, b)
    if op == "!=":
        return not same(a, b)
    if a is None or b is None:
        return None if op in {"+", "-"} else False
    if op in {"+", "-"}:
        return added(a, b if op == "+" else -b)
    if op == "in":
        return any(same(a, item) for item in b)
    if op == "contains":
        return b in a if isinstance(a, str) else any(same(b, item) for item in a)
    return {
        "<": lambda: a < b,
        "<=": lambda: a <= b,
        ">": lambda: a > b,
        ">=": lambda: a >= b,
        "startswith": lambda: a[: len(b)] == b,
        "endswith": lambda: a[max(len(a) - len(b), 0) :] == b,
        "matches": lambda: bool(re.fullmatch(b, a[:1_024], re.ASCII)),
    }[op]()


def added(a: Any, b: Any) -> Any:
    if not isinstance(a, datetime):
        return checked(a + b, "number")
    try:
        return a + timedelta(seconds=b)
    except OverflowError:
        raise Mismatch from None


def same(a: Any, b: Any) -> bool:
    if isinstance(a, datetime) and isinstance(b, str):
        a, b = b, a
    if isinstance(b, datetime) and isinstance(a, str):
        try:
            a = time(a)
        except Mismatch:
            return False
    if isinstance(a, list | dict) or isinstance(b, list | dict):
        return False
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def out(value: Any) -> Any:
    if isinstance(value, list):
        return [out(item) for item in value]
    return text(value) if isinstance(value, datetime) else value


# Random expressions, typed as they are built, and random data, mostly of the right type


@cache
def leaf(kind: str) -> st.SearchStrategy[str]:
    constants = {
        "string": st.sampled_from(["''", "'a'", "'ab'", "'available'", "lower(params.s)"]),
        "integer": st.integers(-9, 9).map(str),
        "number": st.sampled_from(["0.5", "-1.25", "2"]),
        "boolean": st.sampled_from(["true", "false"]),
        "timestamp": st.just("now()"),
        "duration": st.sampled_from(["days(1)", "minutes(params.n)"]),
    }
    names = [name for name, type_ in PARAMS.items() if type_.kind == kind and not type_.enum]
    refs = st.sampled_from([f"params.{name}" for name in names])
    defaults = {"string": "b", "integer": "4", "number": "4", "boolean": "true"}
    if kind in defaults:
        refs = st.one_of(refs, refs.map(lambda ref: f"({ref}:-{defaults[kind]})"))
    return st.one_of(constants[kind], refs)


@cache
def grown(kind: str, depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return leaf(kind)
    inner = {name: grown(name, depth - 1) for name in ("string", "integer", "number", "timestamp")}
    duration = leaf("duration")
    made: dict[str, list[st.SearchStrategy[str]]] = {
        "string": [
            st.builds("upper({})".format, inner["string"]),
            st.builds("trim({})".format, inner["string"]),
            st.builds("string({})".format, st.one_of(inner["number"], inner["timestamp"])),
            st.builds(
                "join([{}, {}], {})".format, inner["string"], inner["string"], inner["string"]
            ),
            st.builds("join(params.ss, {})".format, inner["string"]),
            st.just("first(params.ss)"),
        ],
        "integer": [
            st.builds("({} + {})".format, inner["integer"], inner["integer"]),
            st.builds("length({})".format, inner["string"]),
            st.builds("int({})".format, st.one_of(inner["string"], inner["number"])),
            st.just("last(params.ii)"),
        ],
        "number": [
            st.builds("({} - {})".format, inner["integer"], inner["number"]),
        ],
        "timestamp": [
            st.builds("({} - {})".format, inner["timestamp"], duration),
            st.builds("({} + {})".format, inner["timestamp"], duration),
            st.just("first(params.tt)"),
        ],
        "duration": [st.builds("age({})".format, inner["timestamp"])],
    }
    if kind == "boolean":
        return truth(inner, depth)
    return st.one_of(leaf(kind), *made[kind])


def truth(inner: dict[str, st.SearchStrategy[str]], depth: int) -> st.SearchStrategy[str]:
    boolean = grown("boolean", depth - 1)
    order = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    pairs = [st.builds("({} {} {})".format, inner[kind], order, inner[kind]) for kind in inner]
    return st.one_of(
        *pairs,
        st.builds("({} {} {})".format, boolean, st.sampled_from(["&&", "||", "=="]), boolean),
        st.builds("(!{})".format, st.sampled_from(["params.b", "(params.b)", "true"])),
        st.builds("({} in params.ss)".format, inner["string"]),
        st.builds("(params.ii contains {})".format, inner["integer"]),
        st.builds("({} in [{}, {}])".format, inner["number"], inner["integer"], inner["number"]),
        st.builds("({} in params.tt)".format, inner["timestamp"]),
        st.builds("({} in [{}])".format, inner["timestamp"], inner["timestamp"]),
        st.builds("({} == null)".format, st.one_of(*inner.values())),
        st.builds(
            "({} {} {})".format,
            inner["string"],
            st.sampled_from(["contains", "startswith", "endswith"]),
            inner["string"],
        ),
        st.builds("({} matches '[a-z]+b?')".format, inner["string"]),
    )


EXPRESSIONS = st.sampled_from(
    ["string", "integer", "number", "boolean", "timestamp", "duration"]
).flatmap(lambda kind: grown(kind, 3))

TIMES = st.sampled_from(
    ["2026-01-31T10:00:00Z", "2026-01-30T09:00:00.5+01:00", "0001-01-01T00:00:00+14:00", "soon"]
)
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | TIMES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
USUAL = {
    "s": st.sampled_from(["", "a", "ab", "Ä", "42", " x "]),
    "i": st.integers(-5, 5),
    "n": st.floats(-9, 9) | st.integers(-9, 9),
    "b": st.booleans(),
    "t": TIMES,
    "d": st.integers(0, 10**6),
    "ss": st.lists(st.sampled_from(["a", "ab", None]), max_size=3),
    "ii": st.lists(st.integers(-3, 3) | st.none(), max_size=3),
    "tt": st.lists(TIMES, max_size=2),
}
DATA = st.fixed_dictionaries(
    {},
    optional={
        name: (st.none() | usual) if name != "s" else usual | HOSTILE
        for name, usual in USUAL.items()
    },
)
WILD = st.dictionaries(st.sampled_from(sorted(PARAMS)), HOSTILE)


def result(compute: Any) -> Any:
    try:
        return ("value", compute())
    except (TypeMismatch, Mismatch):
        return ("mismatch",)


def key(value: Any) -> str:
    """Tell true from 1, but 3 from 3.0 not: canonical JSON writes both alike."""
    if isinstance(value, tuple | list):
        return f"[{','.join(key(item) for item in value)}]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"{type(value).__name__}:{value!r}"


def tree_of(expression: str) -> JsonObject:
    text_ = "${" + expression + "}"
    problems = Problems()
    typed = Typer(Names(), problems).value(Scalar(text_, text_, Location("w.yaml")))
    assert typed is not None, [problem.message for problem in problems]
    return typed.tree


@settings(max_examples=600)
@given(EXPRESSIONS, st.one_of(DATA, WILD))
def test_the_compiled_form_agrees_with_the_plain_one(expression: str, params: Any) -> None:
    tree = tree_of(expression)
    values = Values(facts=FACTS, params=params)
    evaluate = compile_tree(tree)
    found = result(lambda: evaluate(values))
    is_time = "ref" in tree and tree["t"] == "timestamp"
    expected = result(lambda: out(plain(tree, params)))
    if is_time and expected[0] == "value" and expected[1] is not None:
        expected = ("value", params[tree["ref"][1]])  # type: ignore[index,call-overload]  # a ref
    assert key(found) == key(expected)


@given(WILD, HOSTILE)
def test_no_data_makes_a_reference_raise_anything_else(params: JsonObject, item: JsonValue) -> None:
    values = Values(facts=FACTS, params=params, item=item, steps={"s": params})
    for name, type_ in PARAMS.items():
        for path in (["params", name], ["steps", "s", name, "a", 0], ["item", name], ["item", 0]):
            tree: JsonObject = {"ref": [*path], "t": type_.kind}
            cat: JsonObject = {"cat": [tree]}
            for compiled in (compile_tree(tree), compile_tree(cat)):
                result(lambda compiled=compiled: compiled(values))


TOKENS = "a params.x ( ) [ ] ' \" ${ } $${ :- == ! && || in matches 1 1.5 - + . , null f( é {"
SYNTAX = st.lists(
    st.sampled_from([*TOKENS.split(), " ", "\n"]),
    max_size=25,
).map("".join)


@given(SYNTAX)
def test_any_text_is_an_expression_or_a_problem_in_its_place(source: str) -> None:
    found: list[Problem] = []
    for parse in (parse_expression, parse_template):
        try:
            parse(source, anchored(Location("w.yaml", 1, 1)))
        except SyntaxProblem as error:
            found.append(error.problem)
    assert all(problem.code == "WF310" for problem in found)
    assert all(1 <= problem.location.column <= len(source) + 1 for problem in found)
    problems = Problems()
    typer = Typer(Names(), problems)
    typed = typer.value(Scalar(source, source, Location("w.yaml")))
    assert typed is None or not exceeds(typed.tree)
    typer.condition(Scalar(source, source, Location("w.yaml")))


PARTS = r"a b ab . \d \w [ab] [^a] ( (?: ) | * + ? {2} {0,3} {1,} ^ $ - \. \ [ ]"
PATTERNS = st.lists(st.sampled_from(PARTS.split()), max_size=14).map("".join)


@settings(max_examples=300)
@given(PATTERNS, st.text("ab-1.\n", max_size=12))
def test_a_pattern_is_refused_or_means_what_it_means_to_python(pattern: str, subject: str) -> None:
    try:
        compiled = compile_pattern(pattern)
    except PatternFault:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `[[` may mean more some day
        python = re.compile(pattern, re.ASCII)
    assert (compiled.fullmatch(subject) is None) == (python.fullmatch(subject) is None)
    for attack in ("a" * 1_024 + "!", "ab" * 512 + "!", "b" * 1_000 + "-" * 24):
        compiled.fullmatch(attack)


# Views

HIDDEN = "\u202e\u2066\u200b\ufeff\x00\x1b\r\x85\U000e0041\u00ad\u2028"
TEXTS = st.text(st.sampled_from("ab \\u{}0\n\t" + HIDDEN) | st.characters(), max_size=30)
WORDS = st.lists(
    st.sampled_from(
        ["ignore", "previous", "instructions", "all", "\u200b", " ", "-", "x", "rm -rf /"]
    ),
    max_size=8,
).map(" ".join)
ANY_TEXT = st.one_of(TEXTS, WORDS, TEXTS.map(lambda text_: text_ * 300))
MARKS = st.fixed_dictionaries(
    {},
    optional={
        "$truncated": st.integers() | ANY_TEXT,
        "$text": ANY_TEXT,
        "$redacted": st.just("command_like") | ANY_TEXT,
        "length": st.integers(),
        "sha256": st.just("0" * 64) | ANY_TEXT,
    },
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | MARKS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def strings(value: JsonValue) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text_ for item in value for text_ in strings(item)]
    if isinstance(value, dict):
        return [text_ for item in (*value, *value.values()) for text_ in strings(item)]
    return []


@settings(max_examples=300)
@given(VALUES, st.sampled_from(["label", "redact", "raw"]))
def test_a_view_hides_nothing_and_is_its_own_view(value: JsonValue, view: str) -> None:
    before = repr(value)
    shown = redacted(value, view)
    assert repr(value) == before
    assert redacted(shown, view) == shown
    size = len(
        json.dumps(shown, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")
    )
    assert size <= MAX_VIEW_BYTES * 2
    if view != "raw":
        assert not any(UNSHOWN.search(text_) for text_ in strings(shown))
        assert all(len(text_) <= 4_096 for text_ in strings(shown))
