"""AWS as the role that an execution runs with; its credentials are renewed before they end.

Spec: section 7 (`execution_role`). A session lasts an hour at most, an execution may last longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest, CallAws, Clock
from naftiko.workflow.security.session import SESSION_S

RENEW_S = 300.0
"""So long before their end credentials are renewed, or after three quarters of a shorter life."""

AGAIN_S = 30.0
"""When a renewal has failed and the old credentials still hold, it is tried again after this."""

ANSWER_S = 10.0
"""How long STS may take while a request of the plan waits for it."""

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
_PARTS = ("AccessKeyId", "SecretAccessKey", "SessionToken")


class Role:
    """`CallAws` with the credentials of a role.

    `request` asks for them, `with_keys` makes the function that uses them (`Access`).
    """

    def __init__(
        self,
        call: CallAws,
        with_keys: Callable[[JsonObject], CallAws],
        clock: Clock,
        request: AwsRequest,
    ) -> None:
        """Ask for nothing yet."""
        self._ask = call
        self._with_keys = with_keys
        self._clock = clock
        self._request = request
        self._call: CallAws | None = None
        self._ends = 0.0
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    async def assume(self, timeout_s: float | None = None) -> CallAws:
        """Take the role, and return the function that uses its credentials.

        Raises: AwsFailure.
        """
        asked = self._request
        if timeout_s is not None:
            asked = replace(asked, timeout_s=timeout_s)
        credentials = (await self._ask(asked)).output.get("Credentials")
        if not isinstance(credentials, dict) or not all(
            isinstance(credentials.get(name), str) and credentials[name] for name in _PARTS
        ):
            raise AwsFailure("connection", code="UnreadableAnswer", sent=False)
        now = self._clock.now().timestamp()
        life = _life_s(credentials.get("Expiration"), now)
        self._ends = now + life
        self._renew_at = self._ends - min(RENEW_S, life / 4)
        self._call = self._with_keys(credentials)
        return self._call

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        """Send one request, once; its credentials hold.

        Whatever STS says, the request has not been sent then. Raises: AwsFailure.
        """
        began = self._clock.monotonic()
        call = await self._current(request)
        try:
            return await call(_left(request, self._clock.monotonic() - began))
        except AwsFailure as failure:
            if failure.kind != "fault" or failure.code not in _EXPIRED:
                raise
            # Refused for its credentials alone, so that nothing was done.
            call = await self._current(request, used=call)
            return await call(_left(request, self._clock.monotonic() - began))

    async def _current(self, request: AwsRequest, used: CallAws | None = None) -> CallAws:
        """Return the function with credentials that hold, and are not those that were `used`."""
        call = self._call
        if call is not None and call is not used and not self._is_due:
            return call
        async with self._lock:
            call = self._call
            if call is not None and call is not used and not self._is_due:
                return call  # somebody else has renewed them
            try:
                return await self.assume(min(ANSWER_S, request.timeout_s / 2))
            except AwsFailure as failure:
                now = self._clock.now().timestamp()
                if call is not None and call is not used and now < self._ends:
                    self._renew_at = now + AGAIN_S
                    return call
                failure.sent = False
                raise

    @property
    def _is_due(self) -> bool:
        return self._clock.now().timestamp() >= self._renew_at


def _left(request: AwsRequest, used_s: float) -> AwsRequest:
    """Return the request with the time that is left of it."""
    if used_s <= 0:
        return request
    return replace(request, timeout_s=max(0.001, request.timeout_s - used_s))


def _life_s(expiration: JsonValue, now: float) -> float:
    """Return for how long credentials hold that were made just now."""
    try:
        end = datetime.fromisoformat(str(expiration))
    except ValueError:
        return SESSION_S
    left = (end if end.tzinfo is not None else end.replace(tzinfo=UTC)).timestamp() - now
    # Credentials that AWS has just made are not over: one of the two clocks is wrong.
    return left if left > 0 else SESSION_S
