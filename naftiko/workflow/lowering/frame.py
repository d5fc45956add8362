"""Where a step is being lowered: which workflow, under which prefix, with which parameters.

A nested workflow and a recipe are lowered in frames of their own, straight into the outer plan:
their parameters are the caller's trees, their ids get the caller's id as prefix (spec, section 4,
"Flattening").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.types import Type

Operation = JsonObject
"""One operation of a plan (docs/workflow-plan.md)."""


ASKING = frozenset({"AWS_CALL", "POLL", "FOR_EACH"})
"""The operations that AWS can refuse."""


@dataclass(slots=True, kw_only=True)
class Lowered:
    """A step that has become operations.

    `outputs` is what `${steps.id.name}` gives. `call` is the AWS_CALL, or the call of a POLL,
    whose answer `${steps.id.output.Path}` reaches into. `status_of` is the plan id whose status is
    the step's.
    """

    id: str
    location: Location
    operations: list[Operation] = field(default_factory=list)
    outputs: dict[str, Typed] = field(default_factory=dict)
    call: Operation | None = None
    call_id: str = ""
    status_of: str = ""
    may_be_skipped: bool = False
    parents: frozenset[str] = frozenset()
    """The ids of all steps it depends on, directly or not."""

    is_public: bool = False
    """Whether its outputs were declared, or are the default ones, and so are shown."""

    goes_on: bool = False
    """Whether others run once it has failed: `on_error: continue`."""

    @property
    def may_be_refused(self) -> bool:
        """Whether it is one operation that AWS can refuse, with a code."""
        kinds = [str(one["op"]) for one in self.operations if one["op"] != "CONDITION"]
        return len(kinds) == 1 and kinds[0] in ASKING


@dataclass(slots=True, kw_only=True)
class Frame:
    """One workflow, recipe or loop body that is being lowered.

    `arguments` None: parameters are the plan's own. `origin` is what `at` names. `steps` are those
    lowered so far; `outer` is looked into after them (a loop body sees the steps before its loop).
    """

    origin: str
    prefix: str = ""
    guard: str | None = None
    arguments: Mapping[str, Typed] | None = None
    item: Type | None = None
    variables: Mapping[str, Type] = field(default_factory=dict)
    steps: dict[str, Lowered] = field(default_factory=dict)
    reachable: frozenset[str] = frozenset()
    outer: Frame | None = None
    in_loop: bool = False
    is_recipe: bool = False
    in_rollback: bool = False
    later: set[str] = field(default_factory=set)
    """The ids of steps that have not been lowered yet."""

    failed: set[str] = field(default_factory=set)
    """The ids of steps with problems, which have been reported."""

    _ids: dict[str, str] = field(default_factory=dict)

    def plan_id(self, id_: str) -> str:
        """Return the id of a step in the plan: `backup__create`, in a recipe `clean__2`."""
        if id_ not in self._ids:
            own = str(len(self._ids) + 1) if self.is_recipe else id_
            self._ids[id_] = f"{self.prefix}{own}"
        return self._ids[id_]

    def find(self, id_: str) -> tuple[Lowered, bool] | None:
        """Return a step and whether it is an ancestor; None where there is none of that id."""
        found = self.steps.get(id_)
        if found is not None:
            return found, id_ in self.reachable
        return self.outer.find(id_) if self.outer is not None else None

    def has_failed(self, id_: str) -> bool:
        """Tell whether a step in sight could not be lowered."""
        if id_ in self.failed:
            return True
        return self.outer is not None and self.outer.has_failed(id_)

    def ids(self) -> list[str]:
        """Return the ids of all steps in sight."""
        return [*self.steps, *(self.outer.ids() if self.outer is not None else ())]
