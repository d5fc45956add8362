"""Plan operations -> the risk of a workflow, with every term that makes it up.

Spec: section 7, "Risk": min(10, max + a tenth of the sum of the others). Counted in hundredths, so
that every machine comes to the same number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from naftiko.values import JsonObject
from naftiko.workflow.security.calls import (
    Call,
    Operation,
    Origins,
    calls_of,
    identifiers,
    undone_steps,
)
from naftiko.workflow.security.iam import Actions, IamData

MAX_SCORE = 10

_LEVELS = {"List": 20, "Read": 40, "Tagging": 100, "Write": 200, "Permissions management": 500}
_DATA_READ = 150
_CREATE = 150
_RUNS_CODE = 250
_DESTROY = 300
_SECRET_READ = 400
_FAN_OUTS = ((10, 20), (50, 30), (200, 50))
_FAN_OUT_MORE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What one call adds: hundredths of a point."""

    step_id: str
    base: int
    add: tuple[tuple[str, int], ...] = ()

    @property
    def sum(self) -> int:
        """Base and additions."""
        return max(0, self.base + sum(points for _, points in self.add))

    def to_json(self) -> JsonObject:
        """Return it as a plan has it: {"step_id": "purge", "base": 3, "add": []}."""
        return {
            "step_id": self.step_id,
            "base": points(self.base),
            "add": [[reason, points(hundredths)] for reason, hundredths in self.add],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """The risk of a workflow: `score` from 0 to 10, and its terms, the worst first."""

    score: int | float
    terms: tuple[Term, ...]

    def to_json(self) -> list[JsonObject]:
        """Return what `metadata.risk` holds."""
        return [term.to_json() for term in self.terms]


def assess(ops: Sequence[Operation], rollback: Iterable[Mapping[str, Any]], data: IamData) -> Risk:
    """Return the risk of the operations of a plan; those that nobody knows count as writes."""
    origins = Origins.of(ops)
    undone = undone_steps(rollback, ops)
    terms = sorted(
        (_term(call, data, origins, undone) for call in calls_of(ops)),
        key=lambda term: -term.sum,
    )
    if not terms:
        return Risk(score=0, terms=())
    thousandths = terms[0].sum * 10 + sum(term.sum for term in terms[1:])
    tenths = min(MAX_SCORE * 10, (thousandths + 50) // 100)
    return Risk(score=points(tenths * 10), terms=tuple(terms))


def points(hundredths: int) -> int | float:
    """Return hundredths as a number that JSON shows shortest: 300 -> 3, 450 -> 4.5."""
    return hundredths // 100 if hundredths % 100 == 0 else hundredths / 100


def _term(call: Call, data: IamData, origins: Origins, undone: frozenset[str]) -> Term:
    actions = data.actions_of(call.service, call.operation, call.members) or Actions(level="Write")
    return Term(
        step_id=call.step_id,
        base=_base(call, actions),
        add=tuple(_additions(call, actions, origins, undone)),
    )


def _base(call: Call, actions: Actions) -> int:
    level = _LEVELS[actions.level]
    if actions.level == "Write" and call.is_create:
        level = _CREATE
    extra = (
        (actions.data_read, _DATA_READ),
        (actions.runs_code, _RUNS_CODE),
        (actions.destroys, _DESTROY),
        (actions.secret_read, _SECRET_READ),
    )
    return max(level, *(value for applies, value in extra if applies), 0)


def _additions(
    call: Call, actions: Actions, origins: Origins, undone: frozenset[str]
) -> Iterable[tuple[str, int]]:
    changes = not actions.is_read_only
    matters = changes or actions.secret_read or actions.data_read
    if actions.irreversible:
        yield "irreversible", 50
    targets = list(identifiers(call.members))
    if matters and any(origins.is_response(call.step_id, tree) for _, tree in targets):
        yield "target from response data", 50
    if call.cap is not None:
        yield _fan_out(call.cap)
    if actions.destroys_primary_data:
        yield "destroys primary data", 150
    if changes and not call.is_create and (not call.has_target or is_wide(call)):
        yield "account-wide or no identifier", 50
    if actions.passes_role:
        yield "passes a role", 50
    if changes and call.step_id in undone:
        yield "covered by rollback", -30


def _fan_out(cap: int) -> tuple[str, int]:
    for limit, hundredths in _FAN_OUTS:
        if cap <= limit:
            return f"fan-out <= {limit}", hundredths
    return f"fan-out > {_FAN_OUTS[-1][0]}", _FAN_OUT_MORE


def is_wide(call: Call) -> bool:
    """Tell whether an identifier is a constant that means everything: `*`, `all`, empty."""
    return any(wide_member(tree) for _, tree in identifiers(call.members))


def wide_member(tree: Mapping[str, Any]) -> bool:
    """Tell whether a tree is a constant with a wildcard, or holds one."""
    value = tree.get("lit")
    if "list" in tree:
        return any(wide_member(element) for element in tree["list"])
    if "cat" in tree:
        return any(isinstance(part.get("lit"), str) and "*" in part["lit"] for part in tree["cat"])
    values = value if isinstance(value, list) else [value]
    return any(
        isinstance(text, str) and ("*" in text or text.strip().lower() in {"", "all"})
        for text in values
    )
