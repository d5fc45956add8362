"""What stands between an order and AWS: as whom it is called, and what may be called.

Spec: section 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from naftiko.values import JsonObject
from naftiko.workflow.ports import AwsFailure, CallAws, Clock, Principal
from naftiko.workflow.runtime.answered import answered
from naftiko.workflow.runtime.orders import Order
from naftiko.workflow.runtime.plans import Runnable
from naftiko.workflow.runtime.policy import Policy, Refused
from naftiko.workflow.runtime.remote_machine import (
    STARTING,
    TARGET,
    check_deployed,
    check_mode,
    permissions,
)
from naftiko.workflow.runtime.role import Role
from naftiko.workflow.security.permissions import (
    PermissionChecker,
    PermissionResult,
    Question,
    identify,
)
from naftiko.workflow.security.session import (
    allowed_calls,
    assume_role,
    guarded,
    session_policy,
)
from naftiko.workflow.vm.retry import code_of

IDENTITY_S = 300.0


class Access(Protocol):
    """How AWS is reached: the function, and what is known of where it leads."""

    @property
    def call(self) -> CallAws:
        """The function, with the server's own credentials."""
        ...

    @property
    def region(self) -> str:
        """The region that calls go to."""
        ...

    @property
    def is_loopback(self) -> bool:
        """Whether AWS is on this machine."""
        ...

    def with_keys(self, credentials: JsonObject) -> CallAws:
        """Return the function with other credentials: the `Credentials` of AssumeRole."""
        ...


class Gates:
    """Decides whether something is executed, and gives it its way to AWS."""

    def __init__(self, access: Access, clock: Clock, policy: Policy) -> None:
        """Ask nobody yet."""
        self.access = access
        self._clock = clock
        self._policy = policy
        self._permissions = PermissionChecker(
            call=answered(access.call),
            clock=clock,
            mode=policy.permission_check,
            on_indeterminate=policy.on_indeterminate,
        )
        self._identity: tuple[float, Principal] | None = None

    @property
    def call(self) -> CallAws:
        """AWS with the server's own credentials, and no guard."""
        return answered(self.access.call)

    def is_for_remote(self, order: Order) -> bool:
        """Tell whether Step Functions is to run it."""
        return (order.target or self._policy.target) == TARGET

    async def principal(self, mode: str) -> Principal:
        """Return as whom AWS is called; `plan` asks nobody.

        Raises: Refused[AwsError].
        """
        now = self._clock.monotonic()
        if self._identity is not None and now - self._identity[0] < IDENTITY_S:
            return self._identity[1]
        if mode == "plan":
            return Principal(region=self.access.region)
        try:
            principal = await identify(self.call, self.access.region)
        except AwsFailure as error:
            message, hint = _not_known(error)
            raise Refused(
                "AwsError", message, hint=hint, aws_code=code_of(error) or error.kind
            ) from None
        self._identity = (now, principal)
        return principal

    async def check_target(self, runnable: Runnable, order: Order, principal: Principal) -> None:
        """See that it can run where it is to run.

        Raises: Refused[InvalidParameters, NotDeployed, IntegrityError, AwsError].
        """
        if not self.is_for_remote(order):
            return
        check_mode(order.mode)
        if order.mode == "full":
            await check_deployed(runnable.plan, self.call, principal)

    async def permitted(
        self, runnable: Runnable, parameters: JsonObject, principal: Principal, order: Order
    ) -> list[str]:
        """See that the caller may do what the plan does; return what there is to warn of.

        Raises: Refused[PermissionDenied].
        """
        if order.mode == "plan":
            return []
        asked, templates = _needs(runnable)
        if order.mode == "full" and self.is_for_remote(order):
            # What the plan calls, the role of its state machine may.
            asked, templates = permissions(runnable.plan)
        question = Question(
            checksum=runnable.verified.checksum,
            required=asked,
            resources=templates,
            parameters=parameters,
            read_only=runnable.metadata["read_only"] is True,
        )
        result = await self._permissions.check(question, principal)
        if not result.proceeds:
            raise Refused(
                "PermissionDenied",
                result.message,
                missing=result.missing,
                undecided=result.undecided,
            )
        return [result.warning] if result.warning else []

    async def may_run(
        self, questions: Sequence[Question], principal: Principal
    ) -> list[PermissionResult]:
        """Tell of several plans whether the caller may do what they do, whatever to.

        What their parameters name is not known yet: an action counts for all resources. What Step
        Functions runs, the role of its state machine may do.
        """
        if self._policy.target == TARGET:
            questions = [replace(one, required=STARTING) for one in questions]
        return await self._permissions.check_all(questions, principal)

    async def call_of(
        self, execution_id: str, runnable: Runnable, parameters: JsonObject, principal: Principal
    ) -> CallAws:
        """Return AWS as one execution reaches it: with its role, and only for what its plan names.

        Raises: AwsFailure; StartError, if the session policy of the role is too long.
        """
        call = self.call
        role = self._policy.execution_role
        if role is not None:
            asked, templates = _needs(runnable)
            policy = session_policy(asked, templates, parameters, principal)
            request = assume_role(role, execution_id, policy)
            assumed = Role(call, self.access.with_keys, self._clock, request)
            await assumed.assume()
            call = assumed
        return guarded(call, allowed_calls(runnable.plan))


def _needs(runnable: Runnable) -> tuple[list[str], dict[str, list[str]]]:
    """Return the actions that a plan needs, and their resources, as templates."""
    required = runnable.metadata["required_permissions"]
    resources = runnable.metadata["permission_resources"]
    assert isinstance(required, list)
    assert isinstance(resources, dict)
    templates = {
        name: [str(arn) for arn in arns]
        for name, arns in resources.items()
        if isinstance(arns, list)
    }
    return [str(action) for action in required], templates


def _not_known(error: AwsFailure) -> tuple[str, str]:
    """Say why it is not known as whom AWS is called, and the way out."""
    if error.code == "NoCredentials":
        return (
            "there are no AWS credentials",
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a sandbox needs none",
        )
    if error.kind in {"connection", "timeout"}:
        return "AWS cannot be reached", "check the network, the region and the endpoint"
    return "AWS does not accept the credentials", "check them: they may have expired"
