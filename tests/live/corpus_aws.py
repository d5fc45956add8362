"""A small AWS account in the sandbox, and arguments that name what is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

from naftiko.consumes.aws.operation import AwsOperation
from naftiko.consumes.http.amazon_operation import AmazonOperation
from naftiko.plan.ports import ClientOperation
from naftiko.sandbox import SandboxAccount

ROLE = "arn:aws:iam::123456789012:role/runner"
PASSES = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
FAILS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "no"}}})
KEY = {"id": {"S": "1"}}

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]")
MORE: dict[str, dict[str, Any]] = {
    "CreateTable": {
        "TableName": "fresh",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    },
    "PutItem": {"Item": KEY},
    "GetItem": {"Key": KEY},
    "UpdateItem": {
        "Key": KEY,
        "UpdateExpression": "SET a = :i",
        "ExpressionAttributeValues": {":i": {"S": "1"}},
    },
    "DeleteItem": {"Key": KEY},
    "Query": {
        "KeyConditionExpression": "id = :i",
        "ExpressionAttributeValues": {":i": {"S": "1"}},
    },
    "CreateStream": {"StreamName": "fresh", "ShardCount": 1},
    "DescribeStreamSummary": {"StreamName": "stream"},
    "PutRule": {"ScheduleExpression": "rate(5 minutes)"},
    "CreateArchive": {
        "ArchiveName": "fresh",
        "EventSourceArn": "arn:aws:events:us-east-1:123456789012:event-bus/default",
    },
    "PutTargets": {"Targets": [{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:queue"}]},
    "TagQueue": {"Tags": {"a": "b"}},
    "AddPermission": {"Actions": ["SendMessage"], "AWSAccountIds": ["123456789012"]},
    "TagResource": {"tags": [{"key": "a", "value": "b"}]},
    "UpdateStateMachine": {"definition": PASSES},
}
"""What an operation needs beside its required parameters, or in the place of a made-up value."""


@dataclass(kw_only=True)
class World:
    """What there is, by the squeezed names of the parameters that ask for it."""

    known: dict[str, str] = field(default_factory=dict)
    by_operation: dict[str, dict[str, str]] = field(default_factory=dict)
    counter: int = 0

    def arguments(self, client: ClientOperation, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return arguments for the required inputs, and what more the operation needs."""
        self.counter += 1
        operation = api_name(client)
        more = MORE.get(operation, {}) | self.by_operation.get(operation, {})
        found = self._object(schema, more)
        names = {squeezed(name): name for name in schema.get("properties", {})}
        for name, value in more.items():
            if squeezed(name) in names:
                found[names[squeezed(name)]] = value
        return found

    def _object(self, schema: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
        properties = schema.get("properties", {})
        wanted = {squeezed(name): value for name, value in more.items()}
        names = set(schema.get("required", ())) | {"body"} & properties.keys()
        names |= {name for name in properties if squeezed(name) in wanted}
        return {
            name: wanted.get(squeezed(name), self._value(name, properties[name], more))
            for name in properties
            if name in names
        }

    def _value(self, name: str, schema: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "string")
        match kind[0] if isinstance(kind, list) else kind:
            case "integer":
                return min(max(5, schema.get("minimum", 0)), schema.get("maximum", 5))
            case "boolean":
                return True
            case "array":
                return [self._value(name, schema.get("items", {}), more)]
            case "object":
                return self._object(schema, more)
            case _:
                return self.known.get(squeezed(name), f"fresh{self.counter}")


def squeezed(name: str) -> str:
    return _NOT_IN_NAMES.sub("", name.lower())


def api_name(client: ClientOperation) -> str:
    """Return the API's name of what is called: `CreateTable`."""
    inner = client.inner if isinstance(client, AmazonOperation) else client
    assert isinstance(inner, AwsOperation)
    return inner.called.operation


def build_world(account: SandboxAccount, service: str) -> World:
    """Make something of each kind that the service's operations name."""
    settings: dict[str, Any] = {
        "endpoint_url": account.endpoint_url,
        "region_name": account.region,
        "aws_access_key_id": account.access_key_id,
        "aws_secret_access_key": account.secret_access_key,
    }
    world = World()
    BUILDERS[service](world, lambda name: boto3.client(name, **settings))
    return world


def _step_functions(world: World, client: Any) -> None:
    sfn = client("stepfunctions")

    def machine(name: str, definition: str, kind: str = "STANDARD") -> str:
        made = sfn.create_state_machine(name=name, definition=definition, roleArn=ROLE, type=kind)
        return str(made["stateMachineArn"])

    passes, fails = machine("passes", PASSES), machine("fails", FAILS)
    express = machine("express", PASSES, "EXPRESS")
    version = sfn.publish_state_machine_version(stateMachineArn=passes)["stateMachineVersionArn"]
    activity = sfn.create_activity(name="work")["activityArn"]
    state = {"Type": "Task", "Resource": activity, "End": True}
    waits = machine("waits", json.dumps({"StartAt": "A", "States": {"A": state}}))
    for _ in range(6):
        sfn.start_execution(stateMachineArn=waits)

    def token() -> str:
        return str(sfn.get_activity_task(activityArn=activity)["taskToken"])

    execution = sfn.start_execution(stateMachineArn=waits)["executionArn"]
    failed = sfn.start_execution(stateMachineArn=fails)["executionArn"]
    world.known |= {
        "statemachinearn": passes,
        "resourcearn": passes,
        "executionarn": execution,
        "activityarn": activity,
        "definition": PASSES,
        "rolearn": ROLE,
        "maxresults": "5",
        "nexttoken": "",
        "input": "{}",
        "output": "{}",
    }
    world.by_operation |= {
        "StartSyncExecution": {"stateMachineArn": express},
        "RedriveExecution": {"executionArn": failed},
        "ListExecutions": {"stateMachineArn": passes},
        "SendTaskSuccess": {"taskToken": token()},
        "SendTaskFailure": {"taskToken": token()},
        "SendTaskHeartbeat": {"taskToken": token()},
        "DescribeExecution": {"arn": execution},
        "GetExecutionHistory": {"arn": execution},
        "StopExecution": {"arn": execution},
    }
    world.known["arn"] = passes
    route = [{"stateMachineVersionArn": version, "weight": 100}]
    world.by_operation["CreateStateMachineAlias"] = {"routingConfiguration": route}  # type: ignore[dict-item]  # a list of objects, as the API wants it


def _sqs(world: World, client: Any) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="queue", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    for name in ("a", "b"):
        sqs.send_message(QueueUrl=url, MessageBody=name)
    receipts = [sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"] for _ in range(2)]
    sqs.add_permission(
        QueueUrl=url, Label="known", AWSAccountIds=["123456789012"], Actions=["SendMessage"]
    )
    world.known |= {
        "queueurl": url,
        "queuename": "queue",
        "accountid": "123456789012",
    }
    world.by_operation |= {
        "RemovePermission": {"Label": "known"},
        "DeleteMessage": {"ReceiptHandle": receipts[0]},
        "ChangeMessageVisibility": {"ReceiptHandle": receipts[1]},
    }


def _dynamodb(world: World, client: Any) -> None:
    table = {name: value for name, value in MORE["CreateTable"].items() if name != "TableName"}
    dynamodb = client("dynamodb")
    dynamodb.create_table(TableName="table", **table)
    dynamodb.put_item(TableName="table", Item=KEY)
    world.known["tablename"] = "table"


def _kinesis(world: World, client: Any) -> None:
    client("kinesis").create_stream(StreamName="stream", ShardCount=1)
    world.known["streamname"] = "stream"


def _cognito(world: World, client: Any) -> None:
    pools = client("cognito-idp")
    pool = pools.create_user_pool(PoolName="pool")["UserPool"]["Id"]
    pools.admin_create_user(UserPoolId=pool, Username="ann")
    app = pools.create_user_pool_client(UserPoolId=pool, ClientName="app")["UserPoolClient"]
    identities = client("cognito-identity").create_identity_pool(
        IdentityPoolName="identities", AllowUnauthenticatedIdentities=True
    )
    world.known |= {
        "userpoolid": pool,
        "clientid": app["ClientId"],
        "identitypoolid": identities["IdentityPoolId"],
    }
    ann = {"username": "ann"}
    world.by_operation |= {"AdminGetUser": ann, "AdminDeleteUser": ann}


def _events(world: World, client: Any) -> None:
    events = client("events")
    events.put_rule(Name="rule", ScheduleExpression="rate(5 minutes)")
    events.create_event_bus(Name="bus")
    rule = {"Name": "rule"}
    world.known["rule"] = "rule"
    world.by_operation |= {
        "DescribeRule": rule,
        "DeleteRule": rule,
        "DeleteEventBus": {"Name": "bus"},
    }


BUILDERS = {
    "stepfunctions": _step_functions,
    "sqs": _sqs,
    "dynamodb": _dynamodb,
    "kinesis": _kinesis,
    "cognito": _cognito,
    "events": _events,
}
