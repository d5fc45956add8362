"""A sandbox per module, a boto3 client on it, and short ways to say what tests want."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from naftiko.sandbox import Sandbox, SandboxAccount
from tests.live.waiting import until

ROLE = "arn:aws:iam::123456789012:role/states"
DEADLINE_S = 120.0
"""For what does come on a busy machine: only what never comes takes so long."""

PASS = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
FOREVER = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}


def connect(account: SandboxAccount, service: str = "stepfunctions") -> Any:
    """Return a client that tries once."""
    return boto3.client(
        service,
        endpoint_url=account.endpoint_url,
        region_name=account.region,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
        config=Config(
            retries={"total_max_attempts": 1},
            max_pool_connections=64,
            proxies={},
            inject_host_prefix=False,
        ),
    )


def eventually(check: Callable[[], Any]) -> Any:
    """Return the first true answer of `check`."""
    return until(lambda: check() or None, DEADLINE_S)


class Steps:
    """Step Functions, said briefly."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._made = 0

    def machine(self, definition: Any = PASS, **fields: Any) -> str:
        """Create a machine of any name and return its ARN."""
        self._made += 1
        fields.setdefault("name", f"machine-{self._made}-{time.monotonic_ns()}")
        created = self.client.create_state_machine(
            definition=json.dumps(definition), roleArn=ROLE, **fields
        )
        return str(created["stateMachineArn"])

    def start(self, machine: str, given: Any = None, **fields: Any) -> str:
        """Start an execution and return its ARN."""
        started = self.client.start_execution(
            stateMachineArn=machine, input=json.dumps({} if given is None else given), **fields
        )
        return str(started["executionArn"])

    def finish(self, execution: str) -> dict[str, Any]:
        """Wait for the end of an execution and describe it."""

        def ended() -> dict[str, Any] | None:
            described = self.client.describe_execution(executionArn=execution)
            return None if described["status"] == "RUNNING" else described

        return dict(eventually(ended))

    def run(self, definition: Any, given: Any = None) -> dict[str, Any]:
        """Run a new machine to its end."""
        return self.finish(self.start(self.machine(definition), given))

    def events(self, execution: str) -> list[str]:
        """Return the types of an execution's events."""
        history = self.client.get_execution_history(executionArn=execution)
        return [event["type"] for event in history["events"]]

    def entered(self, execution: str) -> list[str]:
        """Return the names of the states that an execution entered."""
        history = self.client.get_execution_history(executionArn=execution)
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in history["events"]
            if "stateEnteredEventDetails" in event
        ]

    def await_exit(self, execution: str, state: str) -> None:
        """Wait until an execution has left a state."""

        def left() -> bool:
            history = self.client.get_execution_history(executionArn=execution)
            names = [
                event["stateExitedEventDetails"]["name"]
                for event in history["events"]
                if "stateExitedEventDetails" in event
            ]
            return state in names

        eventually(left)

    def refusal(self, operation: str, **request: Any) -> str:
        """Return the code of the error that a call must end in."""
        with pytest.raises(ClientError) as caught:
            getattr(self.client, operation)(**request)
        return str(caught.value.response["Error"]["Code"])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Iterator[Any]:
    made = connect(sandbox.account)
    yield made
    made.close()


@pytest.fixture(scope="module")
def steps(client: Any) -> Steps:
    return Steps(client)
