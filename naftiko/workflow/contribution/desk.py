"""The steps of the pipeline, each from files to files. Spec: section 12."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from naftiko.errors import Problems
from naftiko.values import JsonObject
from naftiko.workflow.ast import Workflow
from naftiko.workflow.catalog import SOURCE, Catalog
from naftiko.workflow.contribution import publishing
from naftiko.workflow.contribution.findings import of_problem
from naftiko.workflow.contribution.layout import (
    APPROVAL,
    AUDITS,
    LIMITS,
    MAX_AUDIT_BYTES,
    REJECTION,
    REPORT,
    Home,
    homes,
    seal,
    submission_id,
)
from naftiko.workflow.contribution.material import Files, Monotonic, RunTests, Workshop
from naftiko.workflow.contribution.placing import finish, is_left
from naftiko.workflow.contribution.refused import Refused
from naftiko.workflow.contribution.report import digests, make_report
from naftiko.workflow.contribution.reviews import (
    Subject,
    check_key,
    is_author,
    make_statement,
    review_name,
    signed_review,
)
from naftiko.workflow.contribution.submissions import (
    PUBLISHED,
    Submission,
    is_rejected,
    published_entry,
    read_submission,
    subject_of,
    write_submission,
)
from naftiko.workflow.contribution.thresholds import Standing
from naftiko.workflow.plan.canonical import digest
from naftiko.workflow.plan.signing import SigningKey
from naftiko.workflow.plan.trust import TrustStore
from naftiko.workflow.source.parser import parse_workflow
from naftiko.workflow.times import time_text
from naftiko.workflow.view import visible

APPROVAL_FORMAT = "naftiko.approval/1"
REJECTION_FORMAT = "naftiko.rejection/1"
MAX_REASON = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a reviewer says. `documents`: an auditor's, `full_audit` and `penetration_test`."""

    role: str
    decision: str
    checklist: Mapping[str, bool] = field(default_factory=dict)
    comments: str = ""
    documents: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A catalog to which workflows are contributed; clock, AWS for tests and time are injected.

    `root` is the public key with which the catalog's trust data must be signed.
    """

    catalog: Catalog
    folder: Path
    run_tests: RunTests
    monotonic: Monotonic
    now: Callable[[], datetime]
    root: str | None = None

    # Submitting

    def submit(self, files: Files, key: SigningKey | None = None) -> Home:
        """Store a contribution. What was said of other bytes under its id is void.

        Raises: Refused: it cannot be read, says no version or author, or the version is there.
        """
        workflow = _readable(files)
        name, version, author = workflow.name, workflow.version, workflow.metadata.author
        home = Home(self.folder, submission_id(name, version, author)).check()
        if published_entry(self.catalog, name, version) is not None:
            raise Refused(
                "WF963",
                f"`{name}@{version}` is published, and a version never changes",
                hint="raise `version`",
            )
        for part, data in files.named():
            if len(data) > LIMITS[part]:
                raise Refused("WF966", f"`{part}` has more than {LIMITS[part]} bytes")
        if home.exists and is_rejected(home, files):
            raise Refused(
                "WF964",
                f"`{home.id}` was rejected, and nothing has changed since",
                hint="what may follow: submit, of another source, tests or README",
            )
        write_submission(home, files, workflow, now=self.now(), key=key)
        return home

    def home(self, id_: str) -> Home:
        """Return a submission's folder by its id, or by a path that ends in it.

        Raises: Refused.
        """
        return Home(self.folder, id_).check()

    def read(self, home: Home) -> Submission:
        """Return a submission as it lies there.

        Raises: Refused.
        """
        try:
            return read_submission(home, self.catalog, self.trust(), self.now())
        except OSError as error:
            reason = f"`{home.id}` cannot be read: {error.strerror}"
            raise Refused("WF966", reason, hint="look at the permissions of its files") from None

    def every(self) -> list[tuple[Home, Submission | Refused]]:
        """Return all submissions; of one that is broken, why."""
        return [(home, self._read_or_not(home)) for home in homes(self.folder)]

    def _read_or_not(self, home: Home) -> Submission | Refused:
        try:
            return self.read(home)
        except Refused as error:
            return error

    def trust(self) -> TrustStore:
        """Return whom the catalog trusts.

        Raises: IntegrityError.
        """
        return TrustStore.load(self.folder / "trust", root=self.root)

    # Checking

    def check(self, home: Home) -> JsonObject:
        """Run the gates on a submission, and store the report."""
        submission = self.read(home)
        submission.require("check")
        self._unchanged(submission)
        report = self.recomputed(submission)
        home.write(REPORT, report)
        return report

    def recomputed(self, submission: Submission) -> JsonObject:
        """Return the report as it comes out now."""
        material = self.workshop.material(submission.files)
        return make_report(material, submission.home.id, submission.author_key, submission.revision)

    @property
    def workshop(self) -> Workshop:
        """What gates are run with."""
        return Workshop(
            catalog=self.catalog,
            root=self.folder,
            monotonic=self.monotonic,
            run_tests=self.run_tests,
        )

    def gates(self, files: Files) -> JsonObject:
        """Return what the gates say of a workflow that is not submitted."""
        return make_report(self.workshop.material(files))

    def confirm_report(self, submission: Submission) -> JsonObject:
        """Return the stored report, which is what comes out now, and has passed.

        Raises: Refused.
        """
        self._unchanged(submission)
        found = self.recomputed(submission)
        if found["passed"] is not True:
            raise Refused(
                "WF967",
                f"gates of `{submission.home.id}` fail",
                hint=f"see `naftiko workflow check --gates {submission.home.id}`",
            )
        self.compare_report(submission, found)
        return found

    def compare_report(self, submission: Submission, found: JsonObject) -> None:
        """Check that the report that is stored, and was reviewed, is what comes out now.

        Raises: Refused.
        """
        self._unchanged(submission)
        stored = submission.report
        if stored is None:
            reason = submission.stale[0].message if submission.stale else "there is no report"
            raise Refused("WF951", reason, hint="submit it again: that writes the report")
        if stored != found:
            raise Refused(
                "WF951",
                "the report is not what the gates say now, it differs in "
                + ", ".join(_differing(stored, found)),
                hint="submit it again, with the engine and the botocore that reviewers have",
            )

    def _unchanged(self, submission: Submission) -> None:
        changed = [one for one in submission.stale if one.path != REPORT]
        if changed:
            raise Refused("WF951", changed[0].message, hint="submit it again")

    # Reviewing

    def review(self, home: Home, key: SigningKey, verdict: Verdict) -> Path:
        """Store a signed statement, and return its path.

        Raises: Refused.
        """
        submission = self.read(home)
        submission.require("review")
        subject = subject_of(home, submission.record, self.confirm_report(submission))
        self._check_reviewer(key, verdict.role, subject)
        statement = make_statement(
            subject,
            key,
            role=verdict.role,
            decision=verdict.decision,
            checklist=verdict.checklist,
            comments=verdict.comments,
            now=self.now(),
            documents=verdict.documents,
        )
        for data in verdict.documents.values():
            if not data or len(data) > MAX_AUDIT_BYTES:
                raise Refused("WF961", f"a document has 1 to {MAX_AUDIT_BYTES} bytes")
            home.write_bytes(f"{AUDITS}/{digest(data).removeprefix('sha256:')}", data)
        name = review_name(key.key_id, verdict.role)
        home.write(name, signed_review(statement, key, subject))
        return home.path / name

    def _check_reviewer(self, key: SigningKey, role: str, subject: Subject) -> None:
        """Refuse what would not be counted: a reviewer is told at once."""
        trust, now = self.trust(), self.now()
        trusted = trust.reviewers.get(key.key_id)
        if trusted is None or role not in trusted.roles:
            raise Refused(
                "WF952",
                f"`{key.key_id}` is not trusted as {role} here",
                hint="a maintainer adds reviewers: `naftiko workflow keys add`",
            )
        check_key(trusted, trust, now)
        if is_author(key, subject):
            raise Refused("WF956", f"`{key.key_id}` is the author's own")

    def approve(self, home: Home) -> Standing:
        """Count the reviews; where they are enough, say so in a record.

        Raises: Refused[WF960]: `findings` say what is missing, and what did not count.
        """
        submission = self.read(home)
        submission.require("approve")
        report = self.confirm_report(submission)
        standing = self._met(submission)
        counted: list[str] = sorted(one.key.key_id for one in standing.approvals)
        approval: JsonObject = {
            "format": APPROVAL_FORMAT,
            "submission": home.id,
            "source_sha256": report["source_sha256"],
            "plan_checksum": report["plan_checksum"],
            "report_sha256": report["report_sha256"],
            "counted": list(counted),
            "approved_at": time_text(self.now()),
        }
        home.write(APPROVAL, seal(approval))
        return standing

    def _met(self, submission: Submission) -> Standing:
        standing = submission.standing
        assert standing is not None  # the report was confirmed
        if not standing.is_met:
            raise Refused(
                "WF960",
                f"`{submission.home.id}` is not approved: {'; '.join(standing.missing)}",
                hint="`naftiko workflow submissions` says what is missing",
                findings=standing.findings,
            )
        return standing

    def reject(self, home: Home, reason: str) -> None:
        """Reject a submission as it is.

        Raises: Refused.
        """
        submission = self.read(home)
        submission.require("reject")
        if not reason.strip():
            raise Refused("WF966", "a rejection says why")
        rejection: JsonObject = {
            "format": REJECTION_FORMAT,
            "submission": home.id,
            **digests(submission.files),
            "reason": visible(reason)[:MAX_REASON],
            "rejected_at": time_text(self.now()),
        }
        home.write(REJECTION, seal(rejection))

    # Publishing

    def publish(self, home: Home, key: SigningKey) -> publishing.Published:
        """Publish an approved submission, or finish what was interrupted.

        Raises: Refused, IntegrityError.
        """
        if not home.exists and is_left(home.path):
            return self._finished(home)
        submission = self.read(home)
        submission.require("publish")
        if submission.state == PUBLISHED:
            return self._finished(home)
        self.confirm_report(submission)
        standing = self._met(submission)
        made = publishing.Publication(
            submission=submission, standing=standing, trust=self.trust(), now=self.now()
        )
        return publishing.publish(made, self.workshop, key)

    def _finished(self, home: Home) -> publishing.Published:
        found = publishing.published(self.catalog, home, self.trust(), self.now())
        finish(self.folder / found.folder, home.path)
        return found


def _readable(files: Files) -> Workflow:
    """Return the workflow of a source that says who, what and which version.

    Raises: Refused.
    """
    problems = Problems()
    workflow = parse_workflow(files.source, SOURCE, problems)
    if workflow is None:
        first = problems.errors[0]
        raise Refused(
            first.code,
            f"{first.location}: {first.message}",
            hint=first.hint,
            findings=tuple(map(of_problem, problems.errors)),
        )
    if not workflow.version_given:
        raise Refused(
            "WF212", "the source says no version", hint='write `version: "1.0"` in the source'
        )
    if not workflow.metadata.author.strip():
        raise Refused("WF904", "the source names no author", hint='write `author: "@you"`')
    return workflow


def _differing(stored: JsonObject, found: JsonObject) -> list[str]:
    return [name for name in sorted(found) if stored.get(name) != found[name]][:6]
