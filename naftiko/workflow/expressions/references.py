"""References -> what finds their values."""

from __future__ import annotations

from typing import cast

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.expressions.values import CHECKS, Evaluate, TypeMismatch, Values, type_text


def fetch_of(tree: JsonObject) -> Evaluate:
    """Return what finds the value of a reference, checks it and puts the default for null."""
    root, *path = cast("list[str | int]", tree["ref"])
    find = _walker(str(root), tuple(path))
    name = _path_text(str(root), path)
    fits = CHECKS.get(str(tree["t"]))
    kind = str(tree["t"])
    default = tree.get("default")

    def fetch(values: Values) -> JsonValue:
        value = find(values)
        if value is None:
            return default
        if fits is not None and not fits(value):
            raise TypeMismatch(f"`{name}` is {type_text(value)}, not of type {kind}")
        return value

    return fetch


def _walker(root: str, path: tuple[str | int, ...]) -> Evaluate:
    name = _path_text(root, path)
    if root == "item":
        return (lambda values: _walk(values.item, path, name)) if path else lambda v: v.item
    first = str(path[0])
    if root == "steps":
        output, deeper = str(path[1]), path[2:]

        def of_step(values: Values) -> JsonValue:
            outputs = values.steps.get(first)
            if outputs is None:
                return None
            found = outputs.get(output)
            return _walk(found, deeper, name) if deeper else found

        return of_step
    rest = path[1:]
    if root == "params":
        return lambda values: _walk(values.params.get(first), rest, name)
    return lambda values: _walk(values.vars.get(first), rest, name)


def _walk(value: JsonValue, path: tuple[str | int, ...], name: str) -> JsonValue:
    for part in path:
        if value is None:
            return None
        if isinstance(part, str):
            if not isinstance(value, dict):
                raise TypeMismatch(f"`{name}` reaches into {type_text(value)} as into a map")
            value = value.get(part)
        else:
            if not isinstance(value, list):
                raise TypeMismatch(f"`{name}` reaches into {type_text(value)} as into a list")
            value = value[part] if 0 <= part < len(value) else None
    return value


def _path_text(root: str, path: list[str | int] | tuple[str | int, ...]) -> str:
    return root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
