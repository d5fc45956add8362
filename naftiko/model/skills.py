"""Skills that a capability exposes. Spec: `exposes` of type `skill`."""

from __future__ import annotations

from dataclasses import dataclass

from naftiko.document.nodes import Mapping, Scalar
from naftiko.model.consumes import Authentication
from naftiko.source import Location


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SkillTool:
    """A tool of a skill: `action` of the server `source`, or the file `instruction`."""

    name: str
    location: Location
    description: str = ""
    has_from: bool = False
    source: Scalar | None = None
    action: Scalar | None = None
    instruction: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Skill:
    """A skill. `folder` is its `location`; flags are None where the file does not say."""

    name: str
    location: Location
    description: str = ""
    license: str = ""
    compatibility: str = ""
    argument_hint: str = ""
    allowed_tools: str = ""
    user_invocable: bool | None = None
    disable_model_invocation: bool | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    folder: Scalar | None = None
    tools: tuple[SkillTool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExposesSkill:
    """A catalogue of skills on a port."""

    namespace: str
    port: Scalar | None
    location: Location
    address: Scalar | None = None
    description: str = ""
    authentication: Authentication | None = None
    cors: Mapping | None = None
    skills: tuple[Skill, ...] = ()
