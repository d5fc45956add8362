"""From a name to a program that may run: found, verified, let through by the policy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
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
from naftiko.workflow.vm.program import Program

logger = logging.getLogger("naftiko")

MAX_PROGRAMS = 1_000
LOOK_S = 1.0


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

    def __post_init__(self) -> None:
        """Open the catalog.

        Raises: CatalogError.
        """
        self.catalog = Catalog.open(self.folders)

    def refresh(self) -> bool:
        """Read the catalog again if its files have changed; tell whether that was so.

        Where the new one is broken the old one stays, but for what has been revoked.
        """
        if self._has_looked() or not self.catalog.has_changed():
            return False
        self._trust.clear()
        try:
            self.catalog = Catalog.open(self.folders)
        except CatalogError as error:
            logger.warning("the workflow catalog is not read again: %s", error)
            return False
        return True

    def _has_looked(self) -> bool:
        """Tell whether the files have been looked at within the last second."""
        if self.clock is None:
            return False
        now = self.clock.monotonic()
        if self._looked is not None and now - self._looked < LOOK_S:
            return True
        self._looked = now
        return False

    def find(self, ref: str) -> Entry:
        """Return a workflow, of a name alone the newest version that is not revoked.

        Raises: Refused[UnknownWorkflow].
        """
        try:
            return self.catalog.find(ref, is_revoked=self.is_revoked)
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
        self._check_policy(verified)
        return Runnable(entry=entry, verified=verified, program=self._program(verified))

    def entry_of(self, checksum: str) -> Entry | None:
        """Return the entry whose plan has a checksum."""
        for entry in self.catalog.entries:
            with suppress(IntegrityError):
                if entry.plan is not None and self.catalog.plan(entry)["checksum"] == checksum:
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
