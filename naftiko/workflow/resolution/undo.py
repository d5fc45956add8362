"""The call that takes back a mutating one. Spec: section 3, rule 5, and I6.

A compensator touches only what the execution has created. So a pair counts only where success of
the first call proves that it made something: AWS gave the identifier, or would have refused if the
thing had been there. Operations that answer alike for what exists (CreateTopic), that replace
(PutObject) or that do nothing when it is so already (AttachRolePolicy) have no undo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from naftiko.awsapi.catalog import service_model
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.resolution.members import is_token
from naftiko.workflow.resolution.rows import Given, Never, Undo
from naftiko.workflow.resolution.words import folded, words_of

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

_FRESH = frozenset({"uuid", "execution_id"})


def find_undo(
    data: ResolutionData, service: str, operation: str, given: Mapping[str, JsonObject]
) -> Undo | None:
    """Return the call that takes back a call with these input trees, None where none is sure.

    ("rds", "CreateDBSnapshot", {...}) -> Undo(operation="DeleteDBSnapshot",
    input={"DBSnapshotIdentifier": Given(kind="input", path="DBSnapshotIdentifier")})
    """
    row = _row(data, service, operation)
    if not isinstance(row, Undo) or _objection(row, service, operation, given):
        return None
    kept = {
        name: source
        for name, source in row.input.items()
        if not source.optional or source.path in given
    }
    return replace(row, input=kept)


def why_no_undo(
    data: ResolutionData, service: str, operation: str, given: Mapping[str, JsonObject]
) -> str:
    """Return why `find_undo` gives none, for a hint."""
    row = _row(data, service, operation)
    if isinstance(row, Never):
        return row.reason
    if row is None:
        return f"nothing is known to take back `{operation}` with certainty"
    return _objection(row, service, operation, given)


def _row(data: ResolutionData, service: str, operation: str) -> Undo | Never | None:
    row = data.service(service).undo.get(operation)
    return row if row is not None else _derived(service, operation)


def _objection(row: Undo, service: str, operation: str, given: Mapping[str, JsonObject]) -> str:
    for name, literal in (*row.only_if.items(), *row.requires.items()):
        if name not in given and name not in row.requires:
            continue
        if not _is_literal(given.get(name, {}), literal):
            return f"only a call with `{name}` {_text(literal)} can be taken back with certainty"
    for name in row.single:
        if not is_single(given.get(name, {})):
            return f"only a call with one element in `{name}` can be taken back with certainty"
    for name in row.fresh:
        if not _is_fresh(given.get(name, {})):
            return f"only a call whose `{name}` is made with `uuid()` is certain to make something"
    return _objection_to_members(row, service, operation, given)


def _objection_to_members(
    row: Undo, service: str, operation: str, given: Mapping[str, JsonObject]
) -> str:
    for source in row.input.values():
        if source.kind == "input" and not source.optional and source.path not in given:
            return f"`{row.operation}` needs `{source.path}`, which the call does not give"
    shape = service_model(service).operation_model(operation).input_shape
    for name, member in shape.members.items() if shape is not None else ():
        if is_token(member) and name in given and not _is_fresh(given[name]):
            return f"with a `{name}` of one's own the answer may be that of an earlier call"
    return ""


def is_single(tree: JsonObject) -> bool:
    """Tell whether a tree is a list of exactly one element."""
    items = tree.get("list", tree.get("lit"))
    return isinstance(items, list) and len(items) == 1


def _is_literal(tree: JsonObject, value: JsonValue) -> bool:
    return "lit" in tree and tree["lit"] == value and type(tree["lit"]) is type(value)


def _is_fresh(tree: JsonValue) -> bool:
    """Tell whether a tree is new in each execution: it calls uuid() or execution_id()."""
    if isinstance(tree, dict):
        return tree.get("fn") in _FRESH or any(_is_fresh(item) for item in tree.values())
    return isinstance(tree, list) and any(_is_fresh(item) for item in tree)


def _text(value: JsonValue) -> str:
    if value is None:
        return "left out"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


@lru_cache(maxsize=512)
def _derived(service: str, operation: str) -> Undo | None:
    """Return create -> delete where a token makes each call new and AWS makes up the identifier.

    Nothing else is sure without a row: many a Create* answers for what exists already, and not all
    of their documentation says so (CreateCustomerGateway).
    """
    model = service_model(service).operation_model(operation)
    verb, *noun = words_of(operation)
    if verb != "create" or not noun or model.output_shape is None:
        return None
    other = "Delete" + operation.removeprefix("Create")
    if other not in service_model(service).operation_names or _may_exist(model, noun):
        return None
    target = service_model(service).operation_model(other)
    if target.input_shape is None or len(target.input_shape.required_members) == 0:
        return None
    given: dict[str, Given] = {}
    for name in target.input_shape.required_members:
        source = _identifier(model, name, target.input_shape.members[name], noun)
        if source is None:
            return None
        given[name] = source
    if not any(item.kind == "output" for item in given.values()):
        return None
    return Undo(service=service, operation=other, input=given, how="derived")


def _may_exist(model: OperationModel, noun: list[str]) -> bool:
    """Tell whether a call may answer for a thing that was there before it."""
    names = {folded((*noun, tail)) for tail in ("name", "id", "arn")} | {folded(noun), ("name",)}
    members = model.input_shape.members if model.input_shape else {}
    if any(folded(words_of(name)) in names for name in members):
        return True
    return not any(is_token(member) for member in members.values())


def _identifier(model: OperationModel, name: str, shape: Shape, noun: list[str]) -> Given | None:
    if shape.type_name != "string":
        return None
    members = model.input_shape.members if model.input_shape else {}
    if name in members:
        required = name in model.input_shape.required_members
        return Given(kind="input", path=name) if required else None
    output = model.output_shape
    if folded(words_of(name)) == folded((*noun, "id")) and name in output.members:
        return Given(kind="output", path=name)
    below = [
        f"{outer}.{name}"
        for outer, inner in output.members.items()
        if inner.type_name == "structure"
        and name in inner.members
        and folded(words_of(outer)) == folded(noun)
    ]
    return Given(kind="output", path=below[0]) if len(below) == 1 else None
