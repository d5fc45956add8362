"""What AWS says when it refuses: secrets in it stay secret, and what is gone needs no undoing."""

from __future__ import annotations

import asyncio
import json

import pytest

from naftiko.workflow.ports import AwsFailure
from naftiko.workflow.vm.masking import Masking
from naftiko.workflow.vm.retry import is_gone
from tests.unit.workflow.vm.plans import aws, lit, op, parameter, plan, ref
from tests.unit.workflow.vm.worlds import Crash, Json, Memory, World, fault

SECRET = "hunter2-correct-horse"


def undone(code: str, status: int = 400, **how: str) -> World:
    world = World({"CreateB": fault("Broken"), "DeleteA": fault(code, status)})
    document = plan(
        [aws("a", "CreateA"), aws("b", "CreateB")],
        rollback=[
            {"handler": "undo", "steps": ["b", "a"], "ops": [aws("u", "DeleteA", **how)]},
        ],
    )
    world.status = asyncio.run(world.run(document)).status  # type: ignore[attr-defined]
    return world


@pytest.mark.parametrize(
    "code",
    ["DBSnapshotNotFound", "NoSuchEntity", "InvalidInstanceID.NotFound", "QueueDoesNotExist"],
)
def test_a_compensator_is_content_with_what_is_gone(code: str) -> None:
    assert undone(code, 404, undoes="a").status == "rolled_back"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("NotFound", 503), ("", 404)])
def test_other_faults_of_a_compensator_fail_it(code: str, status: int) -> None:
    assert undone(code, status, undoes="a").status == "rollback_failed"  # type: ignore[attr-defined]


def test_a_written_handler_that_undoes_nothing_certain_fails_on_it() -> None:
    assert undone("NoSuchEntity").status == "rollback_failed"  # type: ignore[attr-defined]


def test_after_a_lost_answer_gone_means_done() -> None:
    lost = AwsFailure("timeout")
    world = World({"CreateB": fault("Broken"), "DeleteA": [lost, fault("DBSnapshotNotFound", 404)]})
    retry = {"max_attempts": 3, "ambiguous": True}
    undo = aws("u", "DeleteA", undoes="a", retry=retry)
    document = plan(
        [aws("a", "CreateA"), aws("b", "CreateB")],
        rollback=[{"handler": "undo", "steps": ["a", "b"], "ops": [undo]}],
    )
    assert asyncio.run(world.run(document)).status == "rolled_back"
    assert world.calls.count("DeleteA") == 2


def test_only_faults_say_that_something_is_gone() -> None:
    assert not is_gone(AwsFailure("connection", code="NotFound"))


def secret_plan(call: Json) -> Json:
    secret = parameter("secret", required=True, sensitive=True)
    return plan([call], parameters=[secret])


def shown(world: World, document: Json) -> str:
    ending = asyncio.run(world.run(document, {"secret": SECRET}))
    assert ending.status == "failed"
    return json.dumps([ending.result, list(world.journal.records[1:])])


def test_aws_repeats_a_secret_and_nobody_sees_it() -> None:
    message = f"1 error: value '{SECRET}' at 'password' is wrong; {SECRET}!"
    create = aws("a", "CreateA", {"Password": ref("params", "secret")})
    create["sensitive"] = {"input": ["Password"], "output": []}
    world = World({"CreateA": fault("ValidationError", 400, message)})
    ending = asyncio.run(world.run(secret_plan(create), {"secret": SECRET}))
    assert SECRET not in json.dumps(ending.result)
    assert ending.error is not None
    assert ending.error["data"]["message"] == (  # type: ignore[index,call-overload]
        "1 error: value '***' at 'password' is wrong; ***!"
    )


def test_an_assertion_that_quotes_a_secret_does_not_show_it() -> None:
    message = {"cat": [lit("no: "), ref("params", "secret")]}
    check = op("a", "ASSERT", that=lit(value=False, type_="boolean"), message=message)
    assert SECRET not in shown(World(), secret_plan(check))


def test_a_secret_that_was_read_is_not_shown_either() -> None:
    read = aws("r", "GetSecret", select={"value": "Value"}, output_schema={"Value": "string"})
    read["sensitive"] = {"input": [], "output": ["value"]}
    create = aws("c", "CreateA", {"In": ref("steps", "r", "value")})
    world = World(
        {"GetSecret": {"Value": SECRET}, "CreateA": fault("Bad", 400, f"{SECRET} is weak")}
    )
    ending = asyncio.run(world.run(plan([read, create])))
    assert ending.status == "failed"
    assert SECRET not in json.dumps(ending.result)


def test_after_a_crash_it_is_still_a_secret() -> None:
    read = aws("r", "GetSecret", select={"value": "Value"}, output_schema={"Value": "string"})
    read["sensitive"] = {"input": [], "output": ["value"]}
    create = aws(
        "c",
        "CreateA",
        {"In": ref("steps", "r", "value")},
        idempotency={"kind": "token", "member": "T"},
    )
    document = plan([read, create])
    world = World(
        {"GetSecret": {"Value": SECRET}, "CreateA": fault("Bad", 400, f"{SECRET} is weak")}
    )
    world.journal = Memory(crash_after=3)
    with pytest.raises(Crash):
        asyncio.run(world.run(document))
    world.journal = Memory(world.journal.records)
    ending = asyncio.run(world.resume(document))
    assert ending.status == "failed"
    assert SECRET not in json.dumps(ending.result)


def test_short_secrets_are_taken_out_only_where_they_stand_alone() -> None:
    known = Masking()
    known.add(["ab", {"n": 12345}, None, True, " "])
    assert known.masked("ab, cab, 12345 and 1234567") == "***, cab, *** and ***67"
