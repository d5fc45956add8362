"""A small workflow that makes a queue, with tests of it, and an AWS that is made up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cache

from naftiko.errors import Problems
from naftiko.values import JsonObject
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.ports import AwsAnswer, AwsFailure, AwsRequest
from naftiko.workflow.simulated import EPOCH
from naftiko.workflow.testing import Case, World, check_cases, parse_tests, run_tests
from naftiko.workflow.testing.report import Report

QUEUE = """\
name: make_queue
version: "1.0"
description: "Create a queue, and wait until it can be used"
metadata: {tier: verified}
parameters:
  - {name: name, type: string, required: true}
steps:
  - id: create
    type: command
    context: {service: sqs, action: create_queue}
    input: {QueueName: "${params.name}"}
    retry: {max_attempts: 3, jitter: none}
    outputs: {url: {path: QueueUrl}}
  - id: ready
    type: primitive
    action: poll
    context: {service: sqs, action: get_queue_attributes}
    input: {QueueUrl: "${steps.create.url}", AttributeNames: [QueueArn]}
    select: {arn: Attributes.QueueArn}
    condition: "arn != null"
    interval: 15m
    max_attempts: 4
outputs:
  url: "${steps.create.url}"
  at: "${now()}"
rollback:
  - on_failure: delete_queue
    context: {service: sqs, action: delete_queue}
    input: {QueueUrl: "${steps.create.url}"}
"""

GOOD = """\
- name: makes it
  given:
    - {id: other, service: sqs, action: create_queue, input: {QueueName: other}}
  stub:
    GetQueueAttributes:
      - {output: {}, times: 2}
      - {output: {Attributes: {QueueArn: "arn:aws:sqs:us-east-1:123456789012:${given.other.X}"}}}
  now: 2026-03-01T12:00:00Z
  parameters: {name: "a-${given.other.QueueUrl}"}
  mode: full
  expect:
    status: succeeded
    calls: [CreateQueue, GetQueueAttributes, GetQueueAttributes, GetQueueAttributes]
    outputs: {at: "2026-03-01T12:00:00Z"}
"""


@dataclass
class Queues:
    """An AWS that has queues and nothing else."""

    urls: dict[str, str] = field(default_factory=dict)
    resets: int = 0

    def reset(self) -> None:
        self.urls.clear()
        self.resets += 1

    async def __call__(self, request: AwsRequest, /) -> AwsAnswer:
        members = request.members
        if request.operation == "CreateQueue":
            name = str(members["QueueName"])
            if name in self.urls:
                raise AwsFailure("fault", code="QueueNameExists", status=400)
            self.urls[name] = f"https://queues/{name}"
            return AwsAnswer(output={"QueueUrl": self.urls[name]})
        if request.operation == "DeleteQueue":
            self.urls = {name: url for name, url in self.urls.items() if url != members["QueueUrl"]}
            return AwsAnswer(output={})
        return AwsAnswer(output={"Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:1:q"}})


@cache
def plan_of(source: str) -> JsonObject:
    """Return the plan of a source."""
    compiled = compile_source(source, "source.yaml", load_data())
    assert compiled.plan is not None, compiled.problems
    return compiled.plan


def cases_of(text: str, source: str = QUEUE) -> tuple[Case, ...]:
    """Return the cases of a good file."""
    problems = Problems()
    cases = parse_tests(text, "tests.yaml", problems)
    assert cases is not None, list(problems)
    check_cases(cases, plan_of(source), problems)
    assert not problems.errors, problems.errors
    return cases


def outcome_of(text: str, queues: Queues | None = None, source: str = QUEUE) -> Report:
    """Run a file of tests."""
    aws = queues or Queues()
    world = World(call=aws, reset=aws.reset, today=lambda: EPOCH)
    return asyncio.run(run_tests(plan_of(source), cases_of(text, source), world))
