"""AWS as a function: scripted, and by boto3 on the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest


class StubClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class ScriptedAws:
    """Answers by operation: a dict, a function of the members, or a failure to raise."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.requests: list[AwsRequest] = []

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        self.requests.append(request)
        answer = self.answers.get(request.operation, refused())
        if isinstance(answer, Callable):  # type: ignore[arg-type]  # mypy cannot narrow by it
            answer = answer(request.members)
        if isinstance(answer, AwsFailure):
            raise answer
        return AwsAnswer(output=answer)

    @property
    def operations(self) -> list[str]:
        return [request.operation for request in self.requests]


class BotoAws:
    """AWS by boto3, at an endpoint on this machine."""

    def __init__(self, endpoint_url: str, **credentials: str) -> None:
        import boto3

        self._session = boto3.session.Session(region_name="us-east-1", **credentials)
        self._endpoint_url = endpoint_url

    def client(self, service: str) -> Any:
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 1})
        return self._session.client(service, endpoint_url=self._endpoint_url, config=config)

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        from botocore import xform_name
        from botocore.exceptions import ClientError
        from botocore.parsers import ResponseParserError

        method = getattr(self.client(request.service), xform_name(request.operation))
        try:
            answer = method(**request.members)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            code = error.response["Error"]["Code"]
            raise AwsFailure("fault", code=code, status=status) from error
        except ResponseParserError as error:  # moto's word for "not implemented"
            raise AwsFailure("fault", status=500) from error
        answer.pop("ResponseMetadata")
        return AwsAnswer(output=json.loads(json.dumps(answer, default=str)))


def refused(code: str = "AccessDenied", status: int = 403) -> AwsFailure:
    return AwsFailure("fault", code=code, status=status)
