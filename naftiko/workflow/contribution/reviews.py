r"""Signed statements of reviewers, and which of them count. Spec: section 12, "review".

`reviews/<key id>.<role>.json` holds the statement and its Ed25519 signature over
`naftiko.review/1\n` and the sha256 of the statement's canonical form. An auditor's carries, beside
the digests of two documents, the signature that an enterprise plan needs of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.contribution.findings import Finding
from naftiko.workflow.contribution.layout import REVIEWS, Home, parse_record
from naftiko.workflow.contribution.people import is_same, name_of
from naftiko.workflow.contribution.refused import Refused, one_line
from naftiko.workflow.plan.canonical import canonical, digest
from naftiko.workflow.plan.signing import (
    ALGORITHM,
    SigningKey,
    is_signature_of,
    read_public_text,
    signed_text,
)
from naftiko.workflow.plan.trust import REVIEWER_ROLES, TrustedKey, TrustStore, parse_time
from naftiko.workflow.plan.walk import mapping
from naftiko.workflow.times import time_text
from naftiko.workflow.view import visible

FORMAT = "naftiko.review/1"
DECISIONS = ("approve", "request_changes", "reject")
POINTS = ("code", "security", "documentation", "tests", "community")
AUDITOR = "auditor"
DOCUMENTS = ("full_audit", "penetration_test")
MAX_COMMENTS = 10_000
_SKEW = timedelta(minutes=5)
_MEMBERS = frozenset(
    {
        *("submission", "source_sha256", "plan_checksum", "report_sha256", "reviewer", "role"),
        *("decision", "checklist", "comments", "time"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a statement has to be about: exactly this."""

    submission: str
    source_sha256: str
    plan_checksum: str
    report_sha256: str
    tier: str
    author: str
    author_key: str = ""
    submitted_at: str = "2000-01-01T00:00:00Z"

    def named(self) -> dict[str, str]:
        """Return what a statement repeats of it."""
        return {
            "submission": self.submission,
            "source_sha256": self.source_sha256,
            "plan_checksum": self.plan_checksum,
            "report_sha256": self.report_sha256,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A statement and the key that has signed it: one that counts."""

    file: str
    statement: JsonObject
    key: TrustedKey
    plan_signature: JsonObject | None = None
    data: bytes = b""
    """The bytes that were counted: they are what is published."""

    @property
    def role(self) -> str:
        """In which role."""
        return str(self.statement["role"])

    @property
    def decision(self) -> str:
        """What was decided."""
        return str(self.statement["decision"])

    def document(self, name: str) -> str:
        """Return the digest of an audit's document, "" where there is none."""
        return str(self.statement.get(f"{name}_sha256") or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """The statements that count, and why others do not."""

    counted: tuple[Review, ...]
    findings: tuple[Finding, ...]

    def approving(self, role: str) -> tuple[Review, ...]:
        """Return the approvals in a role."""
        return tuple(one for one in self.counted if one.role == role and one.decision == "approve")

    @property
    def standing(self) -> tuple[Review, ...]:
        """Return what stands in the way."""
        return tuple(one for one in self.counted if one.decision != "approve")


def make_statement(
    subject: Subject,
    key: SigningKey,
    *,
    role: str,
    decision: str,
    checklist: Mapping[str, bool],
    comments: str,
    now: datetime,
    documents: Mapping[str, bytes],
) -> JsonObject:
    """Return what is signed.

    Raises: Refused: an approval without a whole checklist, an audit without its documents.
    """
    if role not in REVIEWER_ROLES or decision not in DECISIONS:
        raise Refused("WF966", f"`{role}` with `{decision}` is no review")
    missing = [name for name in POINTS if not checklist.get(name)]
    if decision == "approve" and missing:
        raise Refused(
            "WF958",
            f"an approval answers yes to {', '.join(missing)} too",
            hint=f"--checklist {','.join(f'{name}=yes' for name in POINTS)}",
        )
    if documents and role != AUDITOR:
        raise Refused("WF961", "audit and penetration test are an auditor's to give")
    if role == AUDITOR and decision == "approve" and not documents:
        raise Refused(
            "WF961",
            "an auditor approves with a full audit, a penetration test, or both",
            hint="--audit FILE --penetration-test FILE",
        )
    listed: JsonObject = {name: bool(checklist.get(name)) for name in POINTS}
    statement: JsonObject = {
        **subject.named(),
        "reviewer": key.key_id,
        "role": role,
        "decision": decision,
        "checklist": listed,
        "comments": visible(comments)[:MAX_COMMENTS],
        "time": time_text(now),
    }
    for name, data in documents.items():
        statement[f"{name}_sha256"] = digest(data)
    return statement


def signed_review(statement: JsonObject, key: SigningKey, subject: Subject) -> JsonObject:
    """Return the file of a review."""
    review: JsonObject = {
        "format": FORMAT,
        "statement": statement,
        "alg": ALGORITHM,
        "sig": key.sign(_signed(statement)),
        "plan_signature": None,
    }
    if _signs_plan(statement, subject):
        text = signed_text(subject.plan_checksum, AUDITOR, subject.tier)
        review["plan_signature"] = {
            "key_id": key.key_id,
            "role": AUDITOR,
            "tier": subject.tier,
            "alg": ALGORITHM,
            "sig": key.sign(text),
        }
    return review


def review_name(key_id: str, role: str) -> str:
    """Return the name of a review's file: a later one of the same key and role replaces it."""
    return f"{REVIEWS}/{key_id}.{role}.json"


def _signed(statement: JsonObject) -> bytes:
    return f"{FORMAT}\n{digest(canonical(statement))}".encode()


# Counting


def count_reviews(home: Home, subject: Subject, trust: TrustStore, now: datetime) -> Reviews:
    """Return which statements count; each key once, never the author's."""
    good: list[Review] = []
    findings: list[Finding] = []
    for file, data in home.reviews():
        try:
            good.append(_checked(file, data, subject, trust, now))
        except Refused as error:
            findings.append(_finding(file, error))
    counted = list(_once(good, findings))
    for review in counted:
        findings += _standing(review)
    return Reviews(counted=tuple(counted), findings=tuple(findings))


def _checked(file: str, data: bytes, subject: Subject, trust: TrustStore, now: datetime) -> Review:
    document = parse_record(data, f"{REVIEWS}/{file}")
    statement = mapping(document.get("statement"))
    _check_form(document, statement)
    reviewer, role = str(statement["reviewer"]), str(statement["role"])
    if f"{REVIEWS}/{file}" != review_name(reviewer, role):
        raise Refused("WF966", f"`{reviewer[:90]}` as {role[:30]} stands in a file of another name")
    key = trust.reviewers.get(reviewer)
    if key is None or role not in key.roles:
        raise Refused("WF952", f"`{reviewer[:90]}` is not trusted as {role}")
    if not is_signature_of(key.public_key, str(document["sig"]), _signed(statement)):
        raise Refused("WF955", f"the signature of `{reviewer}` is not one of this statement")
    check_key(key, trust, now)
    said = parse_time(statement["time"])
    if not key.is_valid_at(said) or said > now + _SKEW:
        raise Refused("WF953", f"the key `{reviewer}` was not valid when it signed")
    if is_author(key, subject):
        raise Refused("WF956", f"`{reviewer}` is the author's own")
    _check_statement(statement, subject)
    signature = _plan_signature(document["plan_signature"], statement, key, subject)
    return Review(file=file, statement=statement, key=key, plan_signature=signature, data=data)


def _check_statement(statement: JsonObject, subject: Subject) -> None:
    """Check that a statement is about this submission, and complete."""
    reviewer = str(statement["reviewer"])
    for name, wanted in subject.named().items():
        if statement[name] != wanted:
            what = name.removesuffix("_sha256").removesuffix("_checksum")
            raise Refused("WF951", f"`{reviewer}` has reviewed another {what} than this one")
    if parse_time(statement["time"]) < parse_time(subject.submitted_at) - _SKEW:
        raise Refused("WF951", f"the review of `{reviewer}` is older than the submission")
    checklist = mapping(statement["checklist"])
    if statement["decision"] == "approve" and not all(checklist.get(name) for name in POINTS):
        raise Refused("WF958", f"the checklist of `{reviewer}` is not complete")


def _plan_signature(
    given: JsonValue, statement: JsonObject, key: TrustedKey, subject: Subject
) -> JsonObject | None:
    """Return an auditor's signature of the plan, which no statement covers.

    Raises: Refused: it is none, or stands where none belongs.
    """
    if not _signs_plan(statement, subject):
        if given is not None:
            raise Refused("WF966", f"`{key.key_id}` does not sign the plan with this review")
        return None
    found = mapping(given)
    text = signed_text(subject.plan_checksum, AUDITOR, subject.tier)
    rest = {"key_id": key.key_id, "role": AUDITOR, "tier": subject.tier, "alg": ALGORITHM}
    if {**rest, "sig": found.get("sig")} != found or not is_signature_of(
        key.public_key, str(found["sig"]), text
    ):
        raise Refused("WF955", f"the signature of `{key.key_id}` is not one of this plan")
    return found


def _signs_plan(statement: JsonObject, subject: Subject) -> bool:
    is_approval = statement["decision"] == "approve"
    return statement["role"] == AUDITOR and is_approval and subject.tier == "enterprise"


def _check_form(document: JsonObject, statement: JsonObject) -> None:
    wanted = {"format", "statement", "alg", "sig", "plan_signature"}
    extra = set(statement) - _MEMBERS - {f"{name}_sha256" for name in DOCUMENTS}
    if set(document) != wanted or document["format"] != FORMAT or document["alg"] != ALGORITHM:
        raise Refused("WF966", f"the review is not in the format `{FORMAT}`")
    checklist = mapping(statement.get("checklist"))
    if extra or not set(statement) >= _MEMBERS or statement["decision"] not in DECISIONS:
        raise Refused("WF966", "the statement has other members than a statement has")
    if not all(isinstance(checklist.get(name), bool) for name in POINTS):
        raise Refused("WF966", "the checklist answers each point with true or false")
    try:
        parse_time(statement["time"])
    except ValueError as error:
        raise Refused("WF966", str(error)) from None


def is_author(key: TrustedKey | SigningKey, subject: Subject) -> bool:
    """Tell whether a key is the author's: by its bytes, or by the name that it goes by."""
    if is_same(name_of(key.key_id), subject.author):
        return True
    try:
        return bool(subject.author_key) and read_public_text(subject.author_key) == key.public_key
    except ValueError:
        return False


def check_key(key: TrustedKey, trust: TrustStore, now: datetime) -> None:
    """Check that a key counts today.

    Raises: Refused: it has been revoked, or is not valid at this time.
    """
    if is_revoked(key.key_id, trust):
        raise Refused("WF954", f"the key `{key.key_id}` has been revoked")
    if not key.is_valid_at(now):
        raise Refused("WF953", f"the key `{key.key_id}` is not valid at this time")


def is_revoked(key_id: str, trust: TrustStore) -> bool:
    """Tell whether a key was revoked, under this name or another: ids end in a fingerprint."""
    mark = key_id.rpartition(".")[2]
    return any(id_.rpartition(".")[2] == mark for id_ in trust.revoked_keys)


def _once(good: Sequence[Review], findings: list[Finding]) -> Iterator[Review]:
    """Yield the reviews of distinct keys; of one key, what stands in the way goes first.

    Two keys of one name are one as well: whoever takes a new key does not become two.
    """
    seen: list[Review] = []
    ordered = sorted(good, key=lambda one: (one.decision == "approve", one.file))
    for review in ordered:
        earlier = next((one for one in seen if _is_same_reviewer(one.key, review.key)), None)
        if earlier is None:
            seen.append(review)
            yield review
            continue
        reason = f"its key or name is that of `{earlier.statement['reviewer']}` as {earlier.role}"
        findings.append(_finding(review.file, Refused("WF957", reason)))


def _is_same_reviewer(one: TrustedKey, other: TrustedKey) -> bool:
    return one.public_key == other.public_key or is_same(name_of(one.key_id), name_of(other.key_id))


def _standing(review: Review) -> Iterator[Finding]:
    if review.decision == "approve":
        return
    asked = "rejects it" if review.decision == "reject" else "asks for changes"
    comments: JsonValue = review.statement["comments"]
    yield Finding(
        code="WF959",
        message=f"`{review.statement['reviewer']}` {asked}",
        path=f"{REVIEWS}/{review.file}",
        hint=f"they say: {one_line(str(comments)[:200])}" if comments else "",
    )


def _finding(file: str, error: Refused) -> Finding:
    return Finding(code=error.code, message=error.reason, path=f"{REVIEWS}/{file}", hint=error.hint)
