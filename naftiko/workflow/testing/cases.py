"""The tests of a workflow, as read. Spec: section 12."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from naftiko.document.nodes import Mapping
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A call that is made before. `operation` is the API's name."""

    id: str
    service: str
    operation: str
    members: JsonObject
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a call is answered, `times` times: one of an output, an error, a lost answer."""

    times: int = 1
    output: JsonObject | None = None
    output_node: Mapping | None = None
    kind: str = ""
    code: str = ""
    status: int = 0
    message: str = ""
    lost: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """What the calls of an operation are answered, in turn. `service` "": of whichever service."""

    service: str
    operation: str
    replies: tuple[Reply, ...]
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Something that has to be; `location` is where that is said."""

    value: JsonValue
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an execution has to come to; None and empty: no matter."""

    status: Wanted
    outputs: tuple[tuple[str, Wanted], ...] = ()
    calls: Wanted | None = None
    not_called: tuple[tuple[str, Location], ...] = ()
    error: tuple[tuple[str, Wanted], ...] = ()
    steps: tuple[tuple[str, str, Wanted], ...] = ()
    rollback: tuple[tuple[str, Wanted], ...] = ()
    warnings: Wanted | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test. `now` is a time, or how long after what was made before; None: no matter.

    `confirm` are the steps that are confirmed; None: all of them.
    """

    name: str
    location: Location
    given: tuple[Given, ...] = ()
    stubs: tuple[Stub, ...] = ()
    now: datetime | timedelta | None = None
    parameters: JsonObject = field(default_factory=dict)
    parameter_places: tuple[tuple[str, Location], ...] = ()
    mode: str = "full"
    confirm: tuple[str, ...] | None = ()
    confirm_location: Location | None = None
    expect: Expected
