"""How the effect of a mutating call can be watched. Spec: section 3, rule 4.

A row says it, or botocore's waiters do: the operation they poll on one status path, if it takes the
identifier that the mutating call was given or gives back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from naftiko.awsapi.catalog import kebab_case, service_model, waiters
from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.resolution.paths import find_shape, parse_path, path_text
from naftiko.workflow.resolution.rows import Given, Observer
from naftiko.workflow.resolution.undo import is_single
from naftiko.workflow.resolution.words import folded, singular, snake, words_of

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

_PATH = re.compile(r"[A-Za-z]+(?:\[\])?(?:\.[A-Za-z]+(?:\[\])?)*")
_REACHED = frozenset(
    [
        "create",
        "copy",
        "restore",
        "run",
        "start",
        "modify",
        "update",
        "reboot",
        "import",
        "register",
        "put",
        "resume",
        "attach",
        "associate",
        "build",
        "promote",
    ]
)
_GONE = {
    "delete": ("deleted", "terminated"),
    "terminate": ("terminated", "deleted"),
    "stop": ("stopped",),
    "detach": ("available", "detached"),
}
_NOT_REACHED = ("deleted", "terminated", "stopped", "notexists", "deregistered", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiter:
    name: str
    operation: str
    path: str
    success: tuple[str, ...]
    failure: tuple[str, ...]


def find_observer(
    data: ResolutionData,
    service: str,
    operation: str,
    given: Mapping[str, JsonObject] | None = None,
) -> Observer | None:
    """Return how to watch what a call with these input trees does, None where that is not clear.

    Without `given`: what could watch some call of the operation.
    """
    found = observers(data, service, operation, given)
    return found[0] if len(found) == 1 else None


def require_observer(
    data: ResolutionData,
    service: str,
    operation: str,
    location: Location,
    problems: Problems,
    given: Mapping[str, JsonObject] | None = None,
) -> Observer | None:
    """Return how to watch what a call does; None, with a WF306, where that is not clear."""
    found = observers(data, service, operation, given)
    if len(found) == 1:
        return found[0]
    action = kebab_case(operation)
    if found:
        shown = ", ".join(f"`{kebab_case(item.operation)}`" for item in found)
        message = f"what `{action}` does can be watched in {len(found)} ways: {shown}"
    else:
        message = f"nothing says how to watch what `{action}` does"
    problems.error("WF306", message, location, "give the poll a `context` and `select`")
    return None


def observers(
    data: ResolutionData,
    service: str,
    operation: str,
    given: Mapping[str, JsonObject] | None = None,
) -> tuple[Observer, ...]:
    """Return the ways to watch what a call does: one if it is clear, several, or none."""
    rows = data.service(service)
    row = rows.observe.get(operation)
    ways = (row,) if row is not None else _derived(service, operation, rows.noise)
    if given is None:
        return ways
    return tuple(_fitted(way, given) for way in ways if _fits(way, given))


def _fits(way: Observer, given: Mapping[str, JsonObject]) -> bool:
    return all(is_single(given.get(name, {})) for name in way.single) and all(
        source.kind != "input" or source.optional or source.path in given
        for source in way.input.values()
    )


def _fitted(way: Observer, given: Mapping[str, JsonObject]) -> Observer:
    kept = {
        name: source
        for name, source in way.input.items()
        if not source.optional or source.path in given
    }
    return replace(way, input=kept)


@lru_cache(maxsize=512)
def _derived(service: str, operation: str, noise: frozenset[str]) -> tuple[Observer, ...]:
    model = service_model(service).operation_model(operation)
    verb, *noun = words_of(operation)
    wanted = folded(noun, noise)
    found: dict[tuple[str, str], list[_Waiter]] = {}
    for waiter in _waiters(service):
        if folded(words_of(waiter.operation)[1:], noise) == wanted:
            found.setdefault((waiter.operation, waiter.path), []).append(waiter)
    out = []
    for (name, path), several in sorted(found.items()):
        given = _identifiers(model, service_model(service).operation_model(name))
        if given:
            out.append(_observer(service, name, path, given, several, verb, noun, noise))
    return tuple(out)


def _observer(
    service: str,
    operation: str,
    path: str,
    given: Mapping[str, Given],
    waiters: list[_Waiter],
    verb: str,
    noun: list[str],
    noise: frozenset[str],
) -> Observer:
    names = variable_names(noun, path, noise)
    chosen = _goal(waiters, verb)
    model = service_model(service).operation_model(operation)
    return Observer(
        service=service,
        operation=operation,
        input=given,
        variables=dict.fromkeys(names, path),
        created=_created(model.output_shape, path),
        until=_condition(names[0], chosen.success) if chosen is not None else None,
        fail_when=_condition(names[0], chosen.failure) if chosen is not None else None,
        single=tuple(
            item.path
            for name, item in given.items()
            if item.kind == "input" and not item.as_list and _is_list(model, name)
        ),
        how="derived",
    )


def _is_list(model: OperationModel, member: str) -> bool:
    return model.input_shape is not None and bool(
        model.input_shape.members[member].type_name == "list"
    )


def variable_names(noun: list[str], path: str, noise: frozenset[str]) -> tuple[str, ...]:
    """Return what conditions call a status: "DBSnapshots[0].Status" -> snapshot_status, status."""
    names = [part for part in parse_path(path) or () if isinstance(part, str)]
    leaf = snake(names[-1])
    if leaf in {"name", "code"} and len(names) > 1:
        leaf = snake(names[-2])  # State.Name
    short = leaf.rpartition("_")[2]
    kept = [singular(word) for word in noun if word not in noise] or noun
    long = "_".join([*kept, short])
    return tuple(dict.fromkeys((long, leaf, short)))


def _goal(waiters: list[_Waiter], verb: str) -> _Waiter | None:
    """Return the waiter for what a verb leads to, None where that is not clear."""
    if verb in _REACHED:
        fit = [item for item in waiters if not item.name.lower().endswith(_NOT_REACHED)]
    else:
        fit = [item for item in waiters if item.name.lower().endswith(_GONE.get(verb, ("?",)))]
    same = {item.success for item in fit}
    return sorted(fit, key=lambda item: item.name)[0] if len(same) == 1 else None


def _condition(name: str, values: tuple[str, ...]) -> str | None:
    if not values:
        return None
    if len(values) == 1:
        return f"{name} == '{values[0]}'"
    return f"{name} in [" + ", ".join(f"'{value}'" for value in values) + "]"


def _created(output: Shape | None, path: str) -> str | None:
    """Return the path of the one time of creation that stands beside a status."""
    parts = list(parse_path(path) or ())
    while parts:
        parts.pop()
        shape = find_shape(output, path_text(parts)) if parts else output
        if shape is None or shape.type_name != "structure":
            continue
        times = [
            name
            for name, member in shape.members.items()
            if member.type_name == "timestamp"
            and {"create", "created", "creation", "launch"} & set(words_of(name))
        ]
        return path_text([*parts, times[0]]) if len(times) == 1 else None
    return None


def _identifiers(source: OperationModel, target: OperationModel) -> dict[str, Given]:
    """Return where the identifier that the observing operation takes comes from.

    A required member must have a source; else the one optional member that has one is taken.
    """
    if target.input_shape is None:
        return {}
    found = {}
    for name, shape in target.input_shape.members.items():
        given = _source(source, name, shape)
        if given is not None:
            found[name] = given
    required = set(target.input_shape.required_members)
    if required:
        return {name: found[name] for name in sorted(required)} if required <= set(found) else {}
    own = {name: item for name, item in found.items() if _names_noun(source, name)}
    return own if len(own) == 1 else {}


def _names_noun(source: OperationModel, member: str) -> bool:
    """Tell whether a member identifies what an operation is about: DBSnapshotIdentifier."""
    noun = folded(words_of(source.name)[1:])
    words = folded(words_of(member))
    return (
        words in {tuple(sorted((*noun, tail))) for tail in ("id", "name", "arn")} or words == noun
    )


def _source(source: OperationModel, name: str, shape: Shape) -> Given | None:
    as_list = shape.type_name == "list"
    wanted = shape.member if as_list else shape
    if wanted.type_name != "string":
        return None
    single = singular_member(name) if as_list else name
    members = source.input_shape.members if source.input_shape else {}
    for candidate in (name, single):
        member = members.get(candidate)
        if member is not None and (
            member.type_name == shape.type_name or (as_list and member.type_name == "string")
        ):
            as_one = as_list and member.type_name == "string"
            if candidate in source.input_shape.required_members:
                return Given(kind="input", path=candidate, as_list=as_one)
    path = _in_output(source.output_shape, single)
    return Given(kind="output", path=path, as_list=as_list) if path else None


def singular_member(name: str) -> str:
    """Return the name of one element: "InstanceIds" -> InstanceId."""
    return name[:-1] if name.endswith(("Ids", "Arns", "Names", "ARNs")) else name


def _in_output(output: Shape | None, name: str) -> str:
    """Return the path of a member of that name at the top of an answer or one structure below."""
    if output is None:
        return ""
    if name in output.members:
        return name if output.members[name].type_name == "string" else ""
    below = [
        f"{outer}.{name}"
        for outer, shape in output.members.items()
        if shape.type_name == "structure"
        and name in shape.members
        and shape.members[name].type_name == "string"
    ]
    return below[0] if len(below) == 1 else ""


@lru_cache(maxsize=64)
def _waiters(service: str) -> tuple[_Waiter, ...]:
    """Return botocore's waiters that compare one path with texts."""
    model = service_model(service)
    found = (_waiter(name, config) for name, config in sorted(waiters(service).items()))
    return tuple(
        item
        for item in found
        if item is not None
        and item.operation in model.operation_names
        and _is_text(find_shape(model.operation_model(item.operation).output_shape, item.path))
    )


def _is_text(shape: Shape | None) -> bool:
    return shape is not None and bool(shape.type_name == "string")


def _waiter(name: str, config: Mapping[str, object]) -> _Waiter | None:
    acceptors = config.get("acceptors")
    paths: set[str] = set()
    values: dict[str, list[str]] = {"success": [], "failure": []}
    for acceptor in acceptors if isinstance(acceptors, list) else ():
        argument, expected = acceptor.get("argument"), acceptor.get("expected")
        if acceptor["matcher"] not in {"path", "pathAll", "pathAny"}:
            continue
        if not isinstance(argument, str) or not _PATH.fullmatch(argument):
            continue
        if isinstance(expected, str) and acceptor["state"] in values:
            paths.add(argument.replace("[]", "[0]"))
            values[acceptor["state"]].append(expected)
    if len(paths) != 1 or not values["success"]:
        return None
    return _Waiter(
        name=name,
        operation=str(config["operation"]),
        path=paths.pop(),
        success=tuple(dict.fromkeys(values["success"])),
        failure=tuple(dict.fromkeys(values["failure"])),
    )
