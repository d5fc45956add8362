"""The integrations `arn:aws:states:::aws-sdk:<service>:<operation>`, for all that botocore knows.

moto guesses names by case rules, which miss `DbSnapshotIdentifier`, and names the errors of two
services only. Here service, operation, members and errors are found in botocore's model by the
names that Step Functions gives them (`naftiko.workflow.asl.names`). Applied by
`naftiko.sandbox.patches`.
"""

from __future__ import annotations

import base64
import datetime
import functools
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (  # noqa: E501
    StateTaskServiceAwsSdk,
)

from naftiko.awsapi import catalog
from naftiko.workflow.asl import names

_from_other_error = StateTaskServiceAwsSdk._from_error


def apply() -> None:
    """Change moto's class."""
    StateTaskServiceAwsSdk._get_boto_service_name = _service_name
    StateTaskServiceAwsSdk._get_boto_service_action = _action
    StateTaskServiceAwsSdk._normalise_parameters = _to_api
    StateTaskServiceAwsSdk._normalise_response = _from_api
    StateTaskServiceAwsSdk._from_error = _from_error


@functools.lru_cache(maxsize=1)
def _services() -> dict[str, str]:
    """Return botocore's names by those in resources; reads every model's head once."""
    found = {}
    for name in catalog.service_names():
        found[names.sdk_service(catalog.service_model(name))] = name
    return found


@functools.lru_cache(maxsize=256)
def service_for(name: str) -> str:
    """Return botocore's name: "cloudwatchlogs" -> "logs".

    Raises: LookupError.
    """
    near = catalog.find_service(name)
    if near is not None and names.sdk_service(catalog.service_model(near)) == name:
        return near
    found = _services().get(name)
    if found is None:
        raise LookupError(f"The service '{name}' is not supported by aws-sdk integrations")
    return found


@functools.lru_cache(maxsize=512)
def operation_for(service: str, action: str) -> Any:
    """Return the model of an operation: ("rds", "createDBSnapshot").

    Raises: LookupError.
    """
    model = catalog.service_model(service)
    for name in model.operation_names:
        if names.sdk_operation(name) == action:
            return model.operation_model(name)
    raise LookupError(f"The resource 'aws-sdk:{service}:{action}' is not recognized")


def _model(task: Any) -> Any:
    return operation_for(service_for(task.resource.api_name), task.resource.api_action)


def _service_name(self: Any, boto_service_name: str | None = None) -> str:
    return service_for(boto_service_name or self.resource.api_name)


def _action(self: Any, service_action_name: str | None = None) -> str:
    action = service_action_name or self.resource.api_action
    service = service_for(self.resource.api_name)
    return str(xform_name(operation_for(service, action).name))


def _to_api(self: Any, parameters: Any, *_: Any) -> None:
    shape = _model(self).input_shape
    members = {} if shape is None else request(parameters, shape)
    parameters.clear()
    parameters.update(members)


def _from_api(self: Any, response: Any, *_: Any) -> None:
    shape = _model(self).output_shape
    if isinstance(response, dict):
        members = {} if shape is None else answer(response, shape)
        response.clear()
        response.update(members)


def request(value: Any, shape: Any) -> Any:
    """Return a value by the names and types of the API.

    Raises: ValueError, for a member that the API does not have under that name.
    """
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict) and not shape.metadata.get("document"):
        known = {names.sdk_member(name): name for name in shape.members}
        for name in value:
            if name not in known:
                raise ValueError(f"The field '{name}' is not supported by Step Functions")
        return {known[n]: request(v, shape.members[known[n]]) for n, v in value.items()}
    if kind == "list" and isinstance(value, list):
        return [request(item, shape.member) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {name: request(item, shape.value) for name, item in value.items()}
    if kind == "string" and not isinstance(value, str | None):
        return names_json(value)
    if kind == "blob" and not isinstance(value, bytes):
        return (value if isinstance(value, str) else names_json(value)).encode()
    return value


def answer(value: Any, shape: Any) -> Any:
    """Return a value by the names of Step Functions, as JSON."""
    if isinstance(value, datetime.datetime):
        text = value.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
        return text.removesuffix("+00:00").removesuffix(".000") + "Z"
    if isinstance(value, StreamingBody):
        return value.read().decode(errors="replace")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if shape is None:
        return value
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict) and not shape.metadata.get("document"):
        return {
            names.sdk_member(name): answer(item, shape.members[name])
            for name, item in value.items()
            if name in shape.members
        }
    if kind == "list" and isinstance(value, list):
        return [answer(item, shape.member) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {name: answer(item, shape.value) for name, item in value.items()}
    return value


def names_json(value: Any) -> str:
    """Return a value as the JSON text that a text member gets."""
    import json

    return json.dumps(value, separators=(",", ":"))


def _from_error(self: Any, env: Any, ex: Exception) -> Any:
    if isinstance(ex, ClientError):
        answered = ex.response["ResponseMetadata"]
        prefix = names.error_prefix(_model(self).service_model)
        cause = (
            f"{ex.response['Error'].get('Message', '')} (Service: {prefix}, "
            f"Status Code: {answered.get('HTTPStatusCode')}, "
            f"Request ID: {answered.get('RequestId')})"
        )
        error = error_name(_model(self), str(ex.response["Error"].get("Code", "")))
        return self._get_task_failure_event(env=env, error=error, cause=cause)
    if isinstance(ex, BotoCoreError):
        prefix = names.error_prefix(_model(self).service_model)
        error = names.connection_error(prefix)
        return self._get_task_failure_event(env=env, error=error, cause=str(ex))
    return _from_other_error(self, env, ex)


def error_name(operation: Any, code: str) -> str:
    """Return what Step Functions calls an error: "Rds.DbSnapshotAlreadyExistsException"."""
    model = operation.service_model
    prefix = names.error_prefix(model)
    for shape in (*operation.error_shapes, *model.error_shapes):
        if code in {names.error_code(shape), shape.name}:
            return names.sdk_error(prefix, shape.name)
    return names.other_error(prefix)
