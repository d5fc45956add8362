"""A submission as it lies there: its files, its state, and what it lacks.

The state is not recorded. It follows from the files, each time: a report or a review of other bytes
than those that are there counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from naftiko.errors import Problems
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ast import Workflow
from naftiko.workflow.catalog import README, SOURCE, TESTS, Catalog, Entry, UnknownWorkflow
from naftiko.workflow.contribution.findings import Finding
from naftiko.workflow.contribution.layout import (
    APPROVAL,
    AUDITS,
    LIMITS,
    REJECTION,
    REPORT,
    REVIEWS,
    SUBMISSION,
    Home,
    seal,
    submission_id,
)
from naftiko.workflow.contribution.material import Files
from naftiko.workflow.contribution.refused import Refused
from naftiko.workflow.contribution.report import digests, is_report, report_digest
from naftiko.workflow.contribution.reviews import Reviews, Subject, count_reviews
from naftiko.workflow.contribution.thresholds import Standing, weigh
from naftiko.workflow.plan.canonical import canonical, digest
from naftiko.workflow.plan.refused import IntegrityError
from naftiko.workflow.plan.signing import (
    ALGORITHM,
    SigningKey,
    is_signature_of,
    public_text,
    read_public_text,
)
from naftiko.workflow.plan.trust import TrustStore, parse_time
from naftiko.workflow.plan.walk import mapping, objects
from naftiko.workflow.source.parser import parse_workflow
from naftiko.workflow.times import time_text

FORMAT = "naftiko.submission/1"
_MEMBERS = frozenset(
    {
        *("format", "id", "name", "version", "tier", "author", "revision", "submitted_at"),
        *("source_sha256", "tests_sha256", "readme_sha256", "signature", "checksum"),
    }
)
_KNOWN = frozenset(
    {SUBMISSION, SOURCE, TESTS, README, REPORT, APPROVAL, REJECTION, REVIEWS, AUDITS}
)

SUBMITTED, CHECKED, IN_REVIEW, APPROVED = "submitted", "checked", "in_review", "approved"
PUBLISHED, REJECTED = "published", "rejected"
ALLOWED: dict[str, tuple[str, ...]] = {
    SUBMITTED: ("submit", "check", "reject"),
    CHECKED: ("submit", "check", "review", "reject"),
    IN_REVIEW: ("submit", "check", "review", "approve", "reject"),
    APPROVED: ("submit", "check", "review", "approve", "publish", "reject"),
    PUBLISHED: ("publish", "deprecate", "revoke"),
    REJECTED: ("submit",),
}
"""What may follow. After `submit` of other bytes all that was said before is void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A submission, read and compared with itself."""

    home: Home
    record: JsonObject
    files: Files
    workflow: Workflow
    report: JsonObject | None
    reviews: Reviews | None
    standing: Standing | None
    state: str
    stale: tuple[Finding, ...] = ()

    @property
    def tier(self) -> str:
        """The tier that it is meant for."""
        return self.workflow.metadata.tier

    @property
    def author_key(self) -> str:
        """The author's public key, "" where none was given."""
        return str(mapping(self.record.get("signature")).get("public_key") or "")

    @property
    def revision(self) -> int:
        """How often its files have changed, from 1: what was said of an earlier one is void."""
        revision = self.record["revision"]
        assert isinstance(revision, int)  # checked with the record
        return revision

    @property
    def missing(self) -> tuple[str, ...]:
        """What it still lacks, for people."""
        if self.state in {PUBLISHED, REJECTED}:
            return ()
        if self.report is None:
            return ("check",)
        if self.report["passed"] is not True:
            failed = [
                str(one["gate"]) for one in objects(self.report["gates"]) if not one["passed"]
            ]
            return (f"gates: {', '.join(failed)}",)
        if self.standing is not None and self.standing.missing:
            return self.standing.missing
        return ("publish",) if self.state == APPROVED else ("approve",)

    def require(self, step: str) -> None:
        """Check that a step may follow.

        Raises: Refused: says which may.
        """
        if step in ALLOWED[self.state]:
            return
        missing = f", which lacks: {'; '.join(self.missing)}" if self.missing else ""
        raise Refused(
            "WF964",
            f"`{self.home.id}` is {self.state}{missing}, and `{step}` does not follow",
            hint=f"what may follow: {', '.join(ALLOWED[self.state])}",
            findings=self.stale + (self.standing.findings if self.standing is not None else ()),
        )


def write_submission(
    home: Home, files: Files, workflow: Workflow, *, now: datetime, key: SigningKey | None
) -> JsonObject:
    """Write the files of a submission; its record comes last, and is what makes it one."""
    revision, since = _revision(home, files, now)
    record: JsonObject = {
        "format": FORMAT,
        "id": home.id,
        "name": workflow.name,
        "version": workflow.version,
        "tier": workflow.metadata.tier,
        "author": workflow.metadata.author,
        **digests(files),
        "revision": revision,
        "submitted_at": since,
    }
    record = seal({**record, "signature": _signature(record, key)})
    for name, data in files.named():
        home.write_bytes(name, data)
    home.write(SUBMISSION, record)
    for name in (REPORT, APPROVAL):
        home.drop(name)
    return record


def _revision(home: Home, files: Files, now: datetime) -> tuple[int, str]:
    """Return which revision it is, and since when; the same files again are the same revision."""
    try:
        earlier = home.sealed(SUBMISSION)
    except Refused:
        earlier = None  # it is about to be replaced
    if earlier is None or set(earlier) != _MEMBERS:
        return 1, time_text(now)
    if all(earlier[name] == value for name, value in digests(files).items()):
        return _number(earlier["revision"]), str(earlier["submitted_at"])
    return _number(earlier["revision"]) + 1, time_text(now)


def _number(value: JsonValue) -> int:
    return value if type(value) is int and 0 < value < 1_000_000 else 1


def _signed(record: JsonObject) -> bytes:
    content = {
        name: value for name, value in record.items() if name not in {"signature", "checksum"}
    }
    return f"{FORMAT}\n{digest(canonical(content))}".encode()


def _signature(record: JsonObject, key: SigningKey | None) -> JsonObject | None:
    if key is None:
        return None
    return {
        "key_id": key.key_id,
        "public_key": public_text(key.public_key),
        "alg": ALGORITHM,
        "sig": key.sign(_signed(record)),
    }


# Reading


def read_submission(home: Home, catalog: Catalog, trust: TrustStore, now: datetime) -> Submission:
    """Return a submission with its state. Nothing is compiled or run.

    Raises: Refused: there is none, or its record is not what its files say.
    """
    home.check()
    record = home.sealed(SUBMISSION)
    if record is None:
        raise Refused(
            "WF965",
            f"there is no submission `{home.id}`",
            hint="`naftiko workflow submissions` lists them",
        )
    files = _files(home)
    workflow = _workflow(files.source, home)
    _check_record(home, record, workflow)
    stale = tuple(_changed(record, digests(files), SUBMISSION))
    report, more = (None, ()) if stale else _report(home, record, files)
    stale += more
    reviews = standing = None
    if report is not None and report["passed"] is True:
        reviews = count_reviews(home, subject_of(home, record, report), trust, now)
        standing = weigh(home, workflow.metadata.tier, reviews, report)
    state = _state(home, catalog, files, report, standing)
    return Submission(
        home=home,
        record=record,
        files=files,
        workflow=workflow,
        report=report,
        reviews=reviews,
        standing=standing,
        state=state,
        stale=stale,
    )


def subject_of(home: Home, record: JsonObject, report: JsonObject) -> Subject:
    """Return what reviews have to be about."""
    return Subject(
        submission=home.id,
        source_sha256=str(report["source_sha256"]),
        plan_checksum=str(report["plan_checksum"]),
        report_sha256=str(report["report_sha256"]),
        tier=str(record["tier"]),
        author=str(record["author"]),
        author_key=str(mapping(record["signature"]).get("public_key") or ""),
        submitted_at=str(record["submitted_at"]),
    )


def published_entry(catalog: Catalog, name: str, version: str) -> Entry | None:
    """Return the version of a workflow that is published: one that has been signed."""
    try:
        entry = catalog.find(f"{name}@{version}")
    except UnknownWorkflow:
        return None
    if entry.plan is None:
        return None
    try:
        return entry if catalog.plan(entry)["signatures"] else None
    except IntegrityError:
        return entry  # whatever is wrong with it, it stays


def _files(home: Home) -> Files:
    surplus = sorted(path.name for path in home.path.iterdir() if path.name not in _KNOWN)
    surplus = [name for name in surplus if not name.startswith(".")]
    if surplus:
        shown = ", ".join(f"`{name[:60]}`" for name in surplus[:5])
        raise Refused("WF966", f"a submission has no file {shown}", hint="remove it")
    found = {name: home.read(name, most) for name, most in LIMITS.items()}
    source = found[SOURCE]
    if source is None:
        raise Refused("WF966", f"`{home.id}` has no `{SOURCE}`")
    return Files(source=source, tests=found[TESTS] or b"", readme=found[README] or b"")


def _workflow(source: bytes, home: Home) -> Workflow:
    problems = Problems()
    workflow = parse_workflow(source, SOURCE, problems)
    if workflow is None:
        first = problems.errors[0]
        raise Refused(first.code, f"`{home.id}/{SOURCE}` cannot be read: {first.message}")
    return workflow


def _check_record(home: Home, record: JsonObject, workflow: Workflow) -> None:
    """Check that the record is about this workflow: nothing in it is believed."""
    if set(record) != _MEMBERS or _number(record["revision"]) != record["revision"]:
        raise Refused(
            "WF966",
            f"`{SUBMISSION}` has other members than `submit` writes",
            hint="submit it again",
        )
    metadata = workflow.metadata
    said = {
        "format": FORMAT,
        "id": home.id,
        "name": workflow.name,
        "version": workflow.version,
        "tier": metadata.tier,
        "author": metadata.author,
    }
    for name, value in said.items():
        if record.get(name) != value:
            raise Refused(
                "WF966",
                f"`{SUBMISSION}` says the {name} is `{str(record.get(name))[:80]}`, and the source "
                f"says `{value}`",
                hint="submit it again",
            )
    if home.id != submission_id(workflow.name, workflow.version, metadata.author):
        raise Refused("WF965", f"`{home.id}` is not the id of this workflow and author")
    _check_author(record)


def _check_author(record: JsonObject) -> None:
    try:
        parse_time(record["submitted_at"])
    except ValueError as error:
        raise Refused("WF966", f"`{SUBMISSION}`: {error}", hint="submit it again") from None
    signature = record["signature"]
    if signature is None:
        return
    given = mapping(signature)
    try:
        public = read_public_text(str(given.get("public_key")))
    except ValueError as error:
        raise Refused("WF955", f"the author's key: {error}") from None
    if not is_signature_of(public, str(given.get("sig")), _signed(record)):
        raise Refused("WF955", "the author's signature is not one of this submission")


def _changed(record: JsonObject, found: JsonObject, path: str) -> Iterator[Finding]:
    for name, value in found.items():
        if record.get(name) != value:
            file = {"source_sha256": SOURCE, "tests_sha256": TESTS}.get(name, README)
            message = f"`{file}` has changed since `{path}` was written"
            yield Finding(code="WF951", message=message, path=path, hint="submit it again")


def _report(
    home: Home, record: JsonObject, files: Files
) -> tuple[JsonObject | None, tuple[Finding, ...]]:
    """Return the stored report where it is one of these files, and why it is not."""
    report = home.record(REPORT, 4 * LIMITS[SOURCE])
    if report is None:
        return None, ()
    key = mapping(record["signature"]).get("public_key")
    own = (home.id, key, record["revision"])
    if report.get("report_sha256") != report_digest(report):
        wrong = "the report is not what its digest says"
    elif not is_report(report):
        wrong = "the report is none that the gates write"
    elif (report["submission"], report["author_key"], report["revision"]) != own:
        wrong = "the report is one of another submission, or of an earlier revision"
    else:
        stale = tuple(_changed(report, digests(files), REPORT))
        return (None, stale) if stale else (report, ())
    return None, (Finding(code="WF951", message=wrong, path=REPORT),)


def _state(
    home: Home,
    catalog: Catalog,
    files: Files,
    report: JsonObject | None,
    standing: Standing | None,
) -> str:
    if _is_published(home, catalog, files):
        return PUBLISHED
    if is_rejected(home, files):
        return REJECTED
    if report is None or standing is None:
        return SUBMITTED
    approval = home.sealed(APPROVAL)
    named = ("submission", "source_sha256", "plan_checksum", "report_sha256")
    is_approved = approval is not None and all(approval.get(one) == report[one] for one in named)
    if is_approved and standing.is_met:
        return APPROVED
    return IN_REVIEW if home.reviews() else CHECKED


def is_rejected(home: Home, files: Files) -> bool:
    """Tell whether these files were rejected: others may be submitted."""
    rejection = home.sealed(REJECTION)
    return rejection is not None and digests(files).items() <= rejection.items()


def _is_published(home: Home, catalog: Catalog, files: Files) -> bool:
    name, version, _ = home.id.split("-")
    entry = published_entry(catalog, name, version)
    return (
        entry is not None
        and entry.catalog == home.catalog
        and entry.source is not None
        and entry.read_source() == files.source
    )
