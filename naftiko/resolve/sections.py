"""The four sections whose entries may stand in other files, and what differs between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from naftiko.document.nodes import Document
from naftiko.errors import Problems
from naftiko.model.aggregates import Aggregate
from naftiko.model.binds import Bind
from naftiko.model.build import build_aggregated, build_binds, build_consumed, build_exposed
from naftiko.model.consumes import (
    ConsumedAwsOperation,
    Consumes,
    ConsumesAws,
    ConsumesHttp,
    Import,
)
from naftiko.model.control import ExposesControl
from naftiko.model.exposes import Exposes, UnknownExposes

Entry: TypeAlias = Consumes | Exposes | Aggregate | Bind
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Section:
    """One section. `without` says what a missing file means, `twice` what a repeated namespace.

    `must_be_found` makes a failed import an error: without a bind, its variables would be taken
    for inputs that callers give.
    """

    name: str
    verb: str
    holds_nothing: str
    without: str
    build: Callable[[Document, Problems], tuple[Entry | Import, ...]]
    twice: str = "stands there twice"
    must_be_found: bool = False

    def part(self, entry: Entry, name: str) -> Entry | None:
        """Return the entry with that one operation only, None where it has none of that name."""
        match entry:
            case ConsumesHttp():
                return _http_part(entry, name)
            case ConsumesAws():
                return _aws_part(entry, name)
            case Aggregate():
                kept = tuple(item for item in entry.functions if item.name == name)
                return replace(entry, functions=kept) if kept else None
            case _:
                return None

    def parts(self, entries: Sequence[Entry]) -> list[str]:
        """Return the addresses of the operations that may be imported one by one."""
        return [
            f"{entry.namespace}.{name}" for entry in entries for name in _operation_names(entry)
        ]


CONSUMES = Section(
    name="consumes",
    verb="consumes",
    holds_nothing="consumes nothing",
    without="calls to what it defines are not served",
    build=build_consumed,
    twice="is consumed twice, so that calls to it are ambiguous",
)
EXPOSES = Section(
    name="exposes",
    verb="exposes",
    holds_nothing="exposes nothing",
    without="what it exposes is not served",
    build=build_exposed,
)
AGGREGATES = Section(
    name="aggregates",
    verb="aggregates",
    holds_nothing="has no aggregates",
    without="what refers to its functions is not served",
    build=build_aggregated,
    twice="is that of two aggregates, so that a `ref` to it is ambiguous",
)
BINDS = Section(
    name="binds",
    verb="binds",
    holds_nothing="binds nothing",
    without="its variables would have no value",
    build=build_binds,
    must_be_found=True,
)


def name_of(entry: Entry) -> str:
    """Return what `import` calls an entry: its namespace; its type where it has none: `control`."""
    if not entry.namespace and isinstance(entry, ExposesControl):
        return "control"
    if not entry.namespace and isinstance(entry, UnknownExposes):
        return entry.type_
    return entry.namespace


def renamed(entry: Entry, namespace: str) -> Entry:
    """Return the entry under another namespace."""
    return replace(entry, namespace=namespace)


def join_parts(entries: Sequence[Entry]) -> list[Entry]:
    """Join operations of one entry that are imported one by one under one namespace."""
    found: dict[tuple[str, object, str], Entry] = {}
    for entry in entries:
        key = (type(entry).__name__, entry.location, entry.namespace)
        earlier = found.get(key)
        found[key] = entry if earlier is None else _joined(earlier, entry)
    return list(found.values())


def _joined(one: Entry, other: Entry) -> Entry:
    match one, other:
        case ConsumesHttp(), ConsumesHttp():
            return replace(one, resources=_added(one.resources, other.resources))
        case ConsumesAws(), ConsumesAws():
            whole = not one.operations or not other.operations
            operations = () if whole else _added(one.operations, other.operations)
            return replace(one, operations=operations)
        case Aggregate(), Aggregate():
            return replace(one, functions=_added(one.functions, other.functions))
        case _:
            return one


def _added(one: tuple[Item, ...], other: tuple[Item, ...]) -> tuple[Item, ...]:
    return (*one, *(item for item in other if item not in one))


def _http_part(entry: ConsumesHttp, name: str) -> ConsumesHttp | None:
    kept = tuple(
        replace(resource, operations=tuple(one for one in resource.operations if one.name == name))
        for resource in entry.resources
        if any(one.name == name for one in resource.operations)
    )
    return replace(entry, resources=kept) if kept else None


def _aws_part(entry: ConsumesAws, name: str) -> ConsumesAws | None:
    """Without `operations` every operation of the API has its own name."""
    if not entry.operations:
        operation = ConsumedAwsOperation(name=name, location=entry.location)
        return replace(entry, operations=(operation,))
    kept = tuple(item for item in entry.operations if item.name == name)
    return replace(entry, operations=kept) if kept else None


def _operation_names(entry: Entry) -> list[str]:
    match entry:
        case ConsumesHttp():
            return [item.name for resource in entry.resources for item in resource.operations]
        case ConsumesAws():
            return [item.name for item in entry.operations]
        case Aggregate():
            return [item.name for item in entry.functions]
        case _:
            return []
