"""Which approvals a tier asks for. Spec: section 12, "Thresholds"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from naftiko.values import JsonObject
from naftiko.workflow.contribution.findings import Finding
from naftiko.workflow.contribution.layout import Home
from naftiko.workflow.contribution.people import is_same, name_of
from naftiko.workflow.contribution.refused import Refused
from naftiko.workflow.contribution.reviews import AUDITOR, DOCUMENTS, Review, Reviews
from naftiko.workflow.plan.canonical import digest
from naftiko.workflow.plan.walk import objects

ROLES = {
    "community": ("community_reviewer", 2),
    "verified": ("labs_reviewer", 1),
    "enterprise": ("labs_reviewer", 1),
}
_TITLES = {"full_audit": "full audit", "penetration_test": "penetration test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the reviews are. `missing` is for people: "1 of 2 community_reviewer"."""

    approvals: tuple[Review, ...]
    missing: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def is_met(self) -> bool:
        """Tell whether nothing is missing, and nobody stands in the way."""
        return not self.missing


def weigh(home: Home, tier: str, reviews: Reviews, report: JsonObject) -> Standing:
    """Return how far the reviews of a submission are, for its tier."""
    role, wanted = ROLES[tier]
    found = reviews.approving(role)
    audits: tuple[Review, ...] = ()
    lacks: list[tuple[str, str]] = []
    if len(found) < wanted:
        lacks.append(("WF960", f"{len(found)} of {wanted} {role}"))
    if tier == "verified" and not _has_passed(report, "security_scan"):
        lacks.append(("WF967", "security_scan has not passed"))
    if tier == "enterprise":
        audits = tuple(one for one in reviews.approving(AUDITOR) if _is_independent(one, found))
        lacks += _unaudited(home, audits)
    against = (f"`{one.statement['reviewer']}`: {one.decision}" for one in reviews.standing)
    findings = (Finding(code=code, message=text, path="reviews") for code, text in lacks)
    return Standing(
        approvals=(*found, *audits),
        missing=(*(text for _, text in lacks), *against),
        findings=(*reviews.findings, *findings),
    )


def _unaudited(home: Home, audits: Sequence[Review]) -> Iterator[tuple[str, str]]:
    """Yield (code, text) of what audits do not give."""
    for name in DOCUMENTS:
        if not any(_has_document(home, one, name) for one in audits):
            yield "WF961", f"no {_TITLES[name]} of an auditor"
    if not any(one.plan_signature for one in audits):
        yield "WF961", "no auditor's signature of the plan"


def _has_passed(report: JsonObject, gate: str) -> bool:
    return any(one["gate"] == gate and one["passed"] is True for one in objects(report["gates"]))


def _is_independent(auditor: Review, labs: tuple[Review, ...]) -> bool:
    """Tell whether an auditor is none of those who have reviewed it, under another key."""
    name = name_of(auditor.key.key_id)
    return not any(
        one.key.public_key == auditor.key.public_key or is_same(name_of(one.key.key_id), name)
        for one in labs
    )


def _has_document(home: Home, review: Review, name: str) -> bool:
    """Tell whether the document that an auditor has signed lies here, byte for byte."""
    wanted = review.document(name)
    try:
        data = home.audit(wanted)
    except Refused:
        return False
    return data is not None and bool(data) and digest(data) == wanted
