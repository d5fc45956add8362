"""boto3 clients for the stores that bound values are read from: Secrets Manager, Parameter Store.

They are made from the environment that the engine resolved, as calls of `type: aws` are; in the
sandbox they reach the sandbox and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from naftiko.consumes.aws.credentials import new_session
from naftiko.consumes.aws.settings import SANDBOX_REGION, AwsEnvironment

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 5.0


def secret_store_client(
    service: str, region: str | None, environment: Mapping[str, str], *, sandbox: bool
) -> Any:
    """Return a client of the service. It tries once: loading must not take long.

    Raises: BotoCoreError where there is no region or no such profile.
    """
    import boto3
    from botocore.config import Config

    settings = AwsEnvironment(environment, sandbox=sandbox)
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": READ_TIMEOUT_S,
        "retries": {"total_max_attempts": 1},
    }
    keys: dict[str, str | None] = {}
    if sandbox:
        options |= {"proxies": {}, "inject_host_prefix": False}
        region = environment.get("AWS_REGION") or SANDBOX_REGION
        keys = {
            "aws_access_key_id": environment.get("AWS_ACCESS_KEY_ID") or "sandbox",
            "aws_secret_access_key": environment.get("AWS_SECRET_ACCESS_KEY") or "sandbox",
            "aws_session_token": environment.get("AWS_SESSION_TOKEN"),
        }
    session = boto3.Session(botocore_session=new_session(settings, None))
    return session.client(
        service,
        region_name=region or settings.region,
        endpoint_url=settings.endpoint_url(service),
        config=Config(**options),
        **keys,
    )
