"""The control port of a capability. Spec: `exposes` of type `control`."""

from __future__ import annotations

from dataclasses import dataclass

from naftiko.document.nodes import Scalar
from naftiko.model.consumes import Authentication
from naftiko.source import Location


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExposesControl:
    """A port for operators. It needs no namespace, as nothing names it.

    `metrics` is where the file says that it wants metrics, None where they are there by default.
    """

    namespace: str
    port: Scalar | None
    location: Location
    address: Scalar | None = None
    description: str = ""
    authentication: Authentication | None = None
    health: bool = True
    info: bool = False
    measures: bool = True
    metrics: Location | None = None
