"""An approved submission -> a version in the catalog. Spec: section 12, "publish".

The plan is compiled once more, and has to have the checksum that was reviewed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.catalog import PLAN, README, SOURCE, TESTS, Catalog
from naftiko.workflow.contribution.layout import AUDITS, REPORT, REVIEWS, Home
from naftiko.workflow.contribution.material import Workshop
from naftiko.workflow.contribution.placing import Placing, place
from naftiko.workflow.contribution.refused import Refused
from naftiko.workflow.contribution.reviews import DOCUMENTS, check_key
from naftiko.workflow.contribution.submissions import Submission
from naftiko.workflow.contribution.thresholds import Standing
from naftiko.workflow.plan.canonical import canonical, digest, file_bytes
from naftiko.workflow.plan.drift import check_drift
from naftiko.workflow.plan.integrity import verify
from naftiko.workflow.plan.signing import SigningKey, sign
from naftiko.workflow.plan.trust import TrustStore
from naftiko.workflow.plan.walk import objects
from naftiko.workflow.security.claims import check_claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was published, and where it lies."""

    name: str
    version: str
    tier: str
    checksum: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """An approved submission, counted just now."""

    submission: Submission
    standing: Standing
    trust: TrustStore
    now: datetime


def publish(made: Publication, shop: Workshop, key: SigningKey) -> Published:
    """Sign the plan and put the version into the catalog.

    Raises: Refused, IntegrityError.
    """
    placing = prepare(made, shop, key)
    place(placing)
    home, tier = made.submission.home, made.submission.tier
    assert made.submission.report is not None  # it was confirmed
    return Published(
        name=placing.target.parent.name,
        version=placing.target.name,
        tier=tier,
        checksum=str(made.submission.report["plan_checksum"]),
        folder=placing.target.relative_to(home.catalog),
    )


def prepare(made: Publication, shop: Workshop, key: SigningKey) -> Placing:
    """Return the version, complete and verified as it will be before it runs.

    Raises: Refused, IntegrityError.
    """
    submission = made.submission
    _check_publisher(made, key)
    plan = _signed(made, _recompiled(submission, shop), key)
    verify(plan, made.trust, now=made.now)
    check_drift(plan)
    check_claims(plan)
    assert submission.report is not None  # it was confirmed
    files = {
        SOURCE: submission.files.source,
        PLAN: canonical(plan) + b"\n",
        TESTS: submission.files.tests,
        README: submission.files.readme,
        REPORT: file_bytes(submission.report),
        **_evidence(submission.home, made.standing),
    }
    name, version, _ = submission.home.id.split("-")
    workflows = submission.home.catalog / "workflows"
    target = workflows / submission.tier / name / version
    for folder in (workflows, target.parent.parent, target.parent, target):
        if folder.is_symlink():
            raise Refused("WF965", f"`{folder.relative_to(submission.home.catalog)}` is a link")
    return Placing(
        target=target,
        files=files,
        submission=submission.home.path,
        replaces_draft=_is_draft(shop.catalog, name, version, target),
    )


def published(catalog: Catalog, home: Home, trust: TrustStore, now: datetime) -> Published:
    """Return what a submission has become: a version that may run.

    Raises: Refused, IntegrityError.
    """
    name, version, _ = home.id.split("-")
    entry = catalog.find(f"{name}@{version}")
    plan = catalog.plan(entry)
    verify(plan, trust, now=now)
    return Published(
        name=name,
        version=version,
        tier=entry.tier,
        checksum=str(plan["checksum"]),
        folder=entry.home.relative_to(entry.catalog),
    )


def _check_publisher(made: Publication, key: SigningKey) -> None:
    tier, trust = made.submission.tier, made.trust
    trusted = trust.publishers.get(key.key_id)
    if trusted is None or trusted.public_key != key.public_key:
        raise Refused("WF962", f"`{key.key_id}` is not trusted as a publisher here")
    if "publisher" not in trusted.roles or tier not in trusted.tiers:
        raise Refused(
            "WF962",
            f"`{key.key_id}` may not publish {tier} workflows",
            hint=f"it is trusted for: {', '.join(trusted.tiers) or 'no tier'}",
        )
    check_key(trusted, trust, made.now)


def _recompiled(submission: Submission, shop: Workshop) -> JsonObject:
    plan = shop.compile(submission.files.source).plan
    assert submission.report is not None  # it was confirmed
    approved = submission.report["plan_checksum"]
    if plan is None or plan["checksum"] != approved:
        raise Refused("WF951", f"the source does not compile to the plan `{approved}`")
    return plan


def _signed(made: Publication, plan: JsonObject, key: SigningKey) -> JsonObject:
    """Return the plan signed by its publisher and, for enterprise, the auditors."""
    signed = sign(plan, key, "publisher", made.submission.tier)
    own: list[JsonObject] = objects(signed["signatures"])
    taken = {(one["key_id"], one["role"]) for one in own}
    for review in made.standing.approvals:
        extra = review.plan_signature
        if extra is not None and (extra.get("key_id"), extra.get("role")) not in taken:
            own.append(extra)
    ordered = sorted(own, key=lambda one: (str(one.get("key_id")), str(one.get("role"))))
    together: list[JsonValue] = list(ordered)
    return {**signed, "signatures": together}


def _evidence(home: Home, standing: Standing) -> dict[str, bytes]:
    """Return the reviews that counted, and the documents of their audits."""
    found: dict[str, bytes] = {}
    for review in standing.approvals:
        found[f"{REVIEWS}/{review.file}"] = review.data
        for name in DOCUMENTS:
            sha256 = review.document(name)
            data = home.audit(sha256) if sha256 else None
            if data is not None and digest(data) == sha256:
                found[f"{AUDITS}/{sha256.removeprefix('sha256:')}"] = data
    return found


def _is_draft(catalog: Catalog, name: str, version: str, target: Path) -> bool:
    """Tell whether an unsigned source stands where the version goes.

    Raises: Refused: it stands elsewhere, where it would be a second one of that version.
    """
    for entry in catalog.versions(name):
        if entry.version != version:
            continue
        if entry.home.resolve() == target.resolve():
            return True
        raise Refused(
            "WF963",
            f"`{name}@{version}` also lies in `{entry.home.name}` of another place",
            hint=f"remove `{entry.source or entry.home}` first",
        )
    return False
