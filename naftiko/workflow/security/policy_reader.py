"""Reads the identity policies of a user or a role from IAM, as far as the caller may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import AwsFailure, AwsRequest, CallAws, Principal
from naftiko.workflow.security.policies import Policies, Statement, parse_policy

MAX_PAGES = 20
"""AWS allows no principal as many policies as these hold."""

_KINDS = {"user": "User", "role": "Role"}


@dataclass(slots=True, kw_only=True)
class AwsIam:
    """IAM by one function. `was_answered` False: something failed that may work the next time."""

    call: CallAws
    was_answered: bool = True
    _statements: list[Statement] = field(default_factory=list)

    async def ask(self, operation: str, members: JsonObject) -> JsonObject:
        """Send one reading request.

        Raises: AwsFailure.
        """
        request = AwsRequest(
            service="iam", operation=operation, members=members, timeout_s=10.0, mutating=False
        )
        try:
            return (await self.call(request)).output
        except AwsFailure as failure:
            if failure.kind != "fault" or failure.status >= 500 or failure.status == 429:
                self.was_answered = False
            raise

    async def pages(self, operation: str, members: JsonObject, name: str) -> list[JsonValue]:
        """Return the list `name` of all pages.

        Raises: AwsFailure, also if there is no end to them.
        """
        found: list[JsonValue] = []
        marker: JsonObject = {}
        for _ in range(MAX_PAGES):
            answer = await self.ask(operation, {**members, **marker})
            items = answer.get(name)
            found += items if isinstance(items, list) else []
            if not answer.get("IsTruncated"):
                return found
            marker = {"Marker": answer.get("Marker")}
        raise AwsFailure("fault", code="TooManyPages")

    async def source_arn(self, principal: Principal) -> str | None:
        """Return the ARN of the user or role behind a principal; None if it has no policies to ask.

        The ARN of a session lacks the path of its role: GetRole knows it. A name is unique in its
        account, so that without GetRole the plain ARN is either right or of nobody.
        """
        service, _, rest = principal.arn.partition(f"::{principal.account_id}:")
        kind, _, name = rest.partition("/")
        if kind in _KINDS and service.endswith(":iam"):
            return principal.arn
        if kind != "assumed-role":
            return None
        role = name.partition("/")[0]
        try:
            answer = await self.ask("GetRole", {"RoleName": role})
        except AwsFailure:
            return f"arn:{principal.partition}:iam::{principal.account_id}:role/{role}"
        found = answer.get("Role")
        arn = found.get("Arn") if isinstance(found, dict) else None
        return arn if isinstance(arn, str) else None


async def read_policies(iam: AwsIam, source_arn: str) -> Policies:
    """Return the policies of a user (with those of its groups) or a role, and the boundary."""
    kind, name = source_arn.rpartition(":")[2].partition("/")[0], source_arn.rpartition("/")[2]
    reader = _Reader(iam=iam)
    await reader.read(_KINDS[kind], name)
    if kind == "user":
        async for group in reader.groups(name):
            await reader.read("Group", group)
    boundary, is_known = await reader.boundary(_KINDS[kind], name)
    return Policies(
        statements=tuple(reader.statements),
        boundary=boundary,
        is_complete=reader.is_complete,
        is_boundary_known=is_known,
    )


@dataclass(slots=True, kw_only=True)
class _Reader:
    iam: AwsIam
    statements: list[Statement] = field(default_factory=list)
    is_complete: bool = True

    async def read(self, kind: str, name: str) -> None:
        """Read the inline and the attached policies of a user, role or group."""
        whose: JsonObject = {f"{kind}Name": name}
        for policy in await self._list(f"List{kind}Policies", whose, "PolicyNames"):
            document = await self._inline(kind, {**whose, "PolicyName": policy})
            self._add(document)
        rows = await self._list(f"ListAttached{kind}Policies", whose, "AttachedPolicies")
        for row in rows:
            arn = row.get("PolicyArn") if isinstance(row, dict) else None
            self._add(await self._managed(arn))

    async def groups(self, user: str) -> AsyncIterator[str]:
        """Yield the names of a user's groups."""
        for row in await self._list("ListGroupsForUser", {"UserName": user}, "Groups"):
            name = row.get("GroupName") if isinstance(row, dict) else None
            if isinstance(name, str):
                yield name
            else:
                self.is_complete = False

    async def boundary(self, kind: str, name: str) -> tuple[tuple[Statement, ...] | None, bool]:
        """Return the statements of the boundary (None: there is none), and whether that is sure."""
        try:
            answer = await self.iam.ask(f"Get{kind}", {f"{kind}Name": name})
        except AwsFailure:
            return None, False
        owner = answer.get(kind)
        if not isinstance(owner, dict):
            return None, False
        limit = owner.get("PermissionsBoundary")
        if not limit:
            return None, True
        arn = limit.get("PermissionsBoundaryArn") if isinstance(limit, dict) else None
        statements = parse_policy(await self._managed(arn))
        return statements, statements is not None

    def _add(self, document: JsonValue) -> None:
        statements = parse_policy(document)
        if statements is None:
            self.is_complete = False
        else:
            self.statements += statements

    async def _list(self, operation: str, members: JsonObject, name: str) -> list[JsonValue]:
        try:
            return await self.iam.pages(operation, members, name)
        except AwsFailure:
            self.is_complete = False
            return []

    async def _inline(self, kind: str, members: JsonObject) -> JsonValue:
        try:
            return (await self.iam.ask(f"Get{kind}Policy", members)).get("PolicyDocument")
        except AwsFailure:
            return None

    async def _managed(self, arn: JsonValue) -> JsonValue:
        try:
            policy = (await self.iam.ask("GetPolicy", {"PolicyArn": arn})).get("Policy")
            version = policy.get("DefaultVersionId") if isinstance(policy, dict) else None
            answer = await self.iam.ask(
                "GetPolicyVersion", {"PolicyArn": arn, "VersionId": version}
            )
        except AwsFailure:
            return None
        found = answer.get("PolicyVersion")
        return found.get("Document") if isinstance(found, dict) else None
