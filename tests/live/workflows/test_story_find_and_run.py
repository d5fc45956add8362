"""From a wish to a typed result: the shipped capability and catalog, as a model goes through them.

A database is backed up before an upgrade: the workflow is found, read, executed step by step, and
what it gives is what it said that it would give.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import boto3
import jsonschema_rs
import pytest

from naftiko.sandbox import Sandbox
from tests.live.serving import serving
from tests.live.workflows.stage import FILE, MODES, House, Json
from tests.live.workflows.test_mcp import refused, tell, use

WISH = "back up my database before the upgrade"
BACKUP = "rds_backup_with_retention"


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shipped(sandbox: Sandbox) -> Iterator[House]:
    with serving(FILE, environment=sandbox.environment(), sandbox=True) as served:
        yield House(served)


@pytest.fixture
def rds(sandbox: Sandbox) -> Iterator[Any]:
    account = sandbox.account
    made = boto3.client(
        "rds",
        endpoint_url=account.endpoint_url,
        region_name=account.region,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
    )
    with contextlib.closing(made) as client:
        yield client


def database(rds: Any, name: str) -> str:
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="admin1",
        MasterUserPassword="of-no-account",
    )
    return name


def snapshots(rds: Any, name: str) -> list[str]:
    found = rds.describe_db_snapshots(DBInstanceIdentifier=name, SnapshotType="manual")
    return [one["DBSnapshotIdentifier"] for one in found["DBSnapshots"]]


async def found(client: Any) -> Json:
    """Return what is suggested for the wish."""
    answer = await use(client, "suggest_workflows", query=WISH, risk_threshold=5)
    first_two = {one["workflow_name"]: one for one in answer["suggestions"][:2]}
    suggestion: Json = first_two[BACKUP]
    return suggestion


def test_a_database_is_backed_up(shipped: House, rds: Any, mode: str) -> None:
    name = database(rds, f"story-{mode}")

    async def story(client: Any) -> None:
        suggestion = await found(client)
        assert suggestion["confidence"] == "high"
        assert suggestion["risk_score"] == 4.5
        assert "irreversible" in suggestion["risk_summary"]
        assert {"rds:CreateDBSnapshot", "rds:DeleteDBSnapshot"} <= {
            *suggestion["required_permissions"]
        }
        assert suggestion["executable"] in {True, "unknown"}
        ref = f"{suggestion['workflow_name']}@{suggestion['version']}"

        told = await use(client, "get_workflow", workflow_name=ref)
        assert told["parameters"] == suggestion["parameters"]
        assert told["parameters"]["required"] == ["instance_id"]
        changes = [step["step_id"] for step in told["steps"] if step["mutating"]]
        assert changes[0] == "create_snapshot"

        started = await client.call_tool(
            "execute_workflow",
            {
                "workflow_name": ref,
                "parameters": {"instance_id": name},
                "execution_mode": "step_by_step",
            },
        )
        waiting = started.structured_content
        assert waiting["status"] == "awaiting_confirmation", waiting
        assert waiting["next"]["step_id"] == "create_snapshot"
        assert waiting["next"]["rendered"]["operation"] == "CreateDBSnapshot"
        assert waiting["next"]["rendered"]["input"]["DBInstanceIdentifier"] == name
        assert waiting["next"]["confirm_token"] in started.content[0].text
        assert await asyncio.to_thread(snapshots, rds, name) == []
        going_on = {"execution_id": waiting["execution_id"]}
        await refused(client, "execute_workflow", **going_on, confirm_token="0" * 64)

        token = waiting["next"]["confirm_token"]
        ended = await use(client, "execute_workflow", **going_on, confirm_token=token)
        assert ended["status"] == "succeeded", ended
        jsonschema_rs.Draft202012Validator(told["result"]).validate(ended)
        assert set(ended["outputs"]) == set(told["outputs"]["properties"])
        assert await asyncio.to_thread(snapshots, rds, name) == [ended["outputs"]["snapshot_id"]]
        assert (ended["origin"], ended["treat_as"]) == ("aws", "data")
        assert await use(client, "get_execution", **going_on) == ended

    tell(shipped.tools, mode, story)


def test_who_does_not_agree_changes_nothing(shipped: House, rds: Any, mode: str) -> None:
    name = database(rds, f"spared-{mode}")

    async def story(client: Any) -> None:
        ref = (await found(client))["workflow_name"]
        given = {"instance_id": name}
        waiting = await use(client, "execute_workflow", workflow_name=ref, parameters=given)
        ended = await client.call_tool(
            "execute_workflow", {"execution_id": waiting["execution_id"], "cancel": True}
        )
        assert ended.structured_content["status"] == "cancelled", ended.structured_content
        assert await asyncio.to_thread(snapshots, rds, name) == []

    tell(shipped.tools, mode, story)


def test_the_prompt_leads_through_it(shipped: House, mode: str) -> None:
    async def story(client: Any) -> None:
        given = {"goal": f"{WISH} {{{{ 7 * 7 }}}}", "risk_limit": "3"}
        (message,) = (await client.get_prompt("find_and_run_workflow", given)).messages
        text = message.content.text
        assert message.role == "user"
        assert f"<goal>\n{WISH} {{{{ 7 * 7 }}}}\n</goal>" in text
        assert "Risk limit: 3 of 10. Execution mode: step_by_step." in text
        tools = {tool.name for tool in (await client.list_tools()).tools}
        named = {"suggest_workflows", "get_workflow", "execute_workflow"}
        assert named <= tools
        assert all(tool in text for tool in named)

    tell(shipped.tools, mode, story)
