"""Whatever AWS says over its protocols: the plan says what is called. Spec: I2, I3, section 8."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from naftiko.workflow.ports import AwsFailure
from naftiko.workflow.runtime.policy import Refused
from tests.live.workflow_hostile import answers as make
from tests.live.workflow_hostile.answers import EVIL, GOOD, MARK, answers, good
from tests.live.workflow_hostile.peer import Raw, http, same
from tests.live.workflow_hostile.reference import Reference
from tests.live.workflow_hostile.stage import Seen, Stage, messages, plan
from tests.unit.workflow.vm.worlds import Json

ENDS = {"succeeded", "failed", "rolled_back", "rollback_failed"}
ALL = ["look", "tags", "ready", "code", "put", "each__tag", "mark", "last"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("hostile"))
    made.open()
    yield made
    made.close()


def check(seen: Seen) -> None:
    """Hold an execution against the plan, and look where the answers went."""
    reference = Reference(plan(), seen.requests)
    reference.run()
    sent = [(one.step_id, one.operation, one.members) for one, _ in seen.requests]
    assert sent == reference.sent
    arrived = [
        one
        for one, outcome in seen.requests
        if not isinstance(outcome, AwsFailure) or outcome.kind != "not_sent"
    ]
    came = iter(seen.asked)
    for one in arrived:
        asked = next(came)
        assert same(asked, one.operation, one.members), (asked, one)
        if asked.refused:  # it goes out again, once, and is the same
            assert same(next(came), one.operation, one.members)
    assert next(came, None) is None
    assert seen.result["status"] in ENDS
    for text in (*messages(seen.result), *map(str, seen.events), *seen.logged):
        assert MARK not in text


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    hostile=st.fixed_dictionaries(
        {}, optional={name: st.lists(answers(name), min_size=1, max_size=3) for name in GOOD}
    )
)
def test_no_answer_steers(stage: Stage, hostile: dict[str, list[Raw]]) -> None:
    check(stage.run(hostile))


def test_all_is_called_where_nothing_is_wrong(stage: Stage) -> None:
    seen = stage.run({})
    check(seen)
    assert [one.step_id for one, _ in seen.requests] == ALL
    assert seen.result["status"] == "succeeded"


@pytest.mark.parametrize("operation", GOOD)
def test_every_way_to_break_an_answer(stage: Stage, operation: str) -> None:
    data = make.body_of(operation, GOOD[operation])
    refusing = {"PutItem": [make.fault("PutItem", 400, "No", "no")]}
    for how, broken in make.broken(operation, data).items():
        given = {operation: [broken()]}
        if operation == "DeleteItem":
            given |= {"CreateTags": refusing["PutItem"]}
        try:
            check(stage.run(given))
        except BaseException as error:
            error.add_note(f"{operation}: {how}")
            raise


@pytest.mark.parametrize("operation", GOOD)
@pytest.mark.parametrize("status", [400, 503])
def test_every_hostile_refusal(stage: Stage, operation: str, status: int) -> None:
    for code in make.CODES:
        seen = stage.run({operation: [make.fault(operation, status, code, EVIL[0])]})
        check(seen)


@pytest.mark.parametrize("text", [*EVIL, "x" * 100_000, "\u20ac" * 40_000])
def test_what_is_passed_on_stays_as_it_came(stage: Stage, text: str) -> None:
    plain = make.NOT_XML.sub("", text)
    said: Json = {
        "DescribeDBInstances": {"rows": [{"Engine": plain, "AllocatedStorage": 20}]},
        "DescribeTags": {"rows": [{"key": "owner", "value": plain}]},
        "GetFunctionConfiguration": {"Description": text, "Timeout": 9},
    }
    seen = stage.run({name: [good(name, value)] for name, value in said.items()})
    check(seen)
    assert seen.result["status"] == "succeeded", seen.result
    found: Any = {one.operation: one.members for one in seen.asked}
    assert found["PutItem"]["Item"] == {
        "id": {"S": "one"},
        "engine": {"S": plain},
        "about": {"S": text},
    }
    assert found["CreateTags"]["Tag.1.Value"] == plain
    assert found["TagResource"]["Tags"] == {"engine": plain}
    assert found["PutAccountSettingDefault"]["value"] == plain


@pytest.mark.parametrize("operation", ["DescribeDBInstances", "PutItem"])
def test_a_body_that_never_ends(stage: Stage, operation: str) -> None:
    """The step's own time ends it: what changes something is ambiguous then."""
    data = make.body_of(operation, GOOD[operation])
    slow = http(data, kind=make.kind_of(operation), length=len(data) + 1)
    node = next(one for one in plan()["execution_plan"] if one.get("operation") == operation)
    assert node["timeout"] == 60
    stage.caller.longest_s = 0.1
    try:
        seen = stage.run({operation: [Raw(slow.data, hangs=True)]})
    finally:
        stage.caller.longest_s = None
    check(seen)
    assert seen.result["status"] == "failed"
    kind = "AmbiguousOutcome" if operation == "PutItem" else "AwsError"
    assert seen.result["error"]["type"] == kind


@pytest.mark.parametrize("text", EVIL[:6])
def test_what_sts_says_is_no_word_of_the_engine(stage: Stage, text: str) -> None:
    """Neither as an identity nor as the code of a refusal."""
    named = make.element("Arn", make.text_of(text)) + make.element("Account", make.text_of(text))
    told = make.element("GetCallerIdentityResult", named)
    for identity in (
        http(make.element("GetCallerIdentityResponse", told).encode()),
        make.fault("DescribeDBInstances", 403, text, text),
        http(text.encode(errors="replace")),
    ):
        stage.peer.identity = identity
        refused: Refused | None = None
        try:
            check(stage.run({}))
        except Refused as error:
            refused = error
        finally:
            stage.peer.identity = None
        if refused is not None:
            assert refused.type == "AwsError"
            assert MARK not in str(refused.to_json())
