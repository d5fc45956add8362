"""What a parameter's rules say of a value: a constant is checked now, others by an assertion."""

from __future__ import annotations

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.patterns import compile_pattern
from naftiko.workflow.expressions.typed import Typed

RULES = ("pattern", "enum", "min", "max")


def check_constant(description: JsonObject, value: JsonValue) -> str:
    """Return what is wrong with a constant for a parameter ("must be at least 1"), or ""."""
    if value is None:
        return ""
    enum, pattern = description.get("enum"), description.get("pattern")
    if isinstance(enum, list) and enum and value not in enum:
        return "must be one of " + ", ".join(f"`{item}`" for item in enum)
    # The compiler of the nested workflow has checked that the pattern is of the safe subset.
    is_text = isinstance(pattern, str) and isinstance(value, str)
    if is_text and compile_pattern(str(pattern)).fullmatch(str(value)) is None:
        return f"must match `{pattern}`"
    size = _size(value)
    low, high = description.get("min"), description.get("max")
    if size is not None and isinstance(low, int | float) and size < low:
        return f"must be at least {low:g}"
    if size is not None and isinstance(high, int | float) and size > high:
        return f"must be at most {high:g}"
    return ""


def _size(value: JsonValue) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    return len(value) if isinstance(value, str | list) else None


def constraint(description: JsonObject, typed: Typed) -> list[JsonObject]:
    """Return the trees that must hold of a value that only a run knows.

    What may be left out may be null, which no rule is about.
    """
    trees: list[JsonObject] = []
    value, kind = typed.tree, typed.type.kind
    enum, pattern = description.get("enum"), description.get("pattern")
    if isinstance(enum, list) and enum:
        items: list[JsonValue] = [{"lit": item, "t": kind} for item in enum]
        trees.append({"op": "in", "a": value, "b": {"list": items}})
    if isinstance(pattern, str) and kind == "string":
        trees.append({"op": "matches", "a": value, "b": {"lit": pattern, "t": "string"}})
    sized: JsonObject = value
    if kind in {"string", "list"}:
        sized = {"fn": "length", "args": [value], "t": "integer"}
    if kind in {"string", "list", "integer", "number"}:
        for name, op in (("min", ">="), ("max", "<=")):
            bound = description.get(name)
            if isinstance(bound, int | float):
                of = "integer" if isinstance(bound, int) else "number"
                trees.append({"op": op, "a": sized, "b": {"lit": bound, "t": of}})
    if description["required"] or description.get("default") is not None:
        return trees
    left_out: JsonObject = {"op": "==", "a": value, "b": {"lit": None, "t": "null"}}
    return [{"op": "||", "a": left_out, "b": tree} for tree in trees]
