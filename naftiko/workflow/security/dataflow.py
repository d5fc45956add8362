"""Follows secrets into outputs (WF403) and parameters into policies and code (WF412)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow.security.calls import Call, Operation, Tree, children, flat, references

Place = Callable[[str, "str | None"], Location]

_CODE_MEMBER = re.compile(
    r"(?i).*(policy|policydocument|policytext|policybody|userdata|templatebody|templateurl"
    r"|definition|definitionbody|commands?|querystring|query|sqls?|statements?|script|buildspec"
    r"|buildspecoverride|zipfile|code|entrypoint|expression|document|documentcontent"
    r"|filterexpression|mappingtemplate)"
)
_SECRET_PART = re.compile(
    r"(?i).*(secret|password|token|credential|plaintext|private|value|binary|material|key"
    r"|parameter|string|data|document|url).*"
)
_HARMLESS_PART = re.compile(r"(?i).*(arn|id|name|names|version|type|date|count|expiration|policy)")


def check_flow(
    ops: Sequence[Operation],
    outputs: Mapping[str, Tree],
    parameters: Iterable[JsonObject],
    calls: Iterable[Call],
    place: Place,
    problems: Problems,
) -> None:
    """Report WF403 for secrets that are shown and WF412 for free text in policies and code."""
    calls = list(calls)
    _check_secrets(ops, outputs, place, problems)
    free = {str(row["name"]) for row in parameters if _is_free(row)}
    sources = _parameter_sources(ops)
    for call in calls:
        for member, tree in call.members.items():
            for name in sorted(_in_code(member, tree, call, sources) & free):
                problems.error(
                    "WF412",
                    f"parameter `{name}` goes into `{member}` of `{call.service}:{call.operation}` "
                    "as it is given, and that member is read as policy or code",
                    place(call.step_id, member),
                    f"give `{name}` a `pattern` or an `enum`",
                )


def _is_free(parameter: Mapping[str, Any]) -> bool:
    """Tell whether a caller may put any text into a parameter."""
    if parameter.get("enum") or parameter["type"] in {"integer", "number", "boolean"}:
        return False
    if parameter["type"] == "array" and parameter.get("items") in {"integer", "number", "boolean"}:
        return False
    return not parameter.get("pattern")


def _parameter_sources(ops: Iterable[Operation]) -> dict[tuple[str, str], set[str]]:
    """Return which parameters are in a value of SET, FILTER, or in the items of a loop."""
    found: dict[tuple[str, str], set[str]] = {}
    items: dict[str, set[str]] = {}
    for op in flat(ops):
        step_id = str(op["step_id"])
        inherited = items.get(step_id, set())
        for name, tree in op.get("values", {}).items():
            found[step_id, name] = _parameters(tree, found, inherited)
        if op["op"] == "FILTER":
            found[step_id, "items"] = _parameters(op["from"], found, inherited)
        if op["op"] == "FOR_EACH":
            source = _parameters(op["over"], found, inherited)
            items.update({str(inner["step_id"]): source for inner in op["body"]})
        found[step_id, "item"] = items.get(step_id, set())
    return found


def _parameters(
    tree: Tree, sources: Mapping[tuple[str, str], set[str]], item: set[str]
) -> set[str]:
    found: set[str] = set()
    for path in references(tree):
        if path[0] == "params":
            found.add(str(path[1]))
        elif path[0] == "item":
            found |= item
        elif path[0] == "steps" and len(path) > 2:
            found |= sources.get((str(path[1]), str(path[2])), set())
    return found


def _in_code(
    member: str, tree: Tree, call: Call, sources: Mapping[tuple[str, str], set[str]]
) -> set[str]:
    """Return the parameters that stand in a policy or in code, however deep."""
    item = sources.get((call.step_id, "item"), set())
    if _CODE_MEMBER.fullmatch(member):
        return _parameters(tree, sources, item)
    found: set[str] = set()
    for name, inner in tree.get("obj", {}).items():
        found |= _in_code(name, inner, call, sources)
    if "obj" not in tree:
        for inner in children(tree):
            found |= _in_code("", inner, call, sources)
    return found


def _check_secrets(
    ops: Sequence[Operation], outputs: Mapping[str, Tree], place: Place, problems: Problems
) -> None:
    """A secret may go from a call into another, never to where somebody sees it."""
    secrets: set[tuple[str, str]] = set()
    for op in flat(ops):
        step_id = str(op["step_id"])
        for name in _selected_secrets(op):
            secrets.add((step_id, name))
            if not name.startswith("output."):
                _report_secret(f"output `{name}`", place(step_id, None), problems)
        for name, tree in _shown(op):
            if _secrets_in(tree, secrets):
                _report_secret(f"`{name}`", place(step_id, None), problems)
    # Declared ones have been reported where they were selected.
    hidden = {secret for secret in secrets if secret[1].startswith("output.")}
    for name, tree in outputs.items():
        for step_id, _ in sorted(_secrets_in(tree, hidden))[:1]:
            _report_secret(f"`outputs.{name}`", place(step_id, None), problems)


def _selected_secrets(op: Operation) -> list[str]:
    """Return the outputs of an operation that hold a secret's value."""
    call = op["call"] if op["op"] == "POLL" else op
    if not call.get("secret_read"):
        return []
    return [name for name, path in call.get("select", {}).items() if _is_secret(name, path, call)]


def _shown(op: Operation) -> Iterator[tuple[str, Tree]]:
    """Yield what an operation makes of values that anybody sees."""
    yield from op.get("values", {}).items()
    if op["op"] == "ASSERT":
        yield "message", op["message"]
    if op["op"] == "FILTER":
        yield "from", op["from"]


def _report_secret(where: str, at: Location, problems: Problems) -> None:
    problems.error(
        "WF403",
        f"{where} shows the value of a secret",
        at,
        "pass it on as `${steps.<id>.output...}` in the input of the call that needs it",
    )


def _is_secret(name: str, path: str, call: Mapping[str, Any]) -> bool:
    if name in call.get("sensitive", {}).get("output", ()):
        return True
    last = path.rpartition(".")[2]
    is_whole = call.get("output_schema", {}).get(path) in {"map", "list", "opaque"}
    is_harmless = bool(_HARMLESS_PART.fullmatch(last)) and not is_whole
    return not is_harmless and (is_whole or bool(_SECRET_PART.fullmatch(last)))


def _secrets_in(tree: Tree, secrets: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {
        (str(path[1]), str(path[2]))
        for path in references(tree)
        if path[0] == "steps" and len(path) > 2
    } & secrets
