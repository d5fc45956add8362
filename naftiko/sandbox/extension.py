"""The Step Functions API of the sandbox: moto's, extended to all 37 operations.

A request goes to the function that `ACTIONS` names for its operation, else to moto's own method.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.validate import ParamValidator
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.stepfunctions.responses import StepFunctionResponse

from naftiko.sandbox import (
    activities,
    aliases,
    executions,
    faults,
    machines,
    map_runs,
    redrive,
    sync_execution,
    tags,
    test_state,
    validation,
    versions,
)
from naftiko.sandbox.backend import Backend

Action = Callable[[Backend, Mapping[str, Any]], dict[str, Any]]

ACTIONS: dict[str, Action] = {
    "CreateStateMachine": machines.create,
    "DescribeStateMachine": machines.describe,
    "ListStateMachines": machines.list_all,
    "UpdateStateMachine": machines.update,
    "DeleteStateMachine": machines.delete,
    "ValidateStateMachineDefinition": validation.validate,
    "PublishStateMachineVersion": versions.publish,
    "ListStateMachineVersions": versions.list_all,
    "DeleteStateMachineVersion": versions.delete,
    "CreateStateMachineAlias": aliases.create,
    "DescribeStateMachineAlias": aliases.describe,
    "ListStateMachineAliases": aliases.list_all,
    "UpdateStateMachineAlias": aliases.update,
    "DeleteStateMachineAlias": aliases.delete,
    "StartExecution": executions.start,
    "StartSyncExecution": sync_execution.start,
    "StopExecution": executions.stop,
    "RedriveExecution": redrive.redrive,
    "DescribeExecution": executions.describe,
    "DescribeStateMachineForExecution": executions.describe_machine,
    "ListExecutions": executions.list_all,
    "GetExecutionHistory": executions.history,
    "DescribeMapRun": map_runs.describe,
    "ListMapRuns": map_runs.list_all,
    "UpdateMapRun": map_runs.update,
    "CreateActivity": activities.create,
    "DescribeActivity": activities.describe,
    "ListActivities": activities.list_all,
    "DeleteActivity": activities.delete,
    "GetActivityTask": activities.get_task,
    "SendTaskSuccess": activities.succeed,
    "SendTaskFailure": activities.fail,
    "SendTaskHeartbeat": activities.beat,
    "TestState": test_state.run,
    "TagResource": tags.tag,
    "UntagResource": tags.untag,
    "ListTagsForResource": tags.list_all,
}


class Accounts:
    """The backends of one sandbox, one for each account and region that was asked for."""

    def __init__(self) -> None:
        """Start with none; `endpoint_url` is set once the server listens.

        `load_functions` is called before the first request for Lambda functions.
        """
        self.endpoint_url: str | None = None
        self.load_functions: Callable[[], None] | None = None
        self._backends: dict[tuple[str, str], Backend] = {}
        self._lock = threading.Lock()

    def backend(self, account_id: str, region: str) -> Backend:
        """Return the backend, made on first use."""
        with self._lock:
            key = (account_id, region)
            if key not in self._backends:
                self._backends[key] = Backend(region, account_id, self.endpoint_url)
            return self._backends[key]

    def clear(self) -> None:
        """Abort what runs and forget everything."""
        with self._lock:
            backends = list(self._backends.values())
            self._backends.clear()
        for backend in backends:
            backend.close()


class Response(StepFunctionResponse):  # type: ignore[misc] # moto is untyped
    """Answers one request, with moto's own parsing of headers and its serializer."""

    def __init__(self, accounts: Accounts) -> None:
        """Answer from these accounts."""
        super().__init__()
        self._accounts = accounts

    @property
    def stepfunction_backend(self) -> Backend:
        """Return the backend of the caller's account and region."""
        return self._accounts.backend(self.current_account, self.region)

    def call_action(self) -> Any:
        """Answer with our function for the operation, or with moto's."""
        operation = str(self._get_action())
        action = ACTIONS.get(operation)
        if action is None:
            return super().call_action()
        try:
            request = self._checked_request(operation)
            result = action(self.stepfunction_backend, request)
        except faults.ApiFault as error:
            status, body = 400, json.dumps(error.as_json())
            headers = self.response_headers | {"Content-Type": "application/x-amz-json-1.0"}
        else:
            status, headers, body = self.serialized(ActionResult(result))
        headers, body = self._enrich_response(headers, body)
        return status, headers, body

    def _checked_request(self, operation: str) -> dict[str, Any]:
        try:
            request = json.loads(self.body or "{}")
        except ValueError as error:
            raise faults.fault("SerializationException", "the body is not JSON") from error
        if not isinstance(request, dict):
            raise faults.fault("SerializationException", "the body is not a JSON object")
        shape = get_service_model("stepfunctions").operation_model(operation).input_shape
        report = ParamValidator().validate(request, shape)
        if report.has_errors():
            raise faults.validation_error(report.generate_report())
        return request
