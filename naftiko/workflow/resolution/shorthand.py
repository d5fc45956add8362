"""A phrase -> a call or a poll: `create RDS snapshot for instance`. Spec: section 3, rule 3."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from naftiko.awsapi.catalog import find_service, kebab_case
from naftiko.document.nodes import Scalar
from naftiko.errors import Problems
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.resolution.members import match_member, parameter_name, required_members
from naftiko.workflow.resolution.operations import MAX_SHOWN, Found, match_operation
from naftiko.workflow.resolution.words import phrase_of

_WAIT = frozenset({"wait", "verify", "ensure", "confirm", "await"})
_DONE = frozenset(
    [
        "complete",
        "completed",
        "completes",
        "completion",
        "available",
        "ready",
        "finish",
        "finished",
        "finishes",
        "done",
    ]
)
_PARAMETER = re.compile(r"\bparams\.([a-z][a-z0-9_]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Where a required member of a call made from a phrase comes from.

    `kind` is `parameter` (a declared one: `parameter`), `default` (`template`, which is source text
    such as `${params.instance_id}-${timestamp()}`) or `implicit` (a required parameter to be
    declared, WF210). The value of the first and the last is `${params.<parameter>}`.
    """

    member: str
    kind: str
    parameter: str = ""
    template: str = ""

    @property
    def source(self) -> str:
        """The value in source form."""
        return self.template or f"${{params.{self.parameter}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a phrase means: a call (`found`, its `bindings`), or, `found` None, a poll.

    The poll watches the previous step's observer, until what `until` of the observer says.
    """

    found: Found | None = None
    bindings: tuple[Binding, ...] = ()

    @property
    def is_poll(self) -> bool:
        """Whether it waits for what the step before it does."""
        return self.found is None


def read_intent(
    data: ResolutionData, text: Scalar, parameters: Iterable[str], problems: Problems
) -> Intent | None:
    """Return what a phrase means; None where that is unknown or not clear.

    `parameters` are the names that the workflow declares. Reports WF300, WF301, WF302.
    """
    words = phrase_of(text.text)
    if len(words) > 1 and words[0] in _WAIT and words[-1] in _DONE:
        return Intent()
    hits = match_phrase(data, words)
    if len(hits) == 1:
        return Intent(found=hits[0], bindings=bind(data, hits[0], tuple(parameters)))
    if hits:
        shown = ", ".join(f"`{_shown(hit)}`" for hit in hits[:MAX_SHOWN])
        message = f"`{text.text}` can mean {len(hits)} actions: {shown}"
        problems.error("WF302", message, text.location, "write it as `context`")
    elif not services_in(words):
        message = f"`{text.text}` names no AWS service"
        problems.error("WF300", message, text.location, "name it, or write a `context`")
    else:
        message = f"`{text.text}` is no action that is known"
        hint = "write `<service> <verb> <noun>` as the API has it, or a `context`"
        problems.error("WF301", message, text.location, hint)
    return None


def match_phrase(data: ResolutionData, words: Sequence[str]) -> tuple[Found, ...]:
    """Return what the words of a phrase can mean. Reports nothing."""
    named = services_in(words)
    phrases = _by_rows(data, words, named)
    if phrases:
        return phrases
    found: dict[str, Found] = {}
    for service, rest in named:
        if len(rest) > 1:
            for hit in match_operation(data, service, "_".join(rest)):
                found[_shown(hit)] = hit
    return tuple(found.values())


def _by_rows(
    data: ResolutionData, words: Sequence[str], named: Sequence[tuple[str, tuple[str, ...]]]
) -> tuple[Found, ...]:
    """Return the hits among the phrase rows: of the services that are named, else of all."""
    tries = [*named, *((service, tuple(words)) for service, _ in named)]
    if not named:
        tries = [(service, tuple(words)) for service in data.services]
    found: dict[str, Found] = {}
    for service, rest in tries:
        row = data.service(service).intents.get(rest)
        hits = match_operation(data, service, row.target) if row is not None else ()
        for hit in hits:
            found[_shown(hit)] = Found(
                service=service, operation=hit.operation, recipe=hit.recipe, how="phrase"
            )
    return tuple(found.values())


def services_in(words: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each service that words name, with the other words.

    (create, rds, snapshot) -> ((rds, (create, snapshot)),); two words can be one name:
    (put, step, functions) -> stepfunctions.
    """
    found: dict[str, tuple[str, ...]] = {}
    index = 0
    while index < len(words):
        size, service = 2, find_service("-".join(words[index : index + 2]))
        if service is None or index + 1 >= len(words):
            size, service = 1, find_service(words[index])
        if service is not None:
            found[service] = (*words[:index], *words[index + size :])
        index += size if service is not None else 1
    return tuple(found.items())


def bind(data: ResolutionData, found: Found, parameters: Sequence[str]) -> tuple[Binding, ...]:
    """Return where the required members of a phrase's call come from, sorted by member."""
    if found.recipe is not None:
        return ()
    service, operation = found.service, found.operation
    rows = data.service(service).defaults
    defaults = {**rows.get("*", {}), **rows.get(operation, {})}
    declared = _declared(data, service, operation, parameters)
    bindings = []
    for member in required_members(service, operation):
        if member in declared:
            binding = Binding(member=member, kind="parameter", parameter=declared[member])
        elif member in defaults:
            template = _renamed(data, found, defaults[member].target, declared)
            binding = Binding(member=member, kind="default", template=template)
        else:
            name = parameter_name(data, service, operation, member)
            binding = Binding(member=member, kind="implicit", parameter=name)
        bindings.append(binding)
    return tuple(bindings)


def _declared(
    data: ResolutionData, service: str, operation: str, parameters: Sequence[str]
) -> dict[str, str]:
    """Return the parameter for each member: the one of its own name, else the one that means it."""
    found: dict[str, list[str]] = {}
    for name in parameters:
        hits = match_member(data, service, operation, name)
        if len(hits) == 1:
            found.setdefault(hits[0].name, []).append(name)
    out = {}
    for member, names in found.items():
        own = parameter_name(data, service, operation, member)
        if own in names or len(names) == 1:
            out[member] = own if own in names else names[0]
    return out


def _renamed(data: ResolutionData, found: Found, template: str, declared: dict[str, str]) -> str:
    """Return a template with the parameters' names that this workflow has for the members."""

    def rename(match: re.Match[str]) -> str:
        hits = match_member(data, found.service, found.operation, match[1])
        name = declared.get(hits[0].name, match[1]) if len(hits) == 1 else match[1]
        return f"params.{name}"

    return _PARAMETER.sub(rename, template)


def _shown(found: Found) -> str:
    name = found.recipe.name if found.recipe is not None else kebab_case(found.operation)
    return f"{found.service} {name}"
