"""A catalog, a clock that is moved by hand, and an IAM that answers as it is told."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from naftiko.search.embedders import find_embedder
from naftiko.workflow.discovery.live import LiveIndex
from naftiko.workflow.discovery.permitted import Permitted
from naftiko.workflow.discovery.suggest import Suggester
from naftiko.workflow.ports import AwsFailure, CallAws
from naftiko.workflow.runtime.gates import Gates
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.policy import Policy
from tests.case_files import CASES
from tests.unit.workflow.plan.plans import NOW
from tests.unit.workflow.security.aws import ScriptedAws

FOLDER = CASES / "workflow-discovery"
SOURCES: list[str] = yaml.safe_load((FOLDER / "sources.yaml").read_text(encoding="utf-8"))
IDENTITY = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ann"}
Json = dict[str, Any]


class HandClock:
    """Stands still; who sleeps wakes when it is moved. `sleepers`: how many do."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleepers = 0
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        until = self.seconds + seconds
        self.sleepers += 1
        try:
            while self.seconds < until:
                await self._moved.wait()
        finally:
            self.sleepers -= 1

    def move(self, seconds: float) -> None:
        self.seconds += seconds
        self._moved.set()
        self._moved = asyncio.Event()


class Entrance:
    """`Access` to a scripted AWS."""

    region = "us-east-1"
    is_loopback = False

    def __init__(self, call: CallAws) -> None:
        self.call = call

    def with_keys(self, credentials: Json) -> CallAws:
        raise AssertionError(credentials)


def iam(deny: tuple[str, ...] = (), fail: str = "") -> ScriptedAws:
    """Return an IAM that allows all but these, or fails at everything."""

    def simulate(members: Json) -> Json:
        assert len(members["ActionNames"]) <= 50
        assert "ResourceArns" not in members
        rows = [
            {
                "EvalActionName": name,
                "EvalDecision": "implicitDeny" if name in deny else "allowed",
            }
            for name in members["ActionNames"]
        ]
        return {"EvaluationResults": rows, "IsTruncated": False}

    if fail == "NoCredentials":
        return ScriptedAws(GetCallerIdentity=AwsFailure("not_sent", code=fail, sent=False))
    failure = AwsFailure("fault", code=fail, status=403 if fail == "AccessDenied" else 500)
    answer: Any = failure if fail else simulate
    return ScriptedAws(GetCallerIdentity=IDENTITY, SimulatePrincipalPolicy=answer)


class Room:
    """What suggests, on a catalog."""

    def __init__(self, root: Path, aws: CallAws, *, embedder: str = "none", **policy: Any) -> None:
        self.clock = HandClock()
        if "tiers_enabled" in policy:
            policy["tiers_enabled"] = tuple(policy["tiers_enabled"])
        chosen = Policy(**policy)
        self.plans = Plans(folders=[root], policy=chosen, clock=self.clock)
        self.builds = 0

        def find(name: str) -> Any:
            self.builds += 1
            return find_embedder(name)

        self.live = LiveIndex(self.plans, self.clock, embedder=embedder, find=find, patience_s=60)
        gates = Gates(Entrance(aws), self.clock, chosen)
        self.permitted = Permitted(gates, self.clock, chosen)
        self.suggester = Suggester(
            self.plans, self.live, self.clock, policy=chosen, permitted=self.permitted
        )
