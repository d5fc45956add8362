"""Reads the tables of these tests."""

from __future__ import annotations

from pathlib import Path

import yaml

TABLES = Path(__file__).with_name("tables")


SWEPT = (
    *("rds", "ec2", "s3", "dynamodb", "lambda", "sns", "sqs", "cloudwatch", "logs", "iam", "ecs"),
    *("ssm", "secretsmanager", "kms", "events", "autoscaling", "elbv2", "route53", "acm", "ecr"),
    *("stepfunctions", "backup", "cloudformation", "sts", "elasticache", "efs", "kinesis", "glue"),
    *("athena", "cloudtrail", "eks", "redshift"),
)
"""Services whose every operation is looked up."""


def table(name: str, section: str) -> list[list[str]]:
    rows: list[list[str]] = yaml.safe_load((TABLES / f"{name}.yaml").read_text())[section]
    return rows
