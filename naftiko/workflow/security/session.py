"""Least privilege for one execution: an inline session policy, and a guard on every request.

Spec: section 7. The policy narrows what a role may do to what the plan needs; the guard refuses in
this process what the current operation of the plan does not name, whatever asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from naftiko.errors import StartError
from naftiko.values import JsonObject
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest, CallAws, Principal
from naftiko.workflow.security.calls import Call, calls_of, rollback_calls
from naftiko.workflow.security.resources import fill

MAX_CHARACTERS = 2_048
"""AWS's limit for an inline session policy (STS, AssumeRole, `Policy`)."""

SESSION_S = 3_600
_NOT_IN_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """A policy as text, and the actions whose resources had to be left open for its length."""

    text: str
    widened: tuple[str, ...] = ()


def session_policy(
    required: Sequence[str],
    resources: Mapping[str, Sequence[str]],
    parameters: JsonObject,
    principal: Principal,
) -> SessionPolicy:
    """Return the policy that allows exactly these actions, on the known resources where there are.

    If it would be too long, the actions with the longest lists of resources are allowed on any.

    Raises: StartError if it is too long even so.
    """
    arns = {
        action: tuple(
            sorted(
                {
                    arn
                    for template in resources.get(action, ())
                    for arn in fill(template, parameters, principal)
                }
            )
        )
        or ("*",)
        for action in sorted(set(required))
    }
    widened: list[str] = []
    while len(text := _document(arns)) > MAX_CHARACTERS:
        limited = [action for action in arns if arns[action] != ("*",)]
        if not limited:
            raise StartError(
                f"a session policy of {len(arns)} actions has {len(text):,} characters, AWS allows "
                f"{MAX_CHARACTERS:,}",
                hint="split the workflow, or run it without `execution_role`",
            )
        widest = max(limited, key=lambda action: (sum(map(len, arns[action])), action))
        for action in [name for name in limited if arns[name] == arns[widest]]:
            arns[action] = ("*",)
            widened.append(action)
    return SessionPolicy(text=text, widened=tuple(sorted(widened)))


def assume_role(role_arn: str, execution_id: str, policy: SessionPolicy) -> AwsRequest:
    """Return the request for the credentials that an execution runs with."""
    return AwsRequest(
        service="sts",
        operation="AssumeRole",
        members={
            "RoleArn": role_arn,
            "RoleSessionName": _NOT_IN_NAME.sub("-", f"naftiko-{execution_id}")[:64],
            "Policy": policy.text,
            "DurationSeconds": SESSION_S,
        },
        mutating=False,
    )


def _document(arns: Mapping[str, tuple[str, ...]]) -> str:
    groups: dict[tuple[str, ...], list[str]] = {}
    for action, targets in arns.items():
        groups.setdefault(targets, []).append(action)
    statements: list[JsonObject] = [
        {"Effect": "Allow", "Action": _one(actions), "Resource": _one(list(targets))}
        for targets, actions in sorted(groups.items())
    ]
    return orjson.dumps({"Version": "2012-10-17", "Statement": statements}).decode()


def _one(items: list[str]) -> Any:
    return items[0] if len(items) == 1 else items


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What an operation of the plan may send. `regions` None: any, for it is computed."""

    service: str
    operation: str
    members: frozenset[str]
    regions: frozenset[str | None] | None = field(default=frozenset({None}))

    def refusal(self, request: AwsRequest) -> str | None:
        """Say what is wrong with a request; None if it is what the plan names."""
        if (request.service, request.operation) != (self.service, self.operation):
            return f"{request.service}:{request.operation} is not what the operation calls"
        beyond = sorted(set(request.members) - self.members)
        if beyond:
            return f"member {beyond[0]} is not in the plan"
        if self.regions is not None and request.region not in self.regions:
            return "the region is not in the plan"
        return None


Guarded = Mapping[str, Sequence[Allowed]]
"""What each operation of a plan may send, by step_id."""


def allowed_calls(plan: Mapping[str, Any]) -> Guarded:
    """Return what each operation of a plan may send: its call, and that which observes it."""
    found: dict[str, list[Allowed]] = {}
    for call in calls_of(plan["execution_plan"], observers=True):
        found.setdefault(call.step_id, []).append(_allowed(call))
    for call in rollback_calls(plan["rollback"], observers=True):
        found.setdefault(call.step_id, []).append(_allowed(call))
    return found


def _allowed(call: Call) -> Allowed:
    names = set(call.members) | set(call.call.get("input_schema", {}))
    paging = call.call.get("paginate") or {}
    names |= set(paging.get("input", ())) | {paging.get("size")}
    idempotency = call.call.get("idempotency", {})
    if idempotency.get("kind") == "token":
        names.add(idempotency["member"])
    if call.call.get("dry_run"):
        names.add("DryRun")
    region = call.call.get("region")
    regions: frozenset[str | None] | None = frozenset({None})
    if region is not None:
        regions = frozenset({region["lit"]}) if "lit" in region else None
    return Allowed(
        service=call.service,
        operation=call.operation,
        members=frozenset(name for name in names if name),
        regions=regions,
    )


def check_operation(allowed: Guarded, request: AwsRequest) -> None:
    """Refuse a request that the operation it is for does not name.

    Raises: AwsFailure, kind `not_sent`, code `OperationNotAllowed`.
    """
    candidates = allowed.get(request.step_id, ())
    reasons = [candidate.refusal(request) for candidate in candidates]
    if any(reason is None for reason in reasons):
        return
    text = next((reason for reason in reasons if reason), "the plan has no such operation")
    raise AwsFailure("not_sent", code="OperationNotAllowed", message=text, sent=False)


def guarded(call: CallAws, allowed: Guarded) -> CallAws:
    """Return `call` behind the check of `check_operation`."""

    async def send(request: AwsRequest, /) -> AwsAnswer:
        check_operation(allowed, request)
        return await call(request)

    return send
