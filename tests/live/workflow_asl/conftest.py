"""A sandbox in which waiting takes no time, and a way to run an exported plan on it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from naftiko.sandbox import Sandbox
from naftiko.workflow.asl import definition_text, execution_input, export
from naftiko.workflow.asl.names import sdk_member
from naftiko.workflow.ports import Principal
from tests.live.sandbox.conftest import ROLE, Steps, connect

NOW = "2026-01-31T10:00:00.000Z"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How an execution ended, and which calls it made: [(operation, arguments)]."""

    status: str
    output: Any
    error: dict[str, Any]
    calls: list[tuple[str, dict[str, Any]]]

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]


Run = Callable[..., Ended]
Aws = Callable[[str], Any]


def renamed(value: Any) -> Any:
    """Return members with the names of Step Functions, as far as a name alone tells."""
    if isinstance(value, dict):
        return {sdk_member(name): renamed(item) for name, item in value.items()}
    return [renamed(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAFTIKO_SANDBOX_TIME_SCALE", "0.0001")
        with Sandbox.start() as running:
            yield running


@pytest.fixture
def clean(sandbox: Sandbox) -> Sandbox:
    sandbox.reset()
    return sandbox


@pytest.fixture
def aws(clean: Sandbox) -> Callable[[str], Any]:
    return lambda service: connect(clean.account, service)


@pytest.fixture
def run(aws: Callable[[str], Any]) -> Run:
    """Return what exports a plan, registers it, starts it and waits for the end."""
    client = aws("stepfunctions")
    steps = Steps(client)

    def run_plan(plan: dict[str, Any], parameters: dict[str, Any], **facts: Any) -> Ended:
        definition = definition_text(export(plan).definition)
        found = client.validate_state_machine_definition(definition=definition)
        assert (found["result"], found["diagnostics"]) == ("OK", [])
        made = client.create_state_machine(
            name=f"m-{uuid.uuid4()}", definition=definition, roleArn=ROLE
        )
        given = execution_input(
            plan,
            parameters,
            execution_id=facts.get("execution_id", "e-1"),
            now=datetime.fromisoformat(facts.get("now", NOW)),
            principal=Principal(),
        )
        execution = steps.start(made["stateMachineArn"], given)
        described = steps.finish(execution)
        return Ended(
            status=described["status"],
            output=json.loads(described.get("output") or "null"),
            error=json.loads(described.get("cause") or "{}"),
            calls=calls_of(client, execution),
        )

    return run_plan


def calls_of(client: Any, execution: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls of AWS that an execution made, in order."""
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution)
    details = [
        event["taskScheduledEventDetails"]
        for page in pages
        for event in page["events"]
        if "taskScheduledEventDetails" in event
    ]
    return [(found["resource"], json.loads(found["parameters"])) for found in details]
