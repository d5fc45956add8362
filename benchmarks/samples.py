"""What the upstream answers and the load asks for, in one place for all who measure."""

from __future__ import annotations

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
