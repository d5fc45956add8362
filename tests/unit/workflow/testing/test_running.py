"""Tests of workflows: what they are answered, what they are compared with, what they cover."""

from __future__ import annotations

import pytest

from naftiko.workflow.testing.report import Report
from tests.unit.workflow.testing.flows import Queues, outcome_of

MAKES = "- name: a\n  parameters: {name: one}\n"


def expecting(text: str, more: str = "") -> str:
    return f"{MAKES}{more}  expect: {text}\n"


def messages(text: str) -> list[str]:
    report = outcome_of(text)
    return [one.message for outcome in report.outcomes for one in outcome.mismatches]


def test_passes_with_all_that_can_be_said() -> None:
    report = outcome_of(
        expecting(
            """
    status: succeeded
    outputs: {url: {$matches: "https://.*/one"}, at: {$any: true}}
    calls: [CreateQueue, "sqs:GetQueueAttributes"]
    not_called: [DeleteQueue]
    steps:
      create: {status: succeeded, attempts: 1, outputs: {url: {$length: 18}}}
      ready: succeeded
    warnings: 0"""
        )
    )
    assert report.passed, report.failures


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ("{status: failed}", "the status is `succeeded`, expected `failed`"),
        (
            "{status: succeeded, outputs: {url: x}}",
            'the output `url` is `"https://queues/one"`, expected `"x"`',
        ),
        (
            "{status: succeeded, calls: [CreateQueue]}",
            'the calls are `["CreateQueue", "GetQueueAttributes"]`, expected `["CreateQueue"]`',
        ),
        (
            "{status: succeeded, not_called: [CreateQueue]}",
            "`CreateQueue` was called 1 times",
        ),
        (
            "{status: succeeded, error: AwsError}",
            'the error is `null`, expected `"AwsError"`',
        ),
        (
            "{status: succeeded, steps: {create: skipped}}",
            '`status` of the step `create` is `"succeeded"`, expected `"skipped"`',
        ),
        (
            "{status: succeeded, rollback: {delete_queue: succeeded}}",
            "the rollback handler `delete_queue` is not reached, expected succeeded",
        ),
        (
            "{status: succeeded, outputs: {url: {$length: 3}}}",
            "the output `url` has the length 18, expected 3",
        ),
    ],
)
def test_says_what_differs(expect: str, message: str) -> None:
    assert messages(expecting(expect)) == [message]


def test_tells_where_the_test_says_it() -> None:
    report = outcome_of(expecting("{status: failed}"))
    assert report.failures[0].startswith("tests.yaml:3:20: a: the status is")


def test_answers_from_stubs_in_turn_and_then_from_aws() -> None:
    report = outcome_of(
        expecting(
            "{status: succeeded, steps: {create: {attempts: 3}}}",
            "  stub: {CreateQueue: [{error: Throttling, times: 2}]}\n",
        )
    )
    assert report.passed, report.failures
    assert report.outcomes[0].calls[:3] == ("CreateQueue",) * 3


def test_waits_take_no_time_but_the_clock_moves() -> None:
    report = outcome_of(
        expecting(
            "{status: timed_out, error: StepTimeout}",
            "  stub: {GetQueueAttributes: [{output: {}, times: 4}]}\n",
        )
    )
    assert report.passed, report.failures


def test_a_lost_answer_has_had_its_effect() -> None:
    queues = Queues()
    report = outcome_of(
        expecting(
            "{status: failed, error: AmbiguousOutcome, calls: [CreateQueue, CreateQueue]}",
            "  stub: {CreateQueue: [{lost: timeout}]}\n",
        ),
        queues,
    )
    assert report.passed, report.failures
    assert list(queues.urls) == ["one"]


def test_the_error_is_compared_in_parts() -> None:
    report = outcome_of(
        expecting(
            "{status: failed, error: {type: AwsError, step_id: create, aws_code: AccessDenied}}",
            "  stub: {CreateQueue: [{error: {code: AccessDenied, status: 403}}]}\n",
        )
    )
    assert report.passed, report.failures


def test_reads_what_was_made_before() -> None:
    queues = Queues()
    report = outcome_of(
        """
- name: a
  given:
    - {id: first, service: sqs, action: create_queue, input: {QueueName: first}}
    - {service: sqs, action: create_queue, input: {QueueName: "n-${given.first.QueueUrl}"}}
  parameters: {name: "$${x} ${given.first.QueueUrl}"}
  expect:
    status: succeeded
    outputs: {url: "https://queues/$${x} ${given.first.QueueUrl}"}
""",
        queues,
    )
    assert report.passed, report.failures
    assert list(queues.urls) == ["first", "n-https://queues/first", "${x} https://queues/first"]


def test_says_what_could_not_be_made_before() -> None:
    one = "{service: sqs, action: create_queue, input: {QueueName: one}}"
    told = messages(expecting("{status: succeeded}", f"  given: [{one}, {one}]\n"))
    assert told == ["`given`: CreateQueue failed with QueueNameExists"]


def test_says_what_an_answer_did_not_have() -> None:
    given = "  given: [{id: q, service: sqs, action: create_queue, input: {QueueName: x}}]\n"
    text = "  parameters: {name: '${given.q.Url[0]}'}\n  expect: {status: failed}"
    assert messages(f"- name: a\n{given}{text}") == ["`given` did not answer with `q.Url[0]`"]


def test_every_test_begins_with_an_empty_aws() -> None:
    queues = Queues()
    report = outcome_of(
        MAKES
        + "  expect: {status: succeeded}\n"
        + MAKES.replace("a\n", "b\n", 1)
        + "  expect: {status: succeeded}\n",
        queues,
    )
    assert report.passed, report.failures
    assert queues.resets == 2


@pytest.mark.parametrize(
    ("confirm", "status"),
    [("all", "succeeded"), ("[create]", "succeeded"), ("[]", "awaiting_confirmation")],
)
def test_confirms_step_by_step(confirm: str, status: str) -> None:
    more = f"  mode: step_by_step\n  confirm: {confirm}\n"
    assert messages(expecting(f"{{status: {status}}}", more)) == []


def test_now_is_after_what_was_made_before() -> None:
    more = "  now: +1d\n"
    expect = "{status: succeeded, outputs: {at: '2026-02-01T10:00:00Z'}}"
    assert messages(expecting(expect, more)) == []


def covered(text: str) -> Report:
    report = outcome_of(text)
    assert report.passed, report.failures
    return report


def test_tells_what_was_covered() -> None:
    report = covered(expecting("{status: succeeded}"))
    assert report.coverage.to_json() == {
        "steps": ["create", "ready"],
        "missed_steps": [],
        "handlers": [],
        "missed_handlers": ["delete_queue"],
        "has_success": True,
        "has_failure": False,
        "complete": False,
    }


def test_a_handler_that_ran_is_covered() -> None:
    report = covered(
        expecting("{status: succeeded}")
        + MAKES.replace("a\n", "b\n", 1)
        + "  stub: {GetQueueAttributes: [{error: AccessDenied}]}\n"
        + "  expect: {status: rolled_back, rollback: {delete_queue: succeeded}}\n"
    )
    assert report.coverage.is_complete


def test_a_step_that_nothing_reaches_is_missed() -> None:
    report = covered(
        expecting("{status: failed}", "  stub: {CreateQueue: [{error: AccessDenied}]}\n")
    )
    assert report.coverage.missed_steps == ("ready",)
    assert report.coverage.missed_handlers == ("delete_queue",)


LOOP = """\
name: count_queues
version: "1.0"
description: "Look at each queue of a list, and name those that are ready"
parameters:
  - {name: urls, type: array, items: string, required: true}
steps:
  - id: each
    type: primitive
    action: for_each
    over: "${params.urls}"
    do:
      - id: note
        type: primitive
        action: set
        values: {url: "${item}"}
      - id: look
        type: command
        context: {service: sqs, action: get_queue_attributes}
        input: {QueueUrl: "${item}", AttributeNames: [QueueArn]}
        condition: "item != 'https://none'"
"""


def test_steps_of_loops_are_covered_when_they_did_something() -> None:
    text = """
- name: a
  parameters: {urls: ["https://none"]}
  expect: {status: succeeded, calls: []}
"""
    report = outcome_of(text, source=LOOP)
    assert report.passed, report.failures
    assert report.coverage.missed_steps == ("each__look",)
    assert report.coverage.steps == ("each", "each__note", "each__look__if")
    both = outcome_of(
        text.replace('none"]', 'none", "https://one"]').replace("[]", "[GetQueueAttributes]"),
        source=LOOP,
    )
    assert both.passed, both.failures
    assert both.coverage.missed_steps == ()
