"""The root of a capability and what it says about itself. Spec: root object, `info`."""

from __future__ import annotations

from dataclasses import dataclass

from naftiko.document.nodes import Document, Mapping
from naftiko.model.aggregates import Aggregate
from naftiko.model.binds import Bind
from naftiko.model.consumes import Consumes, Import
from naftiko.model.exposes import Exposes
from naftiko.source import Location


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Stakeholder:
    """Who has to do with a capability: {role: owner, fullName: Ann Example, email: ...}."""

    role: str
    full_name: str
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Info:
    """What a capability says about itself. `label` is `display` in the ikanos generation.

    `created` and `modified` are days as written: "2026-05-02".
    """

    label: str = ""
    description: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    created: str = ""
    modified: str = ""
    stakeholders: tuple[Stakeholder, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Capability:
    """One capability file: what it binds, consumes and exposes, in the file's own order.

    `kind` is "capability"; for a file made to be imported, the one section that it holds:
    "consumes", "exposes", "aggregates", "binds".
    """

    document: Document
    generation: str
    spec_version: str
    info: Info
    binds: tuple[Bind | Import, ...]
    consumes: tuple[Consumes | Import, ...]
    exposes: tuple[Exposes | Import, ...]
    location: Location
    aggregates: tuple[Aggregate | Import, ...] = ()
    whole_files: tuple[Import, ...] = ()
    kind: str = "capability"
    extensions: Mapping | None = None
