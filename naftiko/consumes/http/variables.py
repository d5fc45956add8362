"""What is known of a host at load: variables that no bind and no argument gives; AWS or not."""

from __future__ import annotations

import re

from naftiko.plan.ports import ClientContext

REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")

_REGION_NAMES = frozenset({"region", "awsregion"})
_AWS_HOST = re.compile(r"(?:.*\.)?(?:amazonaws\.[a-z.-]+|(?:[a-z0-9-]+\.)*aws)\.?(?::\d+)?")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[-.]")


def host_variable(name: str, context: ClientContext) -> str | None:
    """Return the value of a host's variable from the environment.

    "region" -> REGION, then AWS_REGION, then AWS_DEFAULT_REGION; "tenantId" -> TENANT_ID.
    """
    last = name.rpartition(".")[2]
    upper = _WORD_START.sub("_", last).upper()
    for variable in (last, upper):
        value = context.bound(variable) or context.environment.get(variable)
        if value:
            return value
    if upper.replace("_", "").lower() in _REGION_NAMES:
        return region(context)
    return None


def region(context: ClientContext) -> str | None:
    """Return the AWS region that binds or the environment name."""
    for variable in REGION_VARIABLES:
        value = context.bound(variable) or context.environment.get(variable)
        if value:
            return value
    return None


def is_amazon(base_uri: str) -> bool:
    """Tell whether a base URI may be an AWS one, without reading a model."""
    text = base_uri.lower()
    return ".amazonaws." in text or ".api.aws" in text


def is_aws_host(host: str) -> bool:
    """Tell whether a host belongs to AWS, be it a service's or a customer's API in it.

    "abc.execute-api.eu-west-1.amazonaws.com", "abc.lambda-url.us-east-1.on.aws"
    """
    return _AWS_HOST.fullmatch(host.lower()) is not None
