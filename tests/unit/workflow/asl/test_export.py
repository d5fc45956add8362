"""Plans -> state machines: golden definitions, the checks, what does not map."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from naftiko.workflow.asl import definition_text, export
from naftiko.workflow.asl.machine import check
from tests.unit.workflow.asl import samples

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(samples.SAMPLES))
def test_golden(name: str) -> None:
    found = export(samples.SAMPLES[name]())
    text = json.dumps(found.definition, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{name}.asl.json"
    if os.environ.get("NAFTIKO_GOLDEN") == "rewrite":
        path.write_text(text, encoding="utf-8")
    assert found.is_usable
    assert text == path.read_text(encoding="utf-8")
    assert check(found.definition) == []


def test_same_bytes_each_time() -> None:
    first, second = (definition_text(export(samples.rds()).definition) for _ in range(2))
    assert first == second
    assert json.loads(first)["Comment"].startswith("rds_backup_with_retention_v1_0 ")


def test_role_policy() -> None:
    plan = samples.rds()
    plan["metadata"]["permission_resources"] = {
        "rds:CreateDBSnapshot": [
            "arn:${partition}:rds:${region}:${account_id}:db:${params.instance_id}"
        ]
    }
    found = export(plan, partition="aws-cn").role_policy
    assert json.loads(json.dumps(found["permissions"]))["Statement"] == [
        {
            "Effect": "Allow",
            "Action": [
                "rds:DeleteDBSnapshot",
                "rds:DescribeDBInstances",
                "rds:DescribeDBSnapshots",
            ],
            "Resource": ["*"],
        },
        {
            "Effect": "Allow",
            "Action": ["rds:CreateDBSnapshot"],
            "Resource": ["arn:aws-cn:rds:*:*:db:*"],
        },
    ]
    assert "states.amazonaws.com" in json.dumps(found["trust"])


def codes(plan: dict[str, Any]) -> list[tuple[str, str]]:
    return [(p.code, p.message) for p in export(plan).problems]


def with_call(**changes: Any) -> dict[str, Any]:
    return samples.plan([{**samples.put("one", samples.lit("/a")), **changes}])


def test_what_does_not_map() -> None:
    region = with_call(region=samples.lit("eu-west-1"))
    assert codes(region) == [
        (
            "WF801",
            "`one` cannot run as a state machine: Step Functions has no way to do a region of "
            "its own",
        )
    ]
    ambiguous = with_call(retry={**samples.RETRY, "ambiguous": True})
    assert "`retry.ambiguous`" in codes(ambiguous)[0][1]
    blob = samples.op(
        "one",
        "AWS_CALL",
        **samples.change("kms", "Decrypt", {"CiphertextBlob": samples.lit("x")}),
    )
    assert codes(samples.plan([blob]))[0][0] == "WF801"
    stream = samples.op(
        "one",
        "AWS_CALL",
        **samples.call("s3", "GetObject", {"Bucket": samples.lit("b"), "Key": samples.lit("k")}),
    )
    assert codes(samples.plan([stream]))[0][0] == "WF801"


def test_a_pattern_outside_of_jsonata() -> None:
    tree = {"op": "matches", "a": samples.param("name"), "b": samples.lit("\\Aab")}
    plan = samples.plan([samples.op("one__if", "CONDITION", dest="one", expr=tree)])
    assert codes(plan)[0][0] == "WF801"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"op": "==", "a": samples.step("one", "error_code"), "b": samples.lit("Throttled")},
            "the error code `Throttled`, which the model of GetParameter does not name",
        ),
        (
            {"op": "!=", "a": samples.step("one", "error_code"), "b": samples.lit(None, "null")},
            "comparisons of an error code with anything but constants",
        ),
        (
            {"cat": [samples.lit("why: "), samples.step("one", "error_code")]},
            "comparisons of an error code with anything but constants",
        ),
    ],
)
def test_error_codes_that_a_machine_cannot_know(asked: dict[str, Any], words: str) -> None:
    got = samples.call("ssm", "GetParameter", {"Name": samples.lit("/a")})
    step = samples.op("one", "AWS_CALL", on_error="continue", **got)
    found = codes(samples.plan([step], outputs={"why": asked}))
    assert found == [
        (
            "WF801",
            f"`one` cannot run as a state machine: Step Functions has no way to do {words}",
        )
    ]


def test_the_error_code_of_a_loop_does_not_map() -> None:
    plan = samples.loop()
    plan["execution_plan"][1]["on_error"] = "continue"
    plan["outputs"] = {"why": samples.step("each", "error_code")}
    assert [code for code, _ in codes(plan)] == ["WF801"]


def test_undoing_items_does_not_map() -> None:
    plan = samples.loop()
    undo = samples.delete("undo__x", samples.ITEM, undoes="each__drop")
    plan["rollback"] = [{"handler": "undo", "steps": ["each"], "ops": [undo]}]
    assert [code for code, _ in codes(plan)] == ["WF801"]


def test_a_name_that_is_too_long() -> None:
    plan = samples.plan(
        [samples.put("a" * 80, samples.lit("/a")), samples.put("b" * 81, samples.lit("/b"))]
    )
    found = codes(plan)
    assert [code for code, _ in found] == ["WF802"]
    assert f"`{'b' * 81}" in found[0][1]


def test_a_definition_that_is_too_large() -> None:
    tree = samples.lit("x" * 600_000)
    plan = samples.plan([samples.op("one", "SET", values={"a": tree, "b": tree})])
    assert [code for code, _ in codes(plan)] == ["WF803"]


def test_delays_and_errors_that_are_retried() -> None:
    retry = {**samples.RETRY, "max_attempts": 4, "retry_on": ["throttling", "connection"]}
    name = samples.lit("/a")
    reading = samples.op(
        "one", "AWS_CALL", **samples.call("ssm", "GetParameter", {"Name": name}, retry=retry)
    )
    state = json.loads(definition_text(export(samples.plan([reading])).definition))["States"]["one"]
    assert state["Retry"] == [
        {
            "BackoffRate": 2,
            "ErrorEquals": [
                "Ssm.RequestLimitExceededException",
                "Ssm.SdkClientException",
                "Ssm.SlowDownException",
                "Ssm.ThrottlingException",
                "Ssm.TooManyRequestsException",
            ],
            "IntervalSeconds": 1,
            "JitterStrategy": "FULL",
            "MaxAttempts": 3,
            "MaxDelaySeconds": 30,
        }
    ]
    changing = with_call(retry=retry)
    state = json.loads(definition_text(export(changing).definition))["States"]["one"]
    assert "Ssm.SdkClientException" not in state["Retry"][0]["ErrorEquals"]


def test_text_cannot_become_code() -> None:
    nasty = '{% $states %} " & $eval("1") & " \\ ${x} `'
    plan = samples.plan([samples.put("one", samples.lit(nasty))], outputs={"x": samples.lit(nasty)})
    states = json.loads(definition_text(export(plan).definition))["States"]
    for text in (states["one"]["Arguments"]["Name"], states["Workflow.end"]["Output"]):
        assert text.startswith("{% ")
        assert text.count("{%") == 1
        assert "$eval" not in text
