"""Registers an exported plan as a state machine of Step Functions. Spec: section 11.

The machine's name holds the plan's checksum, so another plan is another machine, and executions of
the old one go on undisturbed. AWS is reached through `CallAws`, as everywhere.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from naftiko.errors import Problem, StartError
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl.export import Export, definition_text, export
from naftiko.workflow.ports import AwsFailure, AwsRequest, CallAws

SERVICE = "stepfunctions"
MAX_NAME = 80
MAX_DIAGNOSTICS = 5
_ROLE = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role/[\w+=,.@/-]{1,512}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_-]")
_UNKNOWN_HERE = frozenset({"UnknownOperation", "UnknownOperationException", "NotImplemented"})


class DeployError(StartError):
    """A plan cannot be registered as a state machine. `problems` are what cannot be mapped."""

    def __init__(self, message: str, *, hint: str = "", problems: tuple[Problem, ...] = ()) -> None:
        """Keep what is wrong and the way out."""
        super().__init__(message, hint=hint)
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A state machine that stands. `outcome` is `created`, `updated` or `unchanged`.

    `role_policy` is what the role must be able to do: {"trust": policy, "permissions": policy}.
    """

    arn: str
    outcome: str
    role_policy: JsonObject
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> JsonObject:
        """Return it as a command prints it."""
        return {
            "arn": self.arn,
            "outcome": self.outcome,
            "role_policy": self.role_policy,
            "warnings": [*self.warnings, *(problem.message for problem in self.problems)],
        }


def machine_name(plan: JsonObject) -> str:
    """Return the name of a plan's machine: "naftiko-rds_backup_v1_0-9f86d081"."""
    checksum = str(plan["checksum"]).removeprefix("sha256:")[:8]
    middle = _NOT_IN_NAME.sub("_", str(plan["workflow_id"]))
    return f"naftiko-{middle[: MAX_NAME - len('naftiko-') - 9]}-{checksum}"


def machine_arn(name: str, *, partition: str, region: str, account_id: str) -> str:
    """Return the ARN of the machine with a name."""
    return f"arn:{partition}:states:{region}:{account_id}:stateMachine:{name}"


def same_definition(found: JsonValue, text: str) -> bool:
    """Tell whether a machine's definition is that of an export, however it is written."""
    try:
        return bool(json.loads(str(found)) == json.loads(text))
    except ValueError:
        return False


async def deploy(
    plan: JsonObject,
    call: CallAws,
    *,
    role_arn: str,
    region: str,
    name: str | None = None,
    update: bool = False,
) -> Deployment:
    """Register a plan's state machine, type STANDARD; nothing happens where it stands already.

    Executions with `target: step-functions` are started on the machine with the default `name`.
    A machine of that name with another definition or role is changed only with `update`.

    Raises: DeployError; AwsFailure.
    """
    role = _ROLE.fullmatch(role_arn)
    if role is None:
        raise DeployError(
            f"`{role_arn[:128]}` is not the ARN of a role",
            hint="like arn:aws:iam::123456789012:role/workflows",
        )
    if name is not None and not _NAME.fullmatch(name):
        raise DeployError(
            f"`{name[:128]}` is no name of a state machine",
            hint="up to 80 letters, digits, `-` and `_`",
        )
    made = export(plan, partition=role[1])
    if not made.is_usable:
        raise DeployError(
            f"`{plan['name']}@{plan['version']}` cannot run as a state machine",
            problems=made.problems,
        )
    registration = _Registration(call, plan, made, role_arn, region)
    registration.name = name or machine_name(plan)
    registration.arn = machine_arn(
        registration.name, partition=role[1], region=region, account_id=role[2]
    )
    return await registration.done(update=update)


class _Registration:
    """One deployment under way."""

    name = ""
    arn = ""

    def __init__(
        self, call: CallAws, plan: JsonObject, made: Export, role_arn: str, region: str
    ) -> None:
        self._call = call
        self._plan = plan
        self._made = made
        self._text = definition_text(made.definition)
        self._role_arn = role_arn
        self._region = region
        self._warnings: list[str] = []

    async def done(self, *, update: bool) -> Deployment:
        await self._validate()
        found = await self._find()
        if found is None:
            return await self._create()
        if self._is_same(found):
            return self._deployed("unchanged")
        if not update:
            raise DeployError(
                f"there is a state machine `{self.name}` with another definition or role",
                hint="deploy with --update to change it; executions that run keep the old one",
            )
        return await self._update(found)

    async def _validate(self) -> None:
        """Let Step Functions look at the definition first, where it can be asked."""
        members: JsonObject = {"definition": self._text, "type": "STANDARD"}
        try:
            answer = await self._send("ValidateStateMachineDefinition", members, mutating=False)
        except AwsFailure as failure:
            if not _is_unavailable(failure):
                raise
            self._warnings.append("the definition was not validated: AWS does not let it be asked")
            return
        if answer.get("result") != "FAIL":
            return
        listed = answer.get("diagnostics")
        rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
        codes = sorted({str(row.get("code", ""))[:80] for row in rows})
        places = [str(row.get("location", ""))[:120] for row in rows[:MAX_DIAGNOSTICS]]
        raise DeployError(
            f"Step Functions refuses the definition: {', '.join(codes)}",
            hint=f"it names {', '.join(place for place in places if place) or 'no place'}",
        )

    async def _find(self) -> JsonObject | None:
        try:
            return await self._send(
                "DescribeStateMachine", {"stateMachineArn": self.arn}, mutating=False
            )
        except AwsFailure as failure:
            if failure.code == "StateMachineDoesNotExist":
                return None
            raise

    def _is_same(self, found: JsonObject) -> bool:
        if found.get("type", "STANDARD") != "STANDARD":
            raise DeployError(
                f"the state machine `{self.name}` is of type {str(found['type'])[:20]}",
                hint="choose another --name, or delete it",
            )
        is_same = same_definition(found.get("definition"), self._text)
        return is_same and found.get("roleArn") == self._role_arn

    async def _create(self) -> Deployment:
        try:
            answer = await self._send(
                "CreateStateMachine",
                {
                    "name": self.name,
                    "definition": self._text,
                    "roleArn": self._role_arn,
                    "type": "STANDARD",
                    "tags": self._tags(),
                },
            )
        except AwsFailure as failure:
            # Somebody else was quicker: what stands now decides.
            found = await self._find() if failure.code == "StateMachineAlreadyExists" else None
            if found is None or not self._is_same(found):
                raise
            return self._deployed("unchanged")
        self.arn = str(answer["stateMachineArn"])
        return self._deployed("created")

    async def _update(self, found: JsonObject) -> Deployment:
        self.arn = str(found.get("stateMachineArn") or self.arn)
        await self._send(
            "UpdateStateMachine",
            {
                "stateMachineArn": self.arn,
                "definition": self._text,
                "roleArn": self._role_arn,
            },
        )
        await self._send("TagResource", {"resourceArn": self.arn, "tags": self._tags()})
        return self._deployed("updated")

    def _tags(self) -> list[JsonValue]:
        pairs = {
            "naftiko:workflow": self._plan["name"],
            "naftiko:version": self._plan["version"],
            "naftiko:checksum": self._plan["checksum"],
        }
        return [{"key": name, "value": str(value)} for name, value in pairs.items()]

    def _deployed(self, outcome: str) -> Deployment:
        return Deployment(
            arn=self.arn,
            outcome=outcome,
            role_policy=self._made.role_policy,
            problems=self._made.problems,
            warnings=tuple(self._warnings),
        )

    async def _send(
        self, operation: str, members: JsonObject, *, mutating: bool = True
    ) -> JsonObject:
        answer = await self._call(
            AwsRequest(
                service=SERVICE,
                operation=operation,
                members=members,
                region=self._region,
                mutating=mutating,
            )
        )
        return answer.output


def _is_unavailable(failure: AwsFailure) -> bool:
    return failure.kind == "fault" and (
        failure.code in _UNKNOWN_HERE or failure.code.startswith("AccessDenied")
    )
