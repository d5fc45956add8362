"""What is wrong with a file of tests, with its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from naftiko.errors import Problems
from naftiko.workflow.testing import check_cases, parse_tests
from tests.unit.workflow.testing.flows import GOOD, QUEUE, plan_of


def found(text: str) -> list[str]:
    problems = Problems()
    cases = parse_tests(text, "tests.yaml", problems)
    if cases is not None:
        check_cases(cases, plan_of(QUEUE), problems)
    return [
        f"{one.location.line}:{one.location.column} {one.code} {one.message}"
        + (f" | {one.hint}" if one.hint else "")
        for one in problems
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1 WF102 the file is empty"),
        ("- nam: x\n  expect: {status: failed}", "1:3 WF201 a test has no field `nam`"),
        ("- expect: {status: failed}", "1:3 WF202 a test lacks `name`"),
        ("- name: a", "1:3 WF202 a test lacks `expect` | say how it ends"),
        ("- name: a\n  expect: {status: fine}", "2:20 WF204 `status` is `fine`, which is none of"),
        ("- {name: a, mode: fast, expect: {status: failed}}", "1:19 WF204 `mode` is `fast`"),
        ("- {name: a, now: tomorrow, expect: {status: failed}}", "1:18 WF204 `now` is `tomorrow`"),
        ("- {name: a, now: +8y, expect: {status: failed}}", "1:18 WF204 `now` is `8y`"),
        (
            "- {name: a, given: [{service: sq, action: x}], expect: {status: failed}}",
            "1:31 WF300 AWS has no service `sq`",
        ),
        (
            "- {name: a, given: [{service: sqs, action: create_queu}], expect: {status: failed}}",
            "1:44 WF301 `sqs` has no operation `create_queu` | did you mean `create-queue`?",
        ),
        (
            "- {name: a, given: [{service: sqs, action: create_queue, input: {Name: x}}], "
            "expect: {status: failed}}",
            "1:66 WF303 `CreateQueue` has no member `Name`",
        ),
        (
            "- {name: a, parameters: {name: '${given.q.QueueUrl}'}, expect: {status: failed}}",
            "1:33 WF321 no call of `given` has the id `q` | add `id` to the call",
        ),
        (
            "- {name: a, parameters: {name: '${steps.q}'}, expect: {status: failed}}",
            "1:33 WF310 `${steps.q}` is nothing a test can read",
        ),
        (
            "- {name: a, stub: {DeleteQueu: [{output: {}}]}, expect: {status: failed}}",
            "1:20 WF204 the workflow has no operation `DeleteQueu` | did you mean `DeleteQueue`?",
        ),
        (
            "- {name: a, stub: {CreateQueue: [{output: {Url: x}}]}, expect: {status: failed}}",
            "1:44 WF303 `CreateQueue` has no member `Url`",
        ),
        (
            "- {name: a, stub: {CreateQueue: [{times: 2}]}, expect: {status: failed}}",
            "1:34 WF202 an answer of `stub` has one of `output`, `error` and `lost`",
        ),
        (
            "- {name: a, parameters: {nam: x}, expect: {status: failed}}",
            "1:26 WF204 the workflow has no parameter `nam` | did you mean `name`?",
        ),
        (
            "- {name: a, expect: {status: failed, outputs: {ur: x}}}",
            "1:52 WF204 the workflow has no output `ur` | did you mean `url`?",
        ),
        (
            "- {name: a, expect: {status: failed, steps: {creat: failed}}}",
            "1:53 WF204 the workflow has no step `creat` | did you mean `create`?",
        ),
        (
            "- {name: a, expect: {status: failed, rollback: {delete: failed}}}",
            "1:57 WF204 the workflow has no rollback handler `delete`",
        ),
        (
            "- {name: a, expect: {status: failed, error: AwsEror}}",
            "1:45 WF204 `error` is `AwsEror`, which is none of",
        ),
        (
            "- {name: a, confirm: all, expect: {status: failed}}",
            "1:22 WF204 `confirm` is for the mode `step_by_step`",
        ),
        (
            "- {name: a, expect: {status: succeeded, outputs: {url: {$like: x}}}}",
            "1:57 WF201 `$like` is no comparison that stands alone",
        ),
        (
            "- {name: a, expect: {status: failed}}\n- {name: a, expect: {status: failed}}",
            "2:10 WF205 two tests are called `a`",
        ),
        ("- &x {name: a, expect: {status: failed}}", "1:3 WF103 the anchor `&x` is not allowed"),
    ],
)
def test_says_what_is_wrong_and_where(text: str, expected: str) -> None:
    assert any(line.startswith(expected) for line in found(text)), found(text)


def test_a_good_file_has_nothing_to_say() -> None:
    assert found(GOOD) == []


def test_a_mapping_with_tests_is_read_as_the_list() -> None:
    assert found("tests:\n  - {name: a, expect: {status: failed}}") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:30:00Z", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T12:30:00+02:00", datetime(2026, 3, 1, 10, 30, tzinfo=UTC)),
        ("+8d", timedelta(days=8)),
    ],
)
def test_reads_times(text: str, expected: datetime | timedelta) -> None:
    problems = Problems()
    cases = parse_tests(
        f'- {{name: a, now: "{text}", expect: {{status: failed}}}}', "t.yaml", problems
    )
    assert cases is not None
    assert cases[0].now == expected
