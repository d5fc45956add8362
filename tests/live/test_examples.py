"""The example capabilities: each loads without a finding, and the AWS one works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from naftiko.engine import LoadOptions, check_capability
from naftiko.errors import Severity
from naftiko.sandbox import Sandbox
from tests.case_files import ROOT
from tests.live.serving import Served, serving

EXAMPLES = sorted(
    path
    for path in (ROOT / "capabilities").rglob("*.yaml")
    if "workflow-catalog" not in path.parts  # workflows and their data, no capabilities
)
VARIABLES = {
    "AWS_REGION": "us-east-1",
    "ORDERS_TABLE": "orders",
    "WEATHER_API_URL": "https://weather.example.com",
    "WEATHER_API_TOKEN": "token-of-the-weather",
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_shipped_capability_has_no_findings(path: Path) -> None:
    checked = check_capability(path, LoadOptions(environment=VARIABLES, strict=True))
    found = [item for item in checked.problems if item.severity is not Severity.INFO]
    assert [f"{item.location}: {item.message}" for item in (*found, *checked.missing)] == []
    assert checked.plan is not None
    assert checked.plan.adapters


@pytest.fixture(scope="module")
def orders() -> Iterator[Served]:
    import boto3

    with Sandbox.start() as sandbox:
        environment = sandbox.environment() | {"ORDERS_TABLE": "orders"}
        account = sandbox.account
        client = boto3.client(
            "dynamodb",
            endpoint_url=account.endpoint_url,
            region_name=account.region,
            aws_access_key_id=account.access_key_id,
            aws_secret_access_key=account.secret_access_key,
        )
        client.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.close()
        path = ROOT / "capabilities/examples/aws-dynamodb.yaml"
        with serving(path, environment=environment, sandbox=True) as served:
            yield served


def test_the_orders_of_the_example_are_written_read_and_deleted(orders: Served) -> None:
    order = {"customer": "ann", "total": "12.50"}
    assert orders.request("orders-rest", "PUT", "/orders/o-1", order).status == 200
    assert orders.request("orders-rest", "GET", "/orders?limit=5").body == [{"id": "o-1", **order}]
    assert orders.request("orders-rest", "GET", "/orders/o-1").body == {"id": "o-1", **order}
    assert orders.request("orders-rest", "DELETE", "/orders/o-1").status == 200
    assert orders.request("orders-rest", "GET", "/orders").body == []


def test_wrong_orders_are_refused_in_the_words_of_the_file(orders: Served) -> None:
    answer = orders.request("orders-rest", "PUT", "/orders/o-1", {"total": "12,50"})
    assert answer.status == 400
    assert {item["name"] for item in answer.body["errors"]} == {"customer", "total"}
    answer = orders.request("orders-rest", "GET", "/orders?limit=0")
    assert answer.body["errors"][0]["message"] == "`limit` must be at least 1, found 0"
    assert answer.body["instance"] == "/orders"
