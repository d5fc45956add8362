"""No response says where a call goes, and no text leads it away from AWS. Spec: I3, I6."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from naftiko.awsapi.catalog import service_model
from naftiko.consumes.aws.endpoints import EndpointError, EndpointResolver
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.plan.canonical import file_bytes
from naftiko.workflow.plan.integrity import load_plan
from naftiko.workflow.plan.refused import IntegrityError
from tests.unit.workflow.plan.plans import summed
from tests.unit.workflow.vm.plans import aws, parameter, plan, ref
from tests.unit.workflow.vm.worlds import World

HOSTS = ["evil.com/#", "evil.com", "x@evil.com", "127.0.0.1:1/?", "a/b", "eu-west-1\n", "", "-a"]

SNAPSHOTS = """\
name: elsewhere
version: "1.0"
description: "Makes a snapshot in another region"
metadata: {tier: verified}
parameters:
  - {name: region, type: string, required: true}
  - {name: db, type: string, required: true}
steps:
  - id: create
    type: command
    context: {service: rds, action: CreateDBSnapshot, region: "${params.region}"}
    input: {DBInstanceIdentifier: "${params.db}", DBSnapshotIdentifier: "of-${params.db}"}
  - {id: wait, type: primitive, action: poll, condition: "snapshot_status == 'available'"}
rollback:
  - {on_failure: undo, steps: [create]}
"""


@pytest.mark.parametrize("region", HOSTS)
def test_endpoints_are_made_of_names_of_regions_only(region: str) -> None:
    with pytest.raises(EndpointError, match="not the name of a region"):
        EndpointResolver(model=service_model("rds"), region=region).resolve()


@pytest.mark.parametrize("region", HOSTS)
def test_a_region_that_is_a_host_is_never_called(region: str) -> None:
    world = World()
    document = plan(
        [aws("look", "DescribeInstances", region=ref("params", "region"))],
        parameters=[parameter("region", required=True)],
    )
    ending = asyncio.run(world.run(document, {"region": region}))
    assert ending.error is not None
    assert ending.error["type"] == "TypeMismatch"
    assert not world.requests


def test_a_plan_whose_region_comes_from_a_response_is_refused() -> None:
    found = compile_source(SNAPSHOTS, "elsewhere", load_data())
    assert found.plan is not None, found.problems
    made: Any = found.plan
    load_plan(file_bytes(summed(made)))
    made["execution_plan"][1]["call"]["region"] = {"ref": ["steps", "create", "id"], "t": "string"}
    with pytest.raises(IntegrityError, match="the region of `wait` comes from a response"):
        load_plan(file_bytes(summed(made)))


@pytest.mark.parametrize(
    ("name", "is_refused"), [("status", False), ("error_code", True), ("hidden", True)]
)
def test_what_a_step_says_of_itself_is_no_response_but_its_error_code(
    name: str, *, is_refused: bool
) -> None:
    made: Any = compile_source(SNAPSHOTS, "elsewhere", load_data()).plan
    create, wait = made["execution_plan"]
    if name == "hidden":
        create["select"] = {**create["select"], "status": next(iter(create["select"].values()))}
        name = "status"
    wait["call"]["region"] = {"ref": ["steps", "create", name], "t": "string"}
    if not is_refused:
        load_plan(file_bytes(summed(made)))
        return
    with pytest.raises(IntegrityError, match="the region of `wait` comes from a response"):
        load_plan(file_bytes(summed(made)))


def test_what_watches_and_undoes_a_call_works_in_its_region() -> None:
    found = compile_source(SNAPSHOTS, "elsewhere", load_data())
    made: Any = found.plan
    create, wait = made["execution_plan"]
    (undo,) = made["rollback"][0]["ops"]
    region = {"ref": ["params", "region"], "t": "string"}
    observer = create["idempotency"]["observer"]["call"]
    assert [one["region"] for one in (create, observer, wait["call"], undo)] == [region] * 4
