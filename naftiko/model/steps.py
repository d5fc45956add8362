"""Steps of an orchestrated operation, as written. Spec: `steps`, `mappings`."""

from __future__ import annotations

from dataclasses import dataclass

from naftiko.document.nodes import Node, Scalar
from naftiko.model.fields import Fields
from naftiko.source import Location


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Step:
    """One step: `fields` holds its members as written, which its kind reads.

    `type_` is call, lookup, script (the specification's) or one of this engine's own: if, switch,
    forEach, parallel, while, until, set, fail, try, ask, progress, log, wait.
    """

    name: str
    type_: str
    fields: Fields
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class OutputMapping:
    """One entry of `mappings`: `value` (JSONPath or template) goes to `target` (dots nest)."""

    target: Scalar
    value: Node
    location: Location
