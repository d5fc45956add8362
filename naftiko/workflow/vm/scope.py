"""What trees see: parameters, finished steps, registers, and the facts fixed at the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from uuid import NAMESPACE_URL, uuid5

from naftiko.values import MISSING, JsonObject, JsonValue, Missing
from naftiko.workflow.expressions import values as seen
from naftiko.workflow.expressions.values import Values
from naftiko.workflow.own_fields import ERROR_CODE, STATUS
from naftiko.workflow.ports import Principal
from naftiko.workflow.vm.program import Common
from naftiko.workflow.vm.records import Done

_NAMESPACE = uuid5(NAMESPACE_URL, "naftiko.workflow/1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What stays the same for the whole execution."""

    execution_id: str
    parameters: JsonObject
    now: datetime
    principal: Principal
    of_trees: seen.Facts = field(init=False)

    def __post_init__(self) -> None:
        """Make the facts that functions give."""
        found = seen.Facts(
            now=self.now,
            execution_id=self.execution_id,
            region=self.principal.region,
            account_id=self.principal.account_id,
            partition=self.principal.partition,
        )
        object.__setattr__(self, "of_trees", found)


def start_time(text: str) -> datetime:
    """Read the time of a start record."""
    return datetime.fromisoformat(text).astimezone(UTC)


class Frame:
    """The steps that can be seen from an operation: all, or those of one item of a loop."""

    __slots__ = ("_facts", "index", "item", "registers", "statuses", "steps", "unknown")

    def __init__(self, facts: Facts) -> None:
        """Start with nothing finished."""
        self._facts = facts
        self.steps: dict[str, JsonObject] = {}
        self.statuses: dict[str, str] = {}
        self.registers: dict[str, bool] = {}
        self.unknown: set[str] = set()
        self.item: JsonValue = None
        self.index: int | None = None

    def for_item(self, item: JsonValue, index: int) -> Frame:
        """Return the frame of an item: what is finished inside stays inside."""
        inner = Frame(self._facts)
        inner.steps = {**self.steps}
        inner.statuses = {**self.statuses}
        inner.registers = {**self.registers}
        inner.unknown = {*self.unknown}
        inner.item, inner.index = item, index
        return inner

    def settle(self, common: Common, done: Done) -> None:
        """Note what came of an operation."""
        self.statuses[common.step_id] = done.status
        fields: JsonObject = {STATUS: done.status, ERROR_CODE: done.error_code}
        own = {name: fields[name] for name in common.own}
        self.steps[common.step_id] = {**own, **done.outputs}

    def lacks(self, common: Common) -> str | None:
        """Return a step without outputs that the operation cannot do without."""
        for step_id in common.reads.needs:
            if self.statuses.get(step_id) in {"skipped", "failed"}:
                return step_id
        return None

    def uuid(self, step_id: str) -> str:
        """Return what `uuid()` is in an operation: the same whenever it is asked for."""
        item = "" if self.index is None else str(self.index)
        return str(uuid5(_NAMESPACE, f"{self._facts.execution_id}/{step_id}/{item}"))

    def values(
        self,
        step_id: str,
        *,
        item: JsonValue | Missing = MISSING,
        variables: JsonObject | None = None,
    ) -> Values:
        """Return what a tree of an operation may see."""
        return Values(
            facts=self._facts.of_trees,
            params=self._facts.parameters,
            steps=self.steps,
            item=self.item if isinstance(item, Missing) else item,
            vars=variables or {},
            uuid=partial(self.uuid, step_id),
        )
