"""The role that executions run with: its credentials are renewed before they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest, CallAws
from naftiko.workflow.runtime.role import AGAIN_S, RENEW_S, Role
from naftiko.workflow.security.session import SESSION_S
from naftiko.workflow.simulated import SimulatedClock
from tests.unit.workflow.runtime.catalogs import catalog, dedent
from tests.unit.workflow.runtime.services import order, running, service, serving
from tests.unit.workflow.vm.worlds import Json, World

ASSUME = AwsRequest(service="sts", operation="AssumeRole", members={}, mutating=False)
ROLE: Json = {
    "execution_role": "arn:aws:iam::1:role/r",
    "tiers_enabled": ("community", "verified", "enterprise"),
    "dev": True,
}
LOOK = AwsRequest(service="rds", operation="DescribeDBInstances", members={}, timeout_s=40)


class Sts:
    """STS, which makes sessions 1, 2, ...; and AWS, which tells with which one it was called."""

    def __init__(self, life_s: float | None = 3_600.0) -> None:
        self.clock = SimulatedClock()
        self.life_s = life_s
        self.made = 0
        self.failure: AwsFailure | None = None
        self.used: list[str] = []
        self.asked: list[AwsRequest] = []
        self.expired: set[str] = set()
        self.role = Role(self.assume, self.with_keys, self.clock, ASSUME)

    async def assume(self, request: AwsRequest, /) -> AwsAnswer:
        self.asked.append(request)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        self.made += 1
        keys: Json = {
            "AccessKeyId": str(self.made),
            "SecretAccessKey": "s",
            "SessionToken": "t",
        }
        if self.life_s is not None:
            end = self.clock.now() + timedelta(seconds=self.life_s)
            keys["Expiration"] = end.isoformat().replace("+00:00", "Z")
        return AwsAnswer(output={"Credentials": keys})

    def with_keys(self, credentials: Json) -> CallAws:
        name = str(credentials["AccessKeyId"])

        async def call(request: AwsRequest, /) -> AwsAnswer:
            self.used.append(name)
            if name in self.expired:
                raise AwsFailure("fault", code="ExpiredToken", status=400)
            return AwsAnswer(output={})

        return call

    async def look(self, after_s: float = 0.0) -> None:
        self.clock.advance(after_s)
        await self.role(LOOK)


def on(test: Callable[[Sts], Any], life_s: float | None = 3_600.0) -> Sts:
    sts = Sts(life_s)

    async def work() -> None:
        await sts.role.assume()
        await test(sts)

    asyncio.run(work())
    return sts


@pytest.mark.parametrize(
    ("life_s", "holds_s"),
    [(3_600.0, 3_600 - RENEW_S), (900.0, 675.0), (None, SESSION_S - RENEW_S), (-60.0, 3_300.0)],
)
def test_credentials_are_renewed_before_they_end(life_s: float | None, holds_s: float) -> None:
    async def test(sts: Sts) -> None:
        await sts.look(holds_s - 1)
        assert sts.used == ["1"]
        await sts.look(1)
        await sts.look(1)
        assert sts.used == ["1", "2", "2"]

    on(test, life_s)


def test_many_at_once_renew_them_once() -> None:
    async def test(sts: Sts) -> None:
        sts.clock.advance(3_500)
        await asyncio.gather(*(sts.look() for _ in range(10)))
        assert sts.used == ["2"] * 10

    assert on(test).made == 2


def test_while_they_hold_a_renewal_may_fail() -> None:
    async def test(sts: Sts) -> None:
        sts.failure = AwsFailure("timeout")
        await sts.look(3_400)
        await sts.look(1)
        assert (sts.used, len(sts.asked)) == (["1", "1"], 2)
        await sts.look(AGAIN_S)
        assert len(sts.asked) == 3
        sts.failure = None
        await sts.look(AGAIN_S)
        assert sts.used[-1] == "2"

    on(test)


@pytest.mark.parametrize("kind", ["timeout", "connection", "fault"])
def test_without_credentials_nothing_is_sent_and_nothing_is_ambiguous(kind: str) -> None:
    async def test(sts: Sts) -> None:
        sts.failure = AwsFailure(kind, code="X", status=500)
        with pytest.raises(AwsFailure) as failure:
            await sts.look(4_000)
        assert not failure.value.sent
        assert sts.used == []
        assert sts.asked[-1].timeout_s <= LOOK.timeout_s / 2

    on(test)


def test_what_is_refused_as_expired_goes_out_again_with_new_ones() -> None:
    async def test(sts: Sts) -> None:
        sts.expired = {"1"}
        await sts.look()
        assert sts.used == ["1", "2"]
        sts.expired = {"2", "3"}
        with pytest.raises(AwsFailure):
            await sts.look()
        assert sts.used == ["1", "2", "2", "3"], "once"

    on(test)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Credentials": None},
        {"Credentials": "${x}"},
        {"Credentials": {"AccessKeyId": "a"}},
        {"Credentials": {"AccessKeyId": "a", "SecretAccessKey": 1, "SessionToken": []}},
    ],
)
def test_an_answer_without_credentials_ends_it_with_the_reason(
    tmp_path: Path, answer: Json
) -> None:
    async def test() -> None:
        aws = World({"AssumeRole": answer})
        root = catalog(tmp_path, PAUSING, is_signed=False)
        async with serving(service(root, aws, **ROLE)) as made:
            end: Any = await made.execute(order("pausing"))
            assert (end["status"], end["error"]["type"]) == ("failed", "AwsError")
            assert end["error"]["aws_code"] == "UnreadableAnswer"

    running(test())


PAUSING = dedent("""
    name: pausing
    version: "1.0"
    description: "Looks, waits for an hour, and looks again"
    metadata: {tier: enterprise, max_duration: 3h}
    steps:
      - {id: one, type: command, context: {service: rds, action: DescribeDBInstances}}
      - {id: pause, type: primitive, action: wait, duration: 1h, timeout: 2h}
      - {id: two, type: command, context: {service: rds, action: DescribeDBInstances}}
""")


def test_an_execution_that_lasts_longer_than_its_session(tmp_path: Path) -> None:
    async def test() -> None:
        aws, made = World(), 0

        def session(_: AwsRequest) -> Json:
            nonlocal made
            made += 1
            end = aws.clock.now() + timedelta(seconds=3_600)
            keys = {"AccessKeyId": str(made), "SecretAccessKey": "s", "SessionToken": "t"}
            return {"Credentials": {**keys, "Expiration": end.isoformat()}}

        aws.replies["AssumeRole"] = session
        root = catalog(tmp_path, PAUSING, is_signed=False)
        made_by = service(root, aws, clock=aws.clock, call=aws.clock.calling(aws), **ROLE)
        made_by.scans = False
        async with serving(made_by):
            end = await made_by.execute(order("pausing"))
            assert end["status"] == "succeeded", end
        calls = [name for name in aws.calls if name != "GetCallerIdentity"]
        look = "DescribeDBInstances"
        assert calls == ["AssumeRole", look, "AssumeRole", look]

    running(test())
