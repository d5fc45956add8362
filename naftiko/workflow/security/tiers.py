"""What each tier allows. Spec: section 7, the first table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The limits of a tier; None: none. `guarded` levels need a rollback that covers the call."""

    levels: frozenset[str]
    guarded: frozenset[str] = frozenset()
    max_duration_s: int | None = None
    max_risk: float | None = None
    reads_secrets: bool = True
    allows_denied: bool = False
    wants_rollback: bool = True


READ_LEVELS = frozenset({"List", "Read"})
WRITE_LEVELS = READ_LEVELS | {"Write", "Tagging"}
ALL_LEVELS = WRITE_LEVELS | {"Permissions management"}

TIERS: Mapping[str, Tier] = {
    "community": Tier(
        levels=READ_LEVELS,
        max_duration_s=300,
        max_risk=3.0,
        reads_secrets=False,
        wants_rollback=False,
    ),
    "verified": Tier(
        levels=WRITE_LEVELS,
        guarded=frozenset({"Permissions management"}),
        max_duration_s=1_800,
        max_risk=7.0,
    ),
    "enterprise": Tier(levels=ALL_LEVELS, allows_denied=True),
}
