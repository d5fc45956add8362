"""Values between botocore's names and those of Step Functions: arguments in, results out.

Names inside a value are known from its shape only, so what is passed on whole is taken apart and
put together again, member by member, as far as its names differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl.jsonata import Compiler, Names
from naftiko.workflow.asl.literals import NotMappable, literal, path_step, text_literal, wrapped
from naftiko.workflow.asl.names import sdk_member

if TYPE_CHECKING:
    from botocore.model import Shape

MAX_LEVELS = 12
"""Structures that contain themselves are not followed any further."""


def arguments(
    members: JsonObject, shape: Shape, required: frozenset[str], names: Names
) -> JsonValue:
    """Return a Task's Arguments: each member's expression, null ones left out.

    Raises: NotMappable.
    """
    compiler = Compiler(names)
    always: JsonObject = {}
    certain, perhaps = [], []
    for name, tree in members.items():
        member = shape.members[name]
        text, nullable = _argument(tree, member, compiler)
        key = sdk_member(name)
        if nullable and name not in required:
            perhaps.append((key, text))
            continue
        constant = _constant(tree, member)
        always[key] = constant if constant is not None else wrapped(text)
        certain.append((key, text))
    return always if not perhaps else wrapped(_object(certain, perhaps, compiler))


def required_check(members: JsonObject, required: frozenset[str], names: Names) -> str | None:
    """Return the condition that a required member is null; None where none can be."""
    compiler = Compiler(names)
    codes = [compiler.code(tree) for name, tree in members.items() if name in required]
    tests = [f"({code.text} = null)" for code in codes if code.nullable]
    return " or ".join(tests) if tests else None


def _constant(tree: JsonValue, shape: Shape) -> JsonValue:
    node = cast("JsonObject", tree)
    if "lit" not in node:
        return None
    value = _renamed_literal(node["lit"], shape)
    return value if not _has_marks(value) else None


def _has_marks(value: JsonValue) -> bool:
    if isinstance(value, str):
        return value.startswith("{%") or value.endswith("%}")
    if isinstance(value, dict):
        return any(_has_marks(item) for item in value.values())
    return isinstance(value, list) and any(_has_marks(item) for item in value)


def _argument(tree: JsonValue, shape: Shape, compiler: Compiler) -> tuple[str, bool]:
    _refuse_binary(shape)
    node = cast("JsonObject", tree)
    if "lit" in node:
        value = _renamed_literal(node["lit"], shape)
        return literal(value), value is None
    if "obj" in node and shape.type_name in {"structure", "map"}:
        return _nested_object(cast("JsonObject", node["obj"]), shape, compiler), False
    if "list" in node and shape.type_name == "list":
        items = [
            _argument(item, shape.member, compiler)
            for item in cast("list[JsonValue]", node["list"])
        ]
        return _nested_list(items, compiler), False
    code = compiler.code(tree)
    if not renames(shape, set()):
        return code.text, code.nullable
    return (
        compiler.bind(
            [code], lambda held: _null_or(held[0], renaming(held[0], shape, into_sdk=True))
        ),
        code.nullable,
    )


def _nested_object(members: JsonObject, shape: Shape, compiler: Compiler) -> str:
    certain: list[tuple[str, str]] = []
    perhaps: list[tuple[str, str]] = []
    for name, tree in members.items():
        is_structure = shape.type_name == "structure"
        text, nullable = _argument(
            tree, shape.members[name] if is_structure else shape.value, compiler
        )
        pair = (sdk_member(name) if is_structure else name, text)
        (perhaps if nullable else certain).append(pair)
    return _object(certain, perhaps, compiler)


def _nested_list(items: Sequence[tuple[str, bool]], compiler: Compiler) -> str:
    parts = []
    for text, nullable in items:
        if not nullable:
            parts.append(f"[{text}]")
            continue
        local = compiler.local()
        parts.append(f"({local} := {text}; {local} = null ? [] : [{local}])")
    whole = "[]"
    if not any(nullable for _, nullable in items):
        return "[" + ", ".join(text for text, _ in items) + "]"
    for part in parts:
        whole = f"$append({whole}, {part})"
    return whole


def _object(
    certain: Sequence[tuple[str, str]], perhaps: Sequence[tuple[str, str]], compiler: Compiler
) -> str:
    base = "{" + ", ".join(f"{text_literal(name)}: {text}" for name, text in certain) + "}"
    if not perhaps:
        return base
    parts = [base]
    for name, text in perhaps:
        local = compiler.local()
        pair = f"{{{text_literal(name)}: {local}}}"
        parts.append(f"({local} := {text}; {local} = null ? {{}} : {pair})")
    return f"$merge([{', '.join(parts)}])"


def _renamed_literal(value: JsonValue, shape: Shape) -> JsonValue:
    if isinstance(value, dict) and shape.type_name == "structure":
        return {sdk_member(n): _renamed_literal(v, shape.members[n]) for n, v in value.items()}
    if isinstance(value, dict) and shape.type_name == "map":
        return {name: _renamed_literal(item, shape.value) for name, item in value.items()}
    if isinstance(value, list) and shape.type_name == "list":
        return [_renamed_literal(item, shape.member) for item in value]
    return value


def selected(base: str, path: Sequence[str | int], shape: Shape, fields: Sequence[str]) -> str:
    """Return what stands at a path of a result, by botocore's names; nothing where it is absent.

    `fields`: of a list of structures only these members of each element.

    Raises: NotMappable.
    """
    text = base
    for part in path:
        if isinstance(part, int):
            text, shape = f"{text}[{part}]", shape.member
        elif shape.type_name == "map":
            text, shape = f"$lookup({text}, {text_literal(part)})", shape.value
        else:
            text, shape = f"{text}.{path_step(sdk_member(part))}", shape.members[part]
    _refuse_binary(shape)
    if fields and shape.type_name == "list":
        element = _members(shape.member, "$e", lambda name: name in fields, into_sdk=False)
        return f"($exists({text}) ? [$map({text}, function($e) {{ {element} }})])"
    return text if not renames(shape, set()) else renaming(text, shape, into_sdk=False)


def renames(shape: Shape, seen: set[str]) -> bool:
    """Return whether a name inside values of a shape is another in Step Functions."""
    if shape.type_name == "list":
        return renames(shape.member, seen)
    if shape.type_name == "map":
        return renames(shape.value, seen)
    if shape.type_name != "structure" or shape.name in seen:
        return False
    seen.add(shape.name)
    members: Mapping[str, Shape] = shape.members
    return any(sdk_member(name) != name or renames(m, seen) for name, m in members.items())


def renaming(text: str, shape: Shape, *, into_sdk: bool, level: int = 0) -> str:
    """Return a value with the names of the other side; nothing stays nothing.

    Raises: NotMappable, for structures in structures in ... that do not end.
    """
    if not renames(shape, set()):
        return text
    if level > MAX_LEVELS:
        raise NotMappable(f"the shape `{shape.name}`, which contains itself,")
    local = f"$n{level}"
    if shape.type_name == "list":
        inner = renaming(local, shape.member, into_sdk=into_sdk, level=level + 1)
        return f"($exists({text}) ? [$map({text}, function({local}) {{ {inner} }})])"
    if shape.type_name == "map":
        inner = renaming(local, shape.value, into_sdk=into_sdk, level=level + 1)
        body = f"{{ $k: {inner} }}"
        return f"($exists({text}) ? $merge($each({text}, function({local}, $k) {{ {body} }})))"
    inner = _members(shape, local, lambda _: True, into_sdk=into_sdk, level=level + 1)
    return f"({local} := {text}; $exists({local}) ? {inner})"


def _members(
    shape: Shape, base: str, is_kept: Callable[[str], bool], *, into_sdk: bool, level: int = 0
) -> str:
    pairs = []
    for name, member in shape.members.items():
        if not is_kept(name) or _is_binary(member):
            continue
        source, target = (name, sdk_member(name)) if into_sdk else (sdk_member(name), name)
        inner = renaming(f"{base}.{path_step(source)}", member, into_sdk=into_sdk, level=level + 1)
        pairs.append(f"{text_literal(target)}: {inner}")
    return "{" + ", ".join(pairs) + "}"


def _null_or(name: str, text: str) -> str:
    return f"{name} = null ? null : {text}"


def _is_binary(shape: Shape) -> bool:
    return shape.type_name == "blob" or bool(getattr(shape, "serialization", {}).get("eventstream"))


def _refuse_binary(shape: Shape) -> None:
    if _is_binary(shape):
        raise NotMappable(f"the binary value `{shape.name}`")
