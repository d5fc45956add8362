"""Entries that an adapter finds while it serves, one for each item of a list. Spec: own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.source import Location

if TYPE_CHECKING:
    from naftiko.model.exposes import ExposedOperation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Enrichment:
    """What is asked for each item: steps, so many items at a time, again after `refresh`."""

    operation: ExposedOperation
    location: Location
    parallel: Scalar | None = None
    refresh: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Report:
    """A warning about what was found: once where `when` holds, or for each entry of a list."""

    message: Scalar | None
    location: Location
    when: Scalar | None = None
    for_each: Node | None = None
    as_: str = "entry"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DiscoveredEntry:
    """The tool or route of one item.

    Its own texts are templates: `name`, `label`, `description`, `input_schema`, `output_schema`,
    `hints`. `operation` holds what they share with other tools: call, steps, content and so on.
    `method` and `path` are those of a route.
    """

    operation: ExposedOperation
    location: Location
    name: Scalar | None = None
    label: Scalar | None = None
    description: Scalar | None = None
    input_schema: Node | None = None
    output_schema: Node | None = None
    hints: Mapping | None = None
    method: Scalar | None = None
    path: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Discovery:
    """One entry of `discover`.

    `operation` holds the `call` or `steps` that list; `items` is where the list stands in what they
    give. `from_` takes the items of another entry of the file instead. `misspelt` is a member that
    looks like `filter` or `select`, and is none.
    """

    name: str
    location: Location
    operation: ExposedOperation
    entry: DiscoveredEntry | None
    as_: str = "item"
    as_at: Location | None = None
    from_: Scalar | None = None
    items: Scalar | None = None
    key: Scalar | None = None
    filter_: Scalar | None = None
    select: Scalar | None = None
    enrich: Enrichment | None = None
    refresh: Scalar | None = None
    wait: Scalar | None = None
    max_items: Scalar | None = None
    always_listed: bool = False
    reports: tuple[Report, ...] = ()
    misspelt: Scalar | None = None
