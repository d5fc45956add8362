"""Trees as JSONata give what the engine's own evaluation gives, on random data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jsonata.jsonata  # noqa: F401 - sets the recursion limit, which must not happen in a test
from hypothesis import given, settings
from hypothesis import strategies as st

from naftiko.sandbox import queries
from naftiko.workflow.asl.jsonata import Compiler, Names
from naftiko.workflow.expressions.evaluate import compile_tree
from naftiko.workflow.expressions.values import Facts, TypeMismatch, Values

NOW = datetime(2026, 1, 31, 10, 0, 0, tzinfo=UTC)
FACTS = {
    "now": "2026-01-31T10:00:00Z",
    "now_ms": int(NOW.timestamp() * 1000),
    "timestamp": "20260131100000",
    "execution_id": "e-1",
    "region": "us-east-1",
    "account_id": "123456789012",
    "partition": "aws",
}
TEXTS = st.text(alphabet='ab A1-%{}$"\\`/é😀\n', max_size=6)
NUMBERS = st.integers(-1000, 1000)
TIMES = st.sampled_from(
    ["2026-01-31T10:00:00Z", "2026-01-30T10:00:00.500Z", "2026-02-01T01:00:00+02:00"]
)
PATTERNS = ["a+", "[a-z]*", ".*/.*", "(?:a|b)c?", r"\d\s\w", r"[\w ]{0,3}", "[%]", r"[({)]\\?"]
DATA = {
    "text": st.none() | TEXTS,
    "number": st.none() | NUMBERS,
    "flag": st.none() | st.booleans(),
    "time": st.none() | TIMES,
    "texts": st.none() | st.lists(TEXTS, max_size=3),
    "maps": st.none()
    | st.lists(
        st.fixed_dictionaries({}, optional={"a b": st.none() | TEXTS, "n": NUMBERS}), max_size=3
    ),
    "deep": st.none()
    | st.fixed_dictionaries({"a": st.none() | st.fixed_dictionaries({"b": st.none() | TEXTS})}),
}
KINDS = {
    "text": "string",
    "number": "integer",
    "flag": "boolean",
    "time": "timestamp",
    "texts": "list",
}


def lit(value: Any, kind: str) -> dict[str, Any]:
    return {"lit": value, "t": kind}


def refs(name: str) -> st.SearchStrategy[dict[str, Any]]:
    kind = KINDS[name]
    plain = [{"ref": ["params", name], "t": kind}, {"ref": ["steps", "s", name], "t": kind}]
    found = st.sampled_from([*plain, {"ref": ["item", name], "t": kind}])
    if name != "text":
        return found
    deep = {"ref": ["params", "deep", "a", "b"], "t": "string"}
    own = st.sampled_from(
        [("s", "status"), ("s", "error_code"), ("h", "status"), ("h", "error_code")]
    )
    said = own.map(lambda path: {"ref": ["steps", *path], "t": "string"})
    listed = {"ref": ["item", "texts", 1], "t": "string", "default": "none"}
    return found | st.just(deep) | st.just(listed) | said


def texts(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    leaves = TEXTS.map(lambda value: lit(value, "string")) | refs("text")
    if depth == 0:
        return leaves
    parts = st.one_of(texts(depth - 1), numbers(depth - 1), flags(depth - 1), times(depth - 1))
    joined = st.lists(parts, min_size=1, max_size=3).map(lambda trees: {"cat": trees})
    changed = st.builds(
        lambda name, tree: {"fn": name, "args": [tree], "t": "string"},
        st.sampled_from(["lower", "upper", "trim"]),
        texts(depth - 1),
    )
    ends = st.builds(
        lambda name: {
            "fn": name,
            "args": [{"ref": ["params", "texts"], "t": "list"}],
            "t": "string",
        },
        st.sampled_from(["first", "last"]),
    )
    listed = st.builds(
        lambda tree: {"fn": "join", "args": [tree, lit("/", "string")], "t": "string"},
        refs("texts"),
    )
    dated = times(depth - 1).map(lambda tree: {"fn": "date", "args": [tree], "t": "string"})
    fact = st.just({"fn": "timestamp", "args": [], "t": "string"})
    return st.one_of(leaves, joined, changed, ends, listed, dated, fact)


def numbers(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    leaves = NUMBERS.map(lambda value: lit(value, "integer")) | refs("number")
    if depth == 0:
        return leaves
    sums = st.builds(
        lambda op, a, b: {"op": op, "a": a, "b": b},
        st.sampled_from("+-"), numbers(depth - 1), numbers(depth - 1),
    )  # fmt: skip
    lengths = (texts(depth - 1) | refs("texts")).map(
        lambda tree: {"fn": "length", "args": [tree], "t": "integer"}
    )
    read = st.sampled_from(["12", "-0.5", "+007.25", "1.", ".5", "1e3", "", "x1"]).map(
        lambda text: {"fn": "number", "args": [lit(text, "string")], "t": "number"}
    )
    return st.one_of(leaves, sums, lengths, read)


def times(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    leaves = refs("time") | st.just({"fn": "now", "args": [], "t": "timestamp"})
    if depth == 0:
        return leaves
    shifted = st.builds(
        lambda op, tree, days: {
            "op": op, "a": tree, "b": {"fn": "days", "args": [days], "t": "duration"},
        },
        st.sampled_from("+-"), times(depth - 1), numbers(0),
    )  # fmt: skip
    months = times(depth - 1).map(
        lambda tree: {"fn": "month_start", "args": [tree], "t": "timestamp"}
    )
    return leaves | shifted | months


def flags(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    leaves = st.booleans().map(lambda value: lit(value, "boolean")) | refs("flag")
    if depth == 0:
        return leaves
    equal = st.sampled_from(["==", "!="])
    order = st.sampled_from(["<", "<=", ">", ">="])
    parts = st.sampled_from(["contains", "startswith", "endswith"])

    def pairs(ops: st.SearchStrategy[str], of: Any) -> st.SearchStrategy[dict[str, Any]]:
        return st.builds(
            lambda op, a, b: {"op": op, "a": a, "b": b}, ops, of(depth - 1), of(depth - 1)
        )

    null = st.builds(
        lambda op, a: {"op": op, "a": a, "b": lit(None, "null")}, equal, texts(depth - 1)
    )
    inside = st.builds(lambda a, b: {"op": "in", "a": a, "b": b}, texts(depth - 1), refs("texts"))
    matches = st.builds(
        lambda a, b: {"op": "matches", "a": a, "b": lit(b, "string")},
        texts(depth - 1),
        st.sampled_from(
            [
                "a+",
                "[a-z]*",
                ".*/.*",
                "(?:a|b)c?",
                r"\d\s\w",
                r"[\w ]{0,3}",
                "[%]",
                r"[({)]\\?",
                r"\{a\}",
            ]
        ),
    )
    negated = flags(depth - 1).map(lambda tree: {"op": "!", "a": tree})
    both = pairs(st.sampled_from(["&&", "||"]), flags)
    return st.one_of(
        leaves, pairs(equal, texts), pairs(equal, numbers), pairs(equal, times),
        pairs(order, numbers), pairs(order, times), pairs(parts, texts),
        null, inside, matches, negated, both,
    )  # fmt: skip


def lists() -> st.SearchStrategy[dict[str, Any]]:
    plucked = st.sampled_from(["a b", "n", "gone"]).map(
        lambda name: {
            "fn": "pluck",
            "args": [{"ref": ["params", "maps"], "t": "list"}, lit(name, "string")],
            "t": "list",
        }
    )
    written = st.lists(texts(1), max_size=2).map(lambda items: {"list": items})
    some = refs("texts") | plucked | written
    return plucked | st.builds(
        lambda a, b: {"fn": "concat", "args": [a, b], "t": "list"}, some, some
    )


def trees() -> st.SearchStrategy[dict[str, Any]]:
    any_tree = st.one_of(texts(2), numbers(2), times(1), flags(2))
    listed = st.lists(any_tree | refs("texts") | lists(), max_size=3).map(
        lambda items: {"list": items}
    )
    named = st.dictionaries(TEXTS, any_tree | listed, max_size=3).map(lambda items: {"obj": items})
    return any_tree | listed | named | lists()


HIDDEN = frozenset({("h", "status"), ("h", "error_code")})
NAMES = Names(step=lambda name: f"$step_{name}", hidden=HIDDEN)
OWN = {"status": st.sampled_from(["succeeded", "failed"]), "error_code": st.none() | TEXTS}


@settings(max_examples=300, deadline=None)
@given(
    tree=trees(),
    data=st.fixed_dictionaries(DATA),
    own=st.fixed_dictionaries(OWN),
    outputs=st.fixed_dictionaries({"status": st.none() | TEXTS, "error_code": st.none() | TEXTS}),
)
def test_jsonata_agrees_with_the_engine(
    tree: dict[str, Any], data: dict[str, Any], own: dict[str, Any], outputs: dict[str, Any]
) -> None:
    steps = {"s": {**data, **own}, "h": outputs}
    values = Values(facts=Facts(now=NOW, execution_id="e-1"), params=data, steps=steps, item=data)
    try:
        expected = compile_tree(tree)(values)
    except TypeMismatch:
        return
    text = Compiler(NAMES).code(tree).text
    held = {**own, **{f"={name}": value for name, value in outputs.items()}}
    bindings = {"params": data, "step_s": {**data, **own}, "item": data, "facts": FACTS}
    bindings["step_h"] = held
    assert queries.evaluate(text, bindings) == expected, text
