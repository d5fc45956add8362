"""The root of a capability and what it says about itself. Spec: root object, `info`."""

from __future__ import annotations

from dataclasses import dataclass

from naftiko.document.nodes import Document, Mapping
from naftiko.model.binds import Bind
from naftiko.model.consumes import Consumes, Import
from naftiko.model.exposes import Exposes
from naftiko.source import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What a capability says about itself. `label` is `display` in the ikanos generation."""

    label: str = ""
    description: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One capability file: what it binds, consumes and exposes, in the file's own order."""

    document: Document
    generation: str
    spec_version: str
    info: Info
    binds: tuple[Bind, ...]
    consumes: tuple[Consumes | Import, ...]
    exposes: tuple[Exposes, ...]
    location: Location
    extensions: Mapping | None = None
