"""What a test makes before, and texts that read what AWS answered to it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.document.scalars import shorten
from naftiko.errors import Problems, did_you_mean
from naftiko.source import Location
from naftiko.workflow.source.schema import (
    ACTION,
    IDENTIFIER,
    SERVICE,
    Section,
    kind_of,
)
from naftiko.workflow.testing.cases import Given, Reply

_GIVEN_FIELDS = ("id", "service", "action", "input")
REFERENCE = re.compile(
    r"(?<!\$)\$\{given\.(?P<id>[a-z][a-z0-9_]*)"
    r"(?P<path>(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[[0-9]{1,4}\])*)\}"
)
"""What `given` answered; `$${` is a literal `${`."""
_ANY_REFERENCE = re.compile(r"(?<!\$)\$\{[^}]*\}?")


def section_of(node: Node, what: str, problems: Problems) -> Section | None:
    """Return a mapping's reader; report anything else."""
    if isinstance(node, Mapping):
        return Section(node, what, problems)
    problems.error("WF203", f"{what} is {kind_of(node)} where a mapping is expected", node.location)
    return None


# What was made before


def read_given(section: Section) -> Iterator[Given]:
    """Yield the calls of `given`."""
    listed = section.sequence("given")
    ids: dict[str, Location] = {}
    for node in listed or ():
        item = section_of(node, "a call of `given`", section.problems)
        if item is None:
            continue
        found = _one_given(item, set(ids))
        if found is None:
            continue
        key = item.node.get("id")
        if isinstance(key, Scalar) and found.id:
            if found.id in ids:
                item.twice(f"`{found.id}` stands twice in `given`", key, ids[found.id])
            ids.setdefault(found.id, key.location)
        yield found


def _one_given(item: Section, ids: set[str]) -> Given | None:
    from naftiko.awsapi import catalog

    item.refuse_unknown(_GIVEN_FIELDS)
    name = item.text("id", IDENTIFIER)
    service = item.text("service", SERVICE, required=True)
    action = item.text("action", ACTION, required=True)
    members = item.mapping("input")
    if members is not None:
        check_references(members, ids, item.problems)
    if service is None or action is None:
        return None
    service_name = catalog.find_service(service.text)
    if service_name is None:
        hint = did_you_mean(service.text, catalog.known_names())
        message = f"AWS has no service `{shorten(service.text)}`"
        item.problems.error("WF300", message, service.location, hint)
        return None
    operation = catalog.find_operation(service_name, action.text.replace("_", "-"))
    if operation is None:
        message = f"`{service_name}` has no operation `{shorten(action.text)}`"
        hint = did_you_mean(action.text.replace("_", "-"), catalog.operation_names(service_name))
        item.problems.error("WF301", message, action.location, hint)
        return None
    if members is not None:
        shape = catalog.service_model(service_name).operation_model(operation).input_shape
        _check_members(members, shape, f"{operation}", item.problems)
    return Given(
        id=name.text if name is not None else "",
        service=service_name,
        operation=operation,
        members=members.plain() if members is not None else {},  # type: ignore[arg-type]  # a mapping
        location=action.location,
    )


def _check_members(node: Node, shape: object, what: str, problems: Problems) -> None:
    """Report members that a shape does not have: AWS would never say so for a stubbed answer."""
    type_name = getattr(shape, "type_name", None)
    if isinstance(node, Mapping) and (shape is None or type_name == "structure"):
        members = getattr(shape, "members", {})
        if getattr(shape, "is_document_type", False):
            return
        for key, value in node.entries:
            inner = members.get(key.text)
            if inner is None:
                hint = did_you_mean(key.text, members)
                message = f"`{what}` has no member `{shorten(key.text)}`"
                problems.error("WF303", message, key.location, hint)
            else:
                _check_members(value, inner, f"{what}.{key.text}", problems)
    elif isinstance(node, Mapping) and type_name == "map":
        for key, value in node.entries:
            _check_members(value, shape.value, f"{what}.{key.text}", problems)  # type: ignore[attr-defined]  # by its kind
    elif isinstance(node, Sequence) and type_name == "list":
        for item in node:
            _check_members(item, shape.member, f"{what}[]", problems)  # type: ignore[attr-defined]  # by its kind


def check_output(reply: Reply, service: str, operation: str, problems: Problems) -> None:
    """Report members of a stubbed answer that the operation does not answer with."""
    from naftiko.awsapi import catalog

    if reply.output_node is not None:
        shape = catalog.service_model(service).operation_model(operation).output_shape
        _check_members(reply.output_node, shape, operation, problems)


def check_references(node: Node, ids: set[str], problems: Problems) -> None:
    """Report texts that read what no call of `given` answers."""
    for scalar in _scalars(node):
        if not isinstance(scalar.value, str) or "${" not in scalar.text:
            continue
        for match in _ANY_REFERENCE.finditer(scalar.text):
            place = scalar.at(match.start(), len(match[0]))
            reference = REFERENCE.match(scalar.text, match.start())
            if reference is None:
                problems.error(
                    "WF310",
                    f"`{shorten(match[0])}` is nothing a test can read",
                    place,
                    "it reads what `given` made: ${given.<id>.<path of the answer>}",
                )
            elif reference["id"] not in ids:
                problems.error(
                    "WF321",
                    f"no call of `given` has the id `{reference['id']}`",
                    place,
                    did_you_mean(reference["id"], ids) if ids else "add `id` to the call",
                )


def _scalars(node: Node) -> Iterator[Scalar]:
    match node:
        case Scalar():
            yield node
        case Mapping():
            for _, value in node.entries:
                yield from _scalars(value)
        case Sequence():
            for item in node:
                yield from _scalars(item)
