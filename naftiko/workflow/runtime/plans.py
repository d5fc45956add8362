"""From a name to a program that may run: found, verified, let through by the policy."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from naftiko.values import JsonObject
from naftiko.workflow.catalog import Catalog, CatalogError, Entry, UnknownWorkflow
from naftiko.workflow.plan.drift import check_drift_once
from naftiko.workflow.plan.integrity import Verified, verify
from naftiko.workflow.plan.refused import IntegrityError, PlanDrift
from naftiko.workflow.plan.trust import TrustStore
from naftiko.workflow.ports import Clock
from naftiko.workflow.runtime.policy import Policy, Refused
from naftiko.workflow.security.claims import check_claims_once
from naftiko.workflow.view import visible
from naftiko.workflow.vm.program import Program

logger = logging.getLogger("naftiko")

MAX_PROGRAMS = 1_000
LOOK_S = 1.0
STANDING_S = 60.0
"""For how long it is known of a plan that does not change whether it may run: keys end in time."""

_LOOK_SHARE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Runnable:
    """A workflow that has passed every gate that needs no network."""

    entry: Entry
    verified: Verified
    program: Program

    @property
    def plan(self) -> JsonObject:
        """The plan document."""
        return self.verified.plan

    @property
    def metadata(self) -> JsonObject:
        """Its metadata."""
        found = self.plan["metadata"]
        assert isinstance(found, dict)  # it has been verified
        return found

    @property
    def is_cached(self) -> bool:
        """Whether its results may be given to others who ask for the same."""
        return self.metadata["cache"] is True and self.metadata["read_only"] is True


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether a workflow may run here, as far as that needs no network.

    `verified` is its plan, None of one that is not to be believed; `refused` says why it may not
    run, a plan that is to be believed perhaps for its tier or its risk.
    """

    entry: Entry
    verified: Verified | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    mark: tuple[int, int, int]
    trust_stamp: str
    until: datetime
    standing: Standing


@dataclass(slots=True, kw_only=True)
class Plans:
    """The plans of a catalog, read anew when its files change. `root` pins the trust data.

    With a `clock` new files are looked for at most every second; plans and trust data that have
    changed are seen at once in any case.
    """

    folders: Sequence[Path]
    policy: Policy
    root: str | None = None
    is_loopback: bool = False
    clock: Clock | None = None
    catalog: Catalog = field(init=False)
    _programs: dict[str, Program] = field(default_factory=dict)
    _trust: dict[Path, TrustStore] = field(default_factory=dict)
    _serials: dict[Path, int] = field(default_factory=dict)
    _trust_stamp: str = ""
    _looked: float | None = None
    _look_took: float = 0.0
    _standings: dict[Path, _Kept] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Open the catalog.

        Raises: CatalogError.
        """
        self.catalog = Catalog.open(self.folders)

    def refresh(self) -> bool:
        """Read the catalog again if its files have changed; tell whether that was so.

        Where the new one is broken the old one stays, but for what has been revoked.
        """
        if self._has_looked() or not self._has_changed():
            return False
        self._trust.clear()
        try:
            self.catalog = Catalog.open(self.folders)
        except CatalogError as error:
            logger.warning("the workflow catalog is not read again: %s", error)
            return False
        return True

    async def looked(self) -> None:
        """Look for new files if it is time to, in a thread: there may be thousands of them."""
        if self.clock is not None and not self._is_fresh(self.clock.monotonic()):
            await asyncio.to_thread(self.refresh)

    def _has_looked(self) -> bool:
        """Tell whether the files have been looked at lately."""
        if self.clock is None:
            return False
        now = self.clock.monotonic()
        if self._is_fresh(now):
            return True
        self._looked = now
        return False

    def _is_fresh(self, now: float) -> bool:
        # Where a look takes long it is taken less often, and never costs more than a small part.
        patience = max(LOOK_S, _LOOK_SHARE * self._look_took)
        return self._looked is not None and now - self._looked < patience

    def _has_changed(self) -> bool:
        before = self.clock.monotonic() if self.clock is not None else 0.0
        try:
            return self.catalog.has_changed()
        finally:
            self._look_took = self.clock.monotonic() - before if self.clock is not None else 0.0

    def find(self, ref: str) -> Entry:
        """Return a workflow, of a name alone the newest version that is not revoked.

        Raises: Refused[UnknownWorkflow].
        """
        try:
            return self.catalog.find(
                ref, is_revoked=self.is_revoked, is_deprecated=self.is_deprecated
            )
        except UnknownWorkflow as error:
            self._looked = None
            if self.clock is not None and self.refresh():
                return self.find(ref)
            raise Refused("UnknownWorkflow", str(error), near=error.near) from None

    def is_revoked(self, entry: Entry) -> bool:
        """Tell whether the plan of an entry has been revoked."""
        if entry.plan is None:
            return False
        try:
            plan = self.catalog.plan(entry)
            return self._trust_of(entry).is_revoked(str(plan["checksum"]))
        except IntegrityError:
            return False  # running it says what is wrong

    def is_deprecated(self, entry: Entry) -> bool:
        """Tell whether another version of a workflow is to be preferred."""
        return self.deprecation(entry) is not None

    def deprecation(self, entry: Entry) -> str | None:
        """Return why a version should not be chosen any more; None where it may be."""
        if entry.plan is None:
            return None
        try:
            plan = self.catalog.plan(entry)
            found = self._trust_of(entry).deprecation(str(plan["checksum"]))
        except IntegrityError:
            return None  # running it says what is wrong
        return found.reason if found is not None else None

    def advice(self, entry: Entry) -> list[str]:
        """Return what is told of a workflow that runs though another is better."""
        reason = self.deprecation(entry)
        return [] if reason is None else [f"`{entry.ref}` is deprecated: {visible(reason)}"]

    def is_revoked_checksum(self, entry: Entry, checksum: str) -> bool:
        """Tell whether a checksum has been revoked meanwhile, or may have been.

        Trust data that does not hold together vouches for nothing.
        """
        self.refresh()
        try:
            return self._trust_of(entry).is_revoked(checksum)
        except IntegrityError as error:
            logger.warning("the trust data of the workflow catalog is not valid: %s", error)
            return True

    def runnable(self, ref: str, now: datetime) -> Runnable:
        """Return a workflow that may run.

        Raises: Refused[UnknownWorkflow, IntegrityError, PlanDrift, TierDenied].
        """
        self.refresh()
        entry = self.find(ref)
        verified = self._verified(entry, now)
        self._check_policy(verified)
        return Runnable(entry=entry, verified=verified, program=self._program(verified))

    def _verified(self, entry: Entry, now: datetime) -> Verified:
        """Return a plan that is to be believed.

        Raises: Refused[IntegrityError, PlanDrift].
        """
        try:
            plan = self.catalog.plan(entry)
            verified = verify(
                plan,
                self._trust_of(entry),
                now=now,
                dev=self.policy.dev,
                endpoint_is_loopback=self.is_loopback,
            )
            check_drift_once(plan)
            check_claims_once(plan)
        except PlanDrift as error:
            raise Refused("PlanDrift", str(error)) from None
        except IntegrityError as error:
            raise Refused("IntegrityError", str(error)) from None
        return verified

    def standings(self, entries: Iterable[Entry], now: datetime) -> list[Standing]:
        """Tell of workflows whether they may run: to be shown, for what runs is verified again.

        What is known of a plan is kept for a minute, as long as neither it nor trust data change.
        """
        stamp = self.catalog.trust_stamp()
        return [self._standing(entry, now, stamp) for entry in entries]

    def _standing(self, entry: Entry, now: datetime, stamp: str) -> Standing:
        if entry.plan is None:
            return Standing(
                entry=entry, refused=Refused("IntegrityError", "it has not been compiled")
            )
        try:
            mark = entry.plan_mark()
            kept = self._standings.get(entry.plan)
            if (
                kept is not None
                and (kept.mark, kept.trust_stamp) == (mark, stamp)
                and kept.standing.entry == entry
                and now < kept.until
            ):
                return kept.standing
            standing = self._stands(entry, now)
        except CatalogError as error:
            return Standing(entry=entry, refused=Refused("IntegrityError", error.message))
        if len(self._standings) >= MAX_PROGRAMS:
            self._standings.clear()
        until = now + timedelta(seconds=STANDING_S)
        self._standings[entry.plan] = _Kept(mark, stamp, until, standing)
        return standing

    def _stands(self, entry: Entry, now: datetime) -> Standing:
        try:
            verified = self._verified(entry, now)
        except Refused as refused:
            return Standing(entry=entry, refused=refused)
        try:
            self._check_policy(verified)
        except Refused as refused:
            return Standing(entry=entry, verified=verified, refused=refused)
        return Standing(entry=entry, verified=verified)

    def newest(self, name: str) -> Entry | None:
        """Return the newest compiled version of a workflow, which `find` would take.

        The only one is returned in any case: its standing says what is wrong with it.
        """
        versions = [one for one in self.catalog.versions(name) if one.plan is not None]
        if len(versions) == 1:
            return versions[0]
        return self.preferred(versions)

    def preferred(self, versions: Sequence[Entry]) -> Entry | None:
        """Return the newest that is not revoked, a deprecated one only where there is no other.

        It goes by what plans say their checksums are: nobody has verified those.
        """
        left = [one for one in reversed(versions) if not self.is_revoked_quickly(one)]
        good = (one for one in left if not self._is_deprecated_quickly(one))
        return next(good, left[0] if left else None)

    def is_revoked_quickly(self, entry: Entry) -> bool:
        """Tell whether the checksum that a plan says it has is revoked; nobody has verified it."""
        try:
            return self._trust_of(entry).is_revoked(self.catalog.checksum_of(entry))
        except (IntegrityError, CatalogError):
            return False

    def _is_deprecated_quickly(self, entry: Entry) -> bool:
        try:
            return self._trust_of(entry).deprecation(self.catalog.checksum_of(entry)) is not None
        except (IntegrityError, CatalogError):
            return False

    def entry_of(self, checksum: str) -> Entry | None:
        """Return the entry whose plan has a checksum."""
        for entry in self.catalog.entries:
            with suppress(IntegrityError, CatalogError):
                if (
                    entry.plan is not None
                    and self.catalog.checksum_of(entry) == checksum
                    and self.catalog.plan(entry)["checksum"] == checksum
                ):
                    return entry
        return None

    def program(self, checksum: str) -> Program | None:
        """Return the program of a plan of the catalog, None where it is no longer there."""
        found = self._programs.get(checksum)
        if found is not None:
            return found
        entry = self.entry_of(checksum)
        return Program.load(self.catalog.plan(entry)) if entry is not None else None

    def _check_policy(self, verified: Verified) -> None:
        policy, metadata = self.policy, verified.plan["metadata"]
        assert isinstance(metadata, dict)  # it has been verified
        if verified.tier not in policy.tiers_enabled:
            raise Refused(
                "TierDenied",
                f"workflows of tier {verified.tier} are not enabled here",
                tier=verified.tier,
                enabled=policy.tiers_enabled,
            )
        risk = metadata["risk_score"]
        if isinstance(risk, int | float) and risk > policy.risk_ceiling:
            raise Refused(
                "TierDenied",
                f"its risk {risk:g} is above the ceiling of {policy.risk_ceiling:g} here",
                risk_score=risk,
                risk_ceiling=policy.risk_ceiling,
            )

    def _program(self, verified: Verified) -> Program:
        found = self._programs.get(verified.checksum)
        if found is None:
            if len(self._programs) >= MAX_PROGRAMS:
                self._programs.clear()
            found = self._programs[verified.checksum] = Program.load(verified.plan)
        return found

    def _trust_of(self, entry: Entry) -> TrustStore:
        stamp = self.catalog.trust_stamp()
        if stamp != self._trust_stamp:
            self._trust.clear()
            self._trust_stamp = stamp
        found = self._trust.get(entry.catalog)
        if found is None:
            found = self.catalog.trust(entry, root=self.root)
            if found.serial < self._serials.get(entry.catalog, 0):
                # Old data, once signed, know nothing of what has been revoked since.
                raise IntegrityError("the trust data are older than those that were here before")
            self._serials[entry.catalog] = found.serial
            self._trust[entry.catalog] = found
        return found
