"""Names of the SDK for Java 2.x: known accessors and exception classes of it."""

from __future__ import annotations

import pytest

from naftiko.awsapi import catalog
from naftiko.workflow.asl import names

MEMBERS = {
    "DBInstance": "DbInstance",
    "DBInstanceIdentifier": "DbInstanceIdentifier",
    "DBSnapshots": "DbSnapshots",
    "DbiResourceId": "DbiResourceId",
    "VPCSecurityGroups": "VpcSecurityGroups",
    "VpcId": "VpcId",
    "MultiAZ": "MultiAZ",
    "CACertificateIdentifier": "CaCertificateIdentifier",
    "IAMDatabaseAuthenticationEnabled": "IamDatabaseAuthenticationEnabled",
    "TDECredentialArn": "TdeCredentialArn",
    "ETag": "ETag",
    "SSEKMSKeyId": "SsekmsKeyId",
    "ACL": "Acl",
    "MFADelete": "MfaDelete",
    "ID": "Id",
    "clusterArn": "ClusterArn",
    "taskDefinitionArn": "TaskDefinitionArn",
    "stateMachineArn": "StateMachineArn",
    "TableName": "TableName",
    "SS": "Ss",
    "M": "M",
    "NS": "Ns",
    "URL": "Url",
    "QueueUrl": "QueueUrl",
    "Ebs": "Ebs",
    "IPv6": "IPv6",
    "EC2InstanceId": "Ec2InstanceId",
    "logGroupName": "LogGroupName",
    "key": "Key",
}


@pytest.mark.parametrize(("name", "expected"), list(MEMBERS.items()), ids=list(MEMBERS))
def test_members(name: str, expected: str) -> None:
    assert names.sdk_member(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CreateDBSnapshot", "createDBSnapshot"),
        ("DescribeDBInstances", "describeDBInstances"),
        ("ListObjectsV2", "listObjectsV2"),
        ("GetParameter", "getParameter"),
    ],
)
def test_operations(name: str, expected: str) -> None:
    assert names.sdk_operation(name) == expected


@pytest.mark.parametrize(
    ("service", "resource", "prefix"),
    [
        ("rds", "rds", "Rds"),
        ("dynamodb", "dynamodb", "DynamoDb"),
        ("ec2", "ec2", "Ec2"),
        ("s3", "s3", "S3"),
        ("stepfunctions", "sfn", "Sfn"),
        ("elbv2", "elasticloadbalancingv2", "ElasticLoadBalancingV2"),
        ("logs", "cloudwatchlogs", "CloudWatchLogs"),
        ("secretsmanager", "secretsmanager", "SecretsManager"),
    ],
)
def test_services(service: str, resource: str, prefix: str) -> None:
    model = catalog.service_model(service)
    assert names.sdk_service(model) == resource
    assert names.error_prefix(model) == prefix


@pytest.mark.parametrize(
    ("prefix", "shape", "expected"),
    [
        ("Rds", "DBSnapshotAlreadyExistsFault", "Rds.DbSnapshotAlreadyExistsException"),
        ("Rds", "DBInstanceNotFoundFault", "Rds.DbInstanceNotFoundException"),
        ("DynamoDb", "ResourceNotFoundException", "DynamoDb.ResourceNotFoundException"),
        ("S3", "NoSuchKey", "S3.NoSuchKeyException"),
        ("Ssm", "ParameterNotFound", "Ssm.ParameterNotFoundException"),
    ],
)
def test_errors(prefix: str, shape: str, expected: str) -> None:
    assert names.sdk_error(prefix, shape) == expected


def test_members_of_a_structure_stay_apart() -> None:
    # Two members with one name could not be told apart in a result.
    for service in ("rds", "ec2", "s3", "dynamodb", "ssm", "ecs", "lambda", "iam"):
        model = catalog.service_model(service)
        for shape_name in model.shape_names:
            shape = model.shape_for(shape_name)
            if shape.type_name == "structure":
                found = [names.sdk_member(name) for name in shape.members]
                assert len(set(found)) == len(found), f"{service} {shape_name}"
