"""docs/examples/workflows.yaml on the sandbox: a database is backed up, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import boto3
import pytest

from naftiko.sandbox import Sandbox
from tests.case_files import ROOT
from tests.live.mcp.clients import connect
from tests.live.serving import Served, serving

API, TOOLS = "backups-api", "backups-mcp"


@pytest.fixture(scope="module")
def served(sandbox: Sandbox) -> Iterator[Served]:
    account = sandbox.account
    client = boto3.client(
        "rds",
        endpoint_url=account.endpoint_url,
        region_name=account.region,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
    )
    client.create_db_instance(
        DBInstanceIdentifier="orders",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="admin",
        MasterUserPassword="of-no-account",
    )
    client.close()
    path = ROOT / "docs/examples/workflows.yaml"
    with serving(path, environment=sandbox.environment(), sandbox=True) as running:
        yield running


def test_a_backup_is_shown_and_then_made(served: Served) -> None:
    answer = served.request(API, "POST", "/databases/orders/backups", {})
    assert (answer.status, answer.body["status"]) == (200, "awaiting_confirmation"), answer.body
    assert answer.body["next"]["rendered"]["operation"] == "CreateDBSnapshot"
    place = answer.headers["location"]
    seen = served.request(API, "GET", place).body
    assert seen["next"] == answer.body["next"]
    given = {"confirm_token": answer.body["next"]["confirm_token"]}
    done = served.request(API, "POST", place, given)
    assert (done.status, done.body["status"]) == (200, "succeeded"), done.body


def test_what_it_does_is_told_to_a_model(served: Served) -> None:
    async def story() -> None:
        async with connect(served.urls[TOOLS] + "/mcp", "legacy") as client:
            result = await client.call_tool("describe-backup", {})
            told = result.structured_content
            assert "rds:CreateDBSnapshot" in told["required_permissions"]
            assert told["executable"] is True

    asyncio.run(story())
