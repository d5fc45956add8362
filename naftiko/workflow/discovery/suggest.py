"""A question in a person's words -> the workflows that answer it, and may be run. Spec: section 9.

Found by the index; then risk, tier, the newest version that is not revoked, permissions. What is
shown comes from plans that have been verified.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cachetools import TTLCache

from naftiko.search.ports import Hit
from naftiko.values import JsonObject
from naftiko.workflow.catalog import CatalogError, Entry
from naftiko.workflow.discovery.live import LiveIndex
from naftiko.workflow.discovery.permitted import Permitted
from naftiko.workflow.discovery.shelf import Said, said_of
from naftiko.workflow.discovery.stored import Loaded
from naftiko.workflow.plan.integrity import Verified
from naftiko.workflow.plan.walk import mapping
from naftiko.workflow.ports import Clock
from naftiko.workflow.runtime.plans import Plans, Standing
from naftiko.workflow.runtime.policy import Policy
from naftiko.workflow.security.permissions import PermissionResult

CANDIDATES = 200
MAX_QUERY = 500
MAX_RESULTS = 20
MAX_LOOKED_AT = 100
"""Workflows that are verified for one answer."""

UNTOLD = "it was found by an index that says something else of it than it does"
"""Stands for reasons that quote what was changed after a plan was signed, or before it was."""

CACHE_SIZE = 1_000
CACHE_S = 300.0

Executable = Literal[True, False, "unknown"]
Obstacle = Literal["risk", "tier", "permission"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is looked for. Workflows of more risk than `risk_threshold` are not wanted.

    `include_blocked` shows those as well that this server, or AWS, does not let run.
    """

    query: str
    max_results: int = 5
    risk_threshold: float = 5.0
    include_blocked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A workflow that answers. `blocked_by` says what keeps it from being run.

    `deprecated` says why another would be better, where there is none that is not deprecated.
    """

    hit: Hit
    entry: Entry
    plan: JsonObject
    executable: Executable
    missing: tuple[str, ...] = ()
    blocked_by: Obstacle | None = None
    deprecated: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """The answer. `filtered` counts what was found and is not shown, by what hides it."""

    found: tuple[Suggestion, ...]
    filtered: dict[Obstacle, int]
    digest: str
    lasts: bool = True


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Suggestions
    marks: tuple[object, ...]


class Suggester:
    """Answers questions about a catalog. `permitted` None: nobody is asked for permissions."""

    def __init__(
        self,
        plans: Plans,
        live: LiveIndex,
        clock: Clock,
        *,
        policy: Policy,
        permitted: Permitted | None,
    ) -> None:
        """Take the parts; nothing is read yet."""
        self.live = live
        self._plans = plans
        self._clock = clock
        self._policy = policy
        self._permitted = permitted
        self._cache: TTLCache[tuple[object, ...], _Kept] = TTLCache(
            CACHE_SIZE, CACHE_S, timer=clock.monotonic
        )

    def start(self) -> None:
        """Make the index in a moment, if nobody asks before."""
        self.live.start()

    async def close(self) -> None:
        """Stop what is under way."""
        await self.live.close()
        if self._permitted is not None:
            await self._permitted.close()

    async def suggest(self, wish: Wish) -> Suggestions:
        """Return the workflows that answer, the best first; none where nothing does."""
        loaded = await self.live.current()
        kept = self._cache.get(self._key(wish, loaded))
        if kept is not None and self._marks(kept.answer) == kept.marks:
            return kept.answer
        answer = await self._answer(wish, loaded)
        if answer.lasts:
            self._cache[self._key(wish, loaded)] = _Kept(answer, self._marks(answer))
        return answer

    def _key(self, wish: Wish, loaded: Loaded) -> tuple[object, ...]:
        whom = self._permitted.whom if self._permitted is not None else ""
        return (loaded.digest, loaded.shelf.digest, wish, whom)

    def _marks(self, answer: Suggestions) -> tuple[object, ...]:
        """Return what changes when a plan of an answer, or trust data, do: they are looked at."""
        catalog = self._plans.catalog
        try:
            plans = [one.entry.plan_mark() for one in answer.found]
        except CatalogError:
            return ()
        return (catalog.trust_stamp(), *plans)

    async def _answer(self, wish: Wish, loaded: Loaded) -> Suggestions:
        hits = await asyncio.to_thread(_search, loaded, wish)
        choice = _Choice(wish, self._policy)
        wanted = [hit for hit in hits if choice.is_wanted(hit, loaded)]
        size = 2 * wish.max_results
        for start in range(0, min(len(wanted), MAX_LOOKED_AT), size):
            batch = wanted[start : start + size]
            said = [loaded.shelf.said[hit.id] for hit in batch]
            permissions = await self._may_run(said)
            await asyncio.to_thread(self._take, choice, batch, said, permissions)
            if choice.is_full:
                break
        answer = choice.answer(loaded.digest)
        if all(one.hit.reasons for one in answer.found):
            return answer
        return await asyncio.to_thread(_explained, answer, loaded, wish)

    async def _may_run(self, said: Sequence[Said]) -> Sequence[PermissionResult]:
        if self._permitted is None:
            return [PermissionResult(status="off") for _ in said]
        return await self._permitted.of(said)

    def _take(
        self,
        choice: _Choice,
        hits: Sequence[Hit],
        said: Sequence[Said],
        permissions: Sequence[PermissionResult],
    ) -> None:
        """Verify what was found, one after the other, until there is enough of it."""
        now = self._clock.now()
        for hit, told, permission in zip(hits, said, permissions, strict=True):
            if choice.is_full:
                return
            if choice.is_denied(told, permission):
                continue
            entry = self._plans.newest(hit.id)
            if entry is None:
                continue
            (standing,) = self._plans.standings([entry], now)
            reason = self._plans.deprecation(entry) if standing.verified is not None else None
            if _says(standing, told):
                choice.take(hit, standing, permission, reason)
            else:
                # Found by what somebody wrote into the index: neither that nor what AWS was asked
                # because of it is told of a plan that says something else.
                choice.take(replace(hit, reasons=(UNTOLD,)), standing, None, reason)


def _says(standing: Standing, told: Said) -> bool:
    """Tell whether a verified plan says what the index has of it."""
    verified = standing.verified
    if verified is None or verified.checksum != told.checksum:
        return False
    return replace(said_of(told.entry, verified.plan), mark=told.mark) == told


def _search(loaded: Loaded, wish: Wish) -> list[Hit]:
    return loaded.index.search(wish.query, CANDIDATES, explained=2 * wish.max_results)


def _explained(answer: Suggestions, loaded: Loaded, wish: Wish) -> Suggestions:
    """Return an answer with reasons for what was far down, before others were left out."""
    whole = {hit.id: hit for hit in loaded.index.search(wish.query, CANDIDATES)}
    found = (
        one if one.hit.reasons else replace(one, hit=whole.get(one.hit.id, one.hit))
        for one in answer.found
    )
    return replace(answer, found=tuple(found))


class _Choice:
    """Takes what was found, one after the other, and counts what it leaves out."""

    def __init__(self, wish: Wish, policy: Policy) -> None:
        self._wish = wish
        self._policy = policy
        self._found: list[Suggestion] = []
        self._filtered: dict[Obstacle, int] = {"risk": 0, "tier": 0, "permission": 0}
        self._lasts = True

    @property
    def is_full(self) -> bool:
        return len(self._found) >= self._wish.max_results

    def is_wanted(self, hit: Hit, loaded: Loaded) -> bool:
        """Sort out by what plans say of themselves, before they are read."""
        said = loaded.shelf.said.get(hit.id)
        if said is None:
            return False
        obstacle = self._unwanted(said.risk) or self._barred(said.risk, said.entry.tier)
        return obstacle is None or not self._hides(obstacle, said.risk)

    def is_denied(self, said: Said, permission: PermissionResult) -> bool:
        """Sort out what AWS does not let the caller do."""
        executable, _ = _permission(permission)
        return executable is False and self._hides("permission", said.risk)

    def take(
        self,
        hit: Hit,
        standing: Standing,
        permission: PermissionResult | None,
        deprecated: str | None = None,
    ) -> None:
        """Take a workflow whose plan was verified; one that is not to be believed is left out."""
        verified = standing.verified
        if verified is None:
            return
        risk = _risk(verified)
        obstacle = self._unwanted(risk) or self._barred(risk, verified.tier)
        if obstacle is not None and self._hides(obstacle, risk):
            return
        executable, missing = _permission(permission)
        if obstacle is None and executable is False:
            obstacle = "permission"
        if permission is None or not permission.lasts:
            self._lasts = False
        self._found.append(
            Suggestion(
                hit=hit,
                entry=standing.entry,
                plan=verified.plan,
                executable=False if obstacle is not None else executable,
                missing=missing,
                blocked_by=obstacle,
                deprecated=deprecated,
            )
        )

    def answer(self, digest: str) -> Suggestions:
        """Return all of it."""
        return Suggestions(
            found=tuple(self._found),
            filtered=dict(self._filtered),
            digest=digest,
            lasts=self._lasts,
        )

    def _unwanted(self, risk: float) -> Obstacle | None:
        return "risk" if risk > self._wish.risk_threshold else None

    def _barred(self, risk: float, tier: str) -> Obstacle | None:
        """Tell what this server does not run."""
        if tier not in self._policy.tiers_enabled:
            return "tier"
        return "risk" if risk > self._policy.risk_ceiling else None

    def _hides(self, obstacle: Obstacle, risk: float) -> bool:
        """Count what is hidden. What is riskier than the caller wants is hidden in any case."""
        if self._wish.include_blocked and self._unwanted(risk) is None:
            return False
        self._filtered[obstacle] += 1
        return True


def _risk(verified: Verified) -> float:
    risk = mapping(verified.plan["metadata"])["risk_score"]
    assert isinstance(risk, int | float)  # it has been verified
    return risk


def _permission(result: PermissionResult | None) -> tuple[Executable, tuple[str, ...]]:
    """Return whether AWS lets it run, as far as is known, and what is missing for it."""
    if result is None or result.status in {"off", "unknown"}:
        return "unknown", ()
    if result.status == "allowed":
        return True, ()
    # Where the server only warns, it runs what AWS may well refuse.
    return ("unknown" if result.proceeds else False), result.missing
