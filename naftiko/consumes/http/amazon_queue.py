"""The queue URL of SQS from the path that a file calls: `/{accountId}/{queueName}/attributes`.

In the query API of SQS a queue's URL is where a call goes; in the JSON API it is a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from urllib.parse import quote

from naftiko.consumes.aws.endpoints import EndpointError
from naftiko.consumes.aws.operation import AwsOperation
from naftiko.consumes.aws.service import AwsService
from naftiko.consumes.http.source import OperationSource
from naftiko.document.nodes import Mapping as MappingNode
from naftiko.errors import ConsumedError
from naftiko.plan.ports import Parameter
from naftiko.values import MISSING, JsonValue, Missing

QUEUE_URL = "QueueUrl"

_VARIABLE = r"\{\{?\s*([A-Za-z0-9_-]+)\s*\}?\}"
_QUEUE_PATH = re.compile(rf"/{_VARIABLE}/{_VARIABLE}(?:[/#?].*)?")


class QueueUrl:
    """The URL of the queue that two arguments name: the account, and the queue."""

    def __init__(self, service: AwsService, account: str, queue: str) -> None:
        """Keep the names of the arguments; the endpoint is looked for at the first call."""
        self._service = service
        self._names = (account, queue)

    def get(self, scope: Mapping[str, JsonValue]) -> JsonValue | Missing:
        """Return the URL; MISSING where an argument is.

        Raises: ConsumedError where the service has no endpoint.
        """
        given = [scope.get(name) for name in self._names]
        if any(value is None for value in given):
            return MISSING
        return "/".join([self._endpoint, *(quote(str(value), safe="") for value in given)])

    @cached_property
    def _endpoint(self) -> str:
        try:
            return self._service.endpoints().resolve().url
        except EndpointError as error:
            message = f"{self._service.namespace}: no endpoint: {error}"
            raise ConsumedError(code="no-endpoint", message=message) from error

    def parameters(self) -> Iterator[Parameter]:
        """Yield the arguments that name the queue."""
        about = ("The AWS account of the queue, 12 digits.", "The name of the queue.")
        for name, description in zip(self._names, about, strict=True):
            schema: dict[str, JsonValue] = {"type": "string", "description": description}
            yield Parameter(name=name, schema=schema, required=True, in_="path")


def queue_url(source: OperationSource, inner: AwsOperation) -> QueueUrl | None:
    """Return what makes the queue URL, None where the file gives it by its name, or not at all."""
    if inner.called.service != "sqs" or all(item.name != QUEUE_URL for item in inner.visible):
        return None
    match = _QUEUE_PATH.fullmatch((source.operation.path or source.resource.path).text.strip())
    body = source.operation.body.data if source.operation.body else None
    if match is None or (isinstance(body, MappingNode) and QUEUE_URL in body):
        return None
    levels = (source.consumes, source.resource, source.operation)
    if any(item.name == QUEUE_URL for level in levels for item in level.input_parameters):
        return None
    return QueueUrl(inner.service, match[1], match[2])
