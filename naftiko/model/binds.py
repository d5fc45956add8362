"""Variables and where their values come from. Spec: `binds`."""

from __future__ import annotations

from dataclasses import dataclass

from naftiko.document.nodes import Scalar
from naftiko.source import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class BindKey:
    """One variable: `API_TOKEN: MY_TOKEN` reads `MY_TOKEN` from the source.

    `is_optional` where the source need not have a value: `default` holds then, None for none.
    `is_secret` where what the source holds is to be masked.
    """

    name: str
    source_key: str
    location: Location
    is_optional: bool = False
    default: str | None = None
    is_secret: bool = True
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A source of variables. Without `uri` it is the process environment.

    `uri` is the spec's `location` (or the shorthand `file`): `file:///./secrets.yaml`,
    `vault://secret/app`. `refresh` is how often it is read again while the capability serves: `5m`.
    """

    namespace: str
    keys: tuple[BindKey, ...]
    location: Location
    uri: Scalar | None = None
    description: str = ""
    refresh: Scalar | None = None
