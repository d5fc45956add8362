from __future__ import annotations

from typing import Any

import pytest

from naftiko.workflow.security.policies import Policies, decide, overlap, parse_policy

CONTEXT = {"aws:requestedregion": "eu-west-1"}
BUCKET = "arn:aws:s3:::logs"


def ruled(*rows: dict[str, Any]) -> Policies:
    statements = parse_policy({"Version": "2012-10-17", "Statement": list(rows)})
    assert statements is not None
    return Policies(statements=statements)


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


CASES: dict[str, tuple[list[dict[str, Any]], str, str, str]] = {
    "nothing": ([], "s3:GetObject", BUCKET, "implicitly denied"),
    "capitals": ([allow("S3:getobject")], "s3:GetObject", BUCKET, "allowed"),
    "glob": ([allow("s3:Get*")], "s3:GetObject", BUCKET, "allowed"),
    "question-mark": ([allow("s3:GetObjec?")], "s3:GetObject", BUCKET, "allowed"),
    "brackets-are-no-glob": (
        [allow("s3:Get[O]bject")],
        "s3:GetObject",
        BUCKET,
        "implicitly denied",
    ),
    "deny-wins": ([deny("s3:*"), allow()], "s3:GetObject", BUCKET, "denied"),
    "not-action": (
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
        "s3:GetObject",
        BUCKET,
        "allowed",
    ),
    "not-resource": (
        [{"Effect": "Allow", "Action": "*", "NotResource": BUCKET}],
        "s3:GetObject",
        BUCKET,
        "implicitly denied",
    ),
    "not-resource-unknown": (
        [{"Effect": "Allow", "Action": "*", "NotResource": BUCKET}],
        "s3:GetObject",
        "*",
        "unknown",
    ),
    "resource": ([allow("s3:*", BUCKET)], "s3:ListBucket", BUCKET, "allowed"),
    "other-resource": ([allow("s3:*", BUCKET + "2")], "s3:ListBucket", BUCKET, "implicitly denied"),
    "unknown-resource": ([allow("s3:*", BUCKET)], "s3:ListBucket", "*", "unknown"),
    "pattern-covers-pattern": ([allow("s3:*", "arn:aws:s3:::*")], "s3:A", BUCKET + "*", "allowed"),
    "question-mark-covers-no-star": (
        [allow("s3:*", BUCKET + "?")],
        "s3:A",
        BUCKET + "*",
        "unknown",
    ),
    "deny-of-another": ([allow(), deny("*", BUCKET)], "s3:A", BUCKET + "/x", "allowed"),
    "deny-of-some": ([allow(), deny("*", BUCKET)], "s3:A", "*", "unknown"),
    "variable": ([allow("*", "arn:aws:s3:::${aws:username}")], "s3:A", BUCKET, "unknown"),
    "region": (
        [allow(Condition={"StringEquals": {"aws:RequestedRegion": ["eu-west-1"]}})],
        "s3:A",
        BUCKET,
        "allowed",
    ),
    "other-region": (
        [deny(Condition={"StringNotLike": {"aws:requestedRegion": "eu-*"}}), allow()],
        "s3:A",
        BUCKET,
        "allowed",
    ),
    "unknown-key": ([allow(Condition={"Bool": {"aws:Mfa": "true"}})], "s3:A", BUCKET, "unknown"),
    "unknown-operator": (
        [allow(Condition={"ForAllValues:StringEquals": {"aws:RequestedRegion": "eu-west-1"}})],
        "s3:A",
        BUCKET,
        "unknown",
    ),
    "one-false-of-two": (
        [allow(Condition={"Bool": {"x": "y"}, "StringEquals": {"aws:RequestedRegion": "us"}})],
        "s3:A",
        BUCKET,
        "implicitly denied",
    ),
    "undecided-deny": ([allow(), deny(Condition={"Bool": {"x": "y"}})], "s3:A", BUCKET, "unknown"),
}


@pytest.mark.parametrize(
    ("rows", "action", "resource", "expected"), CASES.values(), ids=CASES.keys()
)
def test_a_decision(rows: list[dict[str, Any]], action: str, resource: str, expected: str) -> None:
    assert decide(ruled(*rows), action, resource, CONTEXT).value == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (None, "allowed"),
        ([allow("s3:*")], "allowed"),
        ([allow("sqs:*")], "implicitly denied"),
        ([deny(), allow()], "denied"),
        ([allow(Condition={"Bool": {"x": "y"}})], "unknown"),
    ],
)
def test_a_boundary_limits(limit: list[dict[str, Any]] | None, expected: str) -> None:
    boundary = ruled(*limit).statements if limit is not None else None
    policies = Policies(statements=ruled(allow()).statements, boundary=boundary)
    assert decide(policies, "s3:A", BUCKET, CONTEXT).value == expected


def test_what_is_missing_leaves_only_a_deny_certain() -> None:
    partial = Policies(statements=ruled(allow("s3:*"), deny("s3:B")).statements, is_complete=False)
    found = [decide(partial, action, BUCKET, {}).value for action in ("s3:A", "s3:B", "x:C")]
    assert found == ["unknown", "denied", "unknown"]


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        "null",
        "{}",
        '{"Statement": []} trailing',
        '{"Statement": {"Effect": "Maybe", "Action": "*", "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": [1], "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": [], "Resource": "*"}}',
        '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": "x"}}',
        17,
        None,
    ],
)
def test_what_is_no_policy_is_not_guessed_at(document: object) -> None:
    assert parse_policy(document) is None


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("db:*", "*:prod", True),
        ("db:*", "sns:*", False),
        ("a?c", "abc", True),
        ("a?c", "a*", True),
        ("a?c", "ac", False),
        ("*", "", True),
        ("", "*", True),
        ("a*b", "*c*b", True),
        ("a*b", "a", False),
    ],
)
def test_globs_overlap(left: str, right: str, *, expected: bool) -> None:
    assert overlap(left, right) is expected
