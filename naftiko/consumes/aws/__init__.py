"""Consumed AWS services: every operation that botocore has a model of."""

from __future__ import annotations

from naftiko.awsapi.catalog import (
    find_operation,
    find_service,
    region_for_host,
    service_for_host,
    service_for_target,
)
from naftiko.consumes.aws.adapter import AwsClientAdapter, compile_aws
from naftiko.consumes.aws.operation import AwsOperation
from naftiko.consumes.aws.service import AwsService, compile_service
from naftiko.consumes.aws.settings import AwsSettings
from naftiko.consumes.aws.signing import AwsKeys

__all__ = [
    "AwsClientAdapter",
    "AwsKeys",
    "AwsOperation",
    "AwsService",
    "AwsSettings",
    "compile_aws",
    "compile_service",
    "find_operation",
    "find_service",
    "region_for_host",
    "service_for_host",
    "service_for_target",
]
