"""Which resources the calls of a plan touch, as far as it says so: `permission_resources`.

A template is text, with `*` for what only a run knows:
"arn:${partition}:rds:${region}:${account_id}:db:${params.instance_id}". An action without templates
may touch anything of its service.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import Principal
from naftiko.workflow.security.calls import Call, Tree
from naftiko.workflow.security.iam import ROLE_PASSING, IamData

_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_.]*)\}")
_UNSAFE = re.compile(r"[*?$\s\x00-\x1f]")
_CONTEXT = {"Partition": "${partition}", "Region": "${region}", "Account": "${account_id}"}
_ROLE = re.compile(r"(?i).*role(arn)?")

MAX_VALUES = 50
"""A list parameter that names more things is not spelt out."""


def permission_resources(calls: Iterable[Call], data: IamData) -> dict[str, list[str]]:
    """Return the templates of the actions whose resources are known from the plan alone."""
    found: dict[str, set[str] | None] = {}
    for call in calls:
        actions = data.actions_of(call.service, call.operation, call.members)
        for action in actions.required if actions else ():
            templates = _templates(action, call, data)
            known = found.setdefault(action, set())
            found[action] = None if known is None or templates is None else known | templates
    return {action: sorted(known) for action, known in sorted(found.items()) if known}


def fill(template: str, parameters: JsonObject, principal: Principal) -> list[str]:
    """Return the ARNs that a template gives for these parameters; `*` stays where nothing is known.

    A parameter that is an ARN itself stands for the whole; one with wildcards counts as unknown.
    """
    context = {
        "partition": principal.partition,
        "region": principal.region,
        "account_id": principal.account_id,
    }
    arns = [template]
    for name in dict.fromkeys(_VARIABLE.findall(template)):
        if name in context:
            values = [context[name]]
        else:
            values = _values(parameters.get(name.removeprefix("params.")))
        arns = [_put(arn, name, value) for arn in arns for value in values]
    return list(dict.fromkeys(arns))


def _put(arn: str, name: str, value: str) -> str:
    if value.startswith("arn:"):
        return value
    return arn.replace(f"${{{name}}}", value)


def _values(value: JsonValue) -> list[str]:
    items = value if isinstance(value, list) else [value]
    if not items or len(items) > MAX_VALUES:
        return ["*"]
    return [
        str(item)
        if isinstance(item, str | int) and not isinstance(item, bool) and _is_plain(str(item))
        else "*"
        for item in items
    ]


def _is_plain(text: str) -> bool:
    return bool(text) and not _UNSAFE.search(text)


def _templates(action: str, call: Call, data: IamData) -> set[str] | None:
    """Return the templates of an action for one call; None if it may touch anything."""
    if action == ROLE_PASSING:
        texts = {_text(tree) for name, tree in call.members.items() if _ROLE.fullmatch(name)}
        return texts if texts and all(_is_parameter(text) for text in texts) else None
    table = data.members_of(action)
    found: set[str] = set()
    is_known = False
    for kind, arn in data.resources_of(action).items():
        text = _named(arn, table.get(kind, {}), call)
        is_known = is_known or text is not None
        found.add(text or _open(arn))
    return found if is_known else None


def _named(arn: str, variables: Mapping[str, tuple[str, ...]], call: Call) -> str | None:
    """Return an ARN format with what the call's members say; None if they say nothing of it."""
    whole = _member(variables.get("", ()), call)
    if whole is not None:
        text = _text(whole)
        return text if text.startswith("arn:") or _is_parameter(text) else None
    values = {name: _member(members, call) for name, members in variables.items() if name}
    if all(value is None for value in values.values()):
        return None
    region = call.call.get("region")

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name == "Region" and region is not None:
            return _text(region)
        if name in _CONTEXT:
            return _CONTEXT[name]
        tree = values.get(name)
        return _text(tree) if tree is not None else "*"

    return _VARIABLE.sub(value, arn)


def _open(arn: str) -> str:
    """Return an ARN format for anything of its type, in any account: what is shared counts too."""
    return _VARIABLE.sub("*", arn.replace("${Partition}", "\0")).replace("\0", "${partition}")


def _member(names: Iterable[str], call: Call) -> Tree | None:
    return next((call.members[name] for name in names if name in call.members), None)


def _text(tree: Tree) -> str:
    """Return a tree as a part of a template: constants and parameters, `*` for all else."""
    if "cat" in tree:
        return re.sub(r"\*+", "*", "".join(_text(part) for part in tree["cat"]))
    if "list" in tree and len(tree["list"]) == 1:
        return _text(tree["list"][0])
    if "lit" in tree:
        literal = str(tree["lit"])
        return literal if isinstance(tree["lit"], str | int) and _is_plain(literal) else "*"
    path = tree.get("ref", ())
    if len(path) == 2 and path[0] == "params":
        return f"${{params.{path[1]}}}"
    return "*"


def _is_parameter(text: str) -> bool:
    match = _VARIABLE.fullmatch(text)
    return match is not None and match[1].startswith("params.")


def parameters_in(templates: Iterable[str]) -> Iterator[str]:
    """Yield the names of the parameters that templates hold."""
    for template in templates:
        for name in _VARIABLE.findall(template):
            if name.startswith("params."):
                yield name.removeprefix("params.")
