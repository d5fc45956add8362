"""Names that lead to services and operations, and the data files, against botocore."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from naftiko.awsapi import catalog
from naftiko.consumes.aws import rules

FOLDER = Path(rules.__file__).parent
RULE_FILES = ("effects", "idempotent", "json_strings", "outcomes", "timeouts")


def data(name: str) -> Any:
    return orjson.loads((FOLDER / f"{name}.json").read_bytes())


@cache
def found_names() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return the services of each endpoint prefix and each target prefix."""
    prefixes: dict[str, set[str]] = defaultdict(set)
    targets: dict[str, set[str]] = defaultdict(set)
    for name in catalog.service_names():
        metadata = catalog.loader().load_service_model(name, "service-2")["metadata"]
        prefixes[metadata["endpointPrefix"]].add(name)
        if "json" in (metadata.get("protocol"), *metadata.get("protocols", ())):
            targets[metadata.get("targetPrefix", "")].add(name)
    return prefixes, targets


def test_the_names_file_is_what_botocore_has() -> None:
    names = orjson.loads(Path(catalog.__file__).with_name("names.json").read_bytes())
    prefixes, targets = found_names()
    for prefix, service in names["endpointPrefixes"].items():
        assert service in prefixes[prefix], prefix
    missing = {prefix for prefix, services in prefixes.items() if prefix not in services}
    assert missing - {"execute-api"} <= set(names["endpointPrefixes"])
    for prefix, service in names["targetPrefixes"].items():
        assert service in targets[prefix], prefix
    assert {prefix for prefix in targets if prefix} == set(names["targetPrefixes"])
    assert set(names["aliases"].values()) <= set(catalog.service_names())


@pytest.mark.parametrize("file", RULE_FILES)
def test_rules_name_what_there_is(file: str) -> None:
    for service, rule in data(file)["services"].items():
        model = catalog.service_model(service)
        if file == "json_strings":
            members = {
                name
                for shape in model.shape_names
                for name in getattr(model.shape_for(shape), "members", ())
            }
            keys = {
                key
                for shape in model.shape_names
                for key in model.shape_for(shape).metadata.get("enum", ())
            }
            named = {name for kind in rule.values() for name in kind}
            # SNS keeps the names of topic attributes in prose.
            free = {"FilterPolicy", "Policy", "RedrivePolicy"} if service == "sns" else set()
            assert named <= members | keys | free, service
        else:
            assert set(rule) <= set(model.operation_names), service


def test_rules_of_members_name_what_there_is() -> None:
    for service, found in data("outcomes")["services"].items():
        for operation, rule in found.items():
            shape: Any = catalog.service_model(service).operation_model(operation).output_shape
            assert rule["member"] in shape.members
    for file, key in (("timeouts", "plus"), ("idempotent", None)):
        for service, found in data(file)["services"].items():
            for operation, rule in found.items():
                member = rule.get(key) if isinstance(rule, dict) else rule
                if isinstance(member, str):
                    shape = catalog.service_model(service).operation_model(operation).input_shape
                    assert member in shape.members


@pytest.mark.parametrize(
    ("host", "service", "region"),
    [
        ("states.us-east-1.amazonaws.com", "stepfunctions", "us-east-1"),
        ("sync-states.us-east-1.amazonaws.com:443", "stepfunctions", "us-east-1"),
        ("STATES.cn-north-1.amazonaws.com.cn", "stepfunctions", "cn-north-1"),
        ("states-fips.us-gov-west-1.amazonaws.com", "stepfunctions", "us-gov-west-1"),
        ("states.us-east-1.api.aws", "stepfunctions", "us-east-1"),
        ("monitoring.eu-west-1.amazonaws.com", "cloudwatch", "eu-west-1"),
        ("dynamodb.us-east-1.amazonaws.com", "dynamodb", "us-east-1"),
        ("streams.dynamodb.us-east-1.amazonaws.com", "dynamodbstreams", "us-east-1"),
        ("bucket.s3.us-west-2.amazonaws.com", "s3", "us-west-2"),
        ("s3.amazonaws.com", "s3", None),
        ("iam.amazonaws.com", "iam", None),
        ("abc.execute-api.us-east-1.amazonaws.com", None, "us-east-1"),
        ("states.us-east-1.amazonaws.com.evil.example", None, None),
        ("example.com", None, None),
        ("", None, None),
    ],
)
def test_services_of_hosts(host: str, service: str | None, region: str | None) -> None:
    assert catalog.service_for_host(host) == service
    assert catalog.region_for_host(host) == region


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("AWSStepFunctions.ListStateMachines", ("stepfunctions", "ListStateMachines")),
        ("AmazonSQS.SendMessage", ("sqs", "SendMessage")),
        ("DynamoDB_20120810.Query", ("dynamodb", "Query")),
        ("AWSStepFunctions.Nothing", None),
        ("Nothing.ListStateMachines", None),
        ("ListStateMachines", None),
        ("", None),
    ],
)
def test_operations_of_targets(target: str, found: tuple[str, str] | None) -> None:
    assert catalog.service_for_target(target) == found


@pytest.mark.parametrize("name", ["ListStateMachines", "list-state-machines"])
def test_operations_by_both_names(name: str) -> None:
    assert catalog.find_operation("stepfunctions", name) == "ListStateMachines"
    assert catalog.find_operation("stepfunctions", f"{name}x") is None


@pytest.mark.parametrize("name", ["sfn", "SFN", " states", "Step-Functions", "stepfunctions"])
def test_services_by_other_names(name: str) -> None:
    assert catalog.find_service(name) == "stepfunctions"


def test_there_is_a_way_to_each_operation_by_its_kebab_case_name() -> None:
    for service in ("stepfunctions", "s3", "ec2", "iam", "dynamodb"):
        names = catalog.operation_names(service)
        assert len(names) == len(catalog.service_model(service).operation_names)
