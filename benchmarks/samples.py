"""What the upstream answers and the load asks for, in one place for all who measure."""

from __future__ import annotations

import json

ACCOUNT = "123456789012"
REGION = "us-east-1"
ARN = f"arn:aws:states:{REGION}:{ACCOUNT}"
STARTED_AT = 1_790_000_000.123

SYNC_EXECUTION_S = 0.1
POLL_S = 5.0

MACHINES = {
    "stateMachines": [
        {
            "creationDate": STARTED_AT + 3601.5 * number,
            "name": f"order-processing-{number:02d}",
            "stateMachineArn": f"{ARN}:stateMachine:order-processing-{number:02d}",
            "type": "STANDARD",
        }
        for number in range(20)
    ]
}
STARTED = {
    "executionArn": f"{ARN}:execution:order-processing-01:run-1",
    "startDate": STARTED_AT,
}
FINISHED = {
    "executionArn": f"{ARN}:express:hello:run-1:1",
    "input": "{}",
    "output": '"hello"',
    "startDate": STARTED_AT,
    "status": "SUCCEEDED",
    "stopDate": STARTED_AT + SYNC_EXECUTION_S,
}
NO_TASK = {"taskToken": ""}

START_REQUEST = {
    "stateMachineArn": f"{ARN}:stateMachine:order-processing-01",
    "name": "run-1",
    "input": {"order": "A-1", "total": 12, "items": [{"sku": "pen", "count": 2}]},
}
SYNC_REQUEST = {"stateMachineArn": f"{ARN}:stateMachine:hello", "input": {}}
POLL_REQUEST = {"activityArn": f"{ARN}:activity:approve", "workerName": "worker-1"}

PAGE = 100
"""State machines that AWS lists at a time where nobody says how many."""


def express_machines(count: int) -> list[dict[str, object]]:
    """Return Express state machines as ListStateMachines has them; tools are made of them."""
    return [
        {
            "creationDate": STARTED_AT + 3601.5 * number,
            "name": f"order-step-{number:03d}",
            "stateMachineArn": f"{ARN}:stateMachine:order-step-{number:03d}",
            "type": "EXPRESS",
        }
        for number in range(count)
    ]


def tool_names(count: int) -> list[str]:
    """Return what the tools of those state machines are called, on both sides."""
    return [f"order_step_{number:03d}" for number in range(count)]


def described(machine: dict[str, object]) -> dict[str, object]:
    """Return what DescribeStateMachine says of one."""
    definition = {
        "Comment": f"What {machine['name']} does with an order, in one sentence.",
        "StartAt": "Check",
        "States": {"Check": {"Type": "Pass", "Next": "Done"}, "Done": {"Type": "Succeed"}},
    }
    return {
        **machine,
        "definition": json.dumps(definition),
        "description": "A step of the processing of orders.",
        "loggingConfiguration": {"includeExecutionData": False, "level": "OFF"},
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/orders",
        "status": "ACTIVE",
        "tracingConfiguration": {"enabled": False},
    }


TOOL_ARGUMENTS = {"parameters": {"order": "A-1", "total": 12, "items": [{"sku": "pen"}]}}
