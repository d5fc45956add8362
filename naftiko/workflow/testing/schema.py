"""`tests.yaml` -> test cases, and everything that is wrong with them. Spec: section 12.

```yaml
- name: "takes the queue back when it cannot be used"
  given:                            # made before, in AWS; `${given.other.QueueUrl}` reads an answer
    - {id: other, service: sqs, action: create_queue, input: {QueueName: other}}
  stub:                             # answered in turn without AWS; after that AWS answers
    GetQueueAttributes:
      - {error: {code: Throttling}, times: 2}
      - {output: {Attributes: {QueueArn: "arn:aws:sqs:us-east-1:123456789012:demo"}}}
      - {lost: timeout}             # AWS does it, and its answer never comes
  now: "2026-03-01T12:00:00Z"       # or "+8d": eight days after what was made before
  parameters: {name: demo}
  mode: full                        # step_by_step: `confirm: all`, or the steps that are confirmed
  expect:
    status: rolled_back
    error: AwsError                 # or {type, step_id, aws_code}
    outputs: {url: "${given.other.QueueUrl}", id: {$matches: "q-[a-z0-9]+"}, items: {$length: 2}}
    calls: [CreateQueue, GetQueueAttributes]
    not_called: [DeleteQueue]
    steps: {create: succeeded, look: {status: failed, attempts: 3}}
    rollback: {delete_queue: succeeded}
```
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from naftiko.document.nodes import Node, Scalar
from naftiko.document.reader import parse_document
from naftiko.document.scalars import shorten
from naftiko.errors import DocumentError, Problems
from naftiko.source import Location
from naftiko.workflow.source.durations import parse_duration
from naftiko.workflow.source.parser import reported
from naftiko.workflow.source.schema import (
    IDENTIFIER,
    LINE,
    Section,
)
from naftiko.workflow.testing.cases import Case
from naftiko.workflow.testing.expected import read_expected
from naftiko.workflow.testing.given import check_references, read_given, section_of
from naftiko.workflow.testing.stubs import read_stubs
from naftiko.workflow.vm.environment import MODES

MAX_CASES = 200
MAX_FILE_BYTES = 1024 * 1024

CASE_FIELDS = ("name", "given", "stub", "now", "parameters", "mode", "confirm", "expect")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)?")


def parse_tests(data: bytes | str, path: str, problems: Problems) -> tuple[Case, ...] | None:
    """Return the cases of a file, None where it has errors; `path` is what they call it."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    try:
        document = parse_document(
            raw, path, max_bytes=MAX_FILE_BYTES, strict=True, list_name="tests"
        )
    except DocumentError as error:
        problems.extend(reported(error.problems, raw))
        return None
    found = Problems()
    root = Section(document.root, "the file of tests", found)
    root.refuse_unknown(("tests",))
    listed = root.sequence("tests", required=True, hint="write a list of tests: - name: ...")
    cases: list[Case] = []
    if listed is not None:
        root.at_most("tests", listed, MAX_CASES)
        cases = [case for node in listed if (case := _case(node, found)) is not None]
        _check_names(cases, found)
    problems.extend(found)
    return None if found.errors else tuple(cases)


def _check_names(cases: list[Case], problems: Problems) -> None:
    first: dict[str, Location] = {}
    for case in cases:
        earlier = first.setdefault(case.name, case.location)
        if earlier is not case.location:
            problems.error(
                "WF205",
                f"two tests are called `{shorten(case.name)}`",
                case.location,
                f"the other one stands in line {earlier.line}",
            )


def _case(node: Node, problems: Problems) -> Case | None:
    section = section_of(node, "a test", problems)
    if section is None:
        return None
    section.refuse_unknown(CASE_FIELDS)
    name = section.text("name", LINE, required=True)
    given = tuple(read_given(section))
    parameters = section.named("parameters")
    ids = {one.id for one in given if one.id}
    for _, value in parameters:
        check_references(value, ids, problems)
    mode = section.choice("mode", MODES, "full")
    confirm, confirm_at = _confirm(section, mode)
    expected = section.mapping("expect", required=True, hint="say how it ends: {status: succeeded}")
    expect = None if expected is None else read_expected(expected, ids, problems)
    stubs = tuple(read_stubs(section, ids))
    now = _now(section)
    if name is None or expect is None:
        return None
    return Case(
        name=name.text.strip(),
        location=name.location,
        given=given,
        stubs=stubs,
        now=now,
        parameters={key.text: value.plain() for key, value in parameters},
        parameter_places=tuple((key.text, key.location) for key, _ in parameters),
        mode=mode,
        confirm=confirm,
        confirm_location=confirm_at,
        expect=expect,
    )


# When, and what is confirmed


def _now(section: Section) -> datetime | timedelta | None:
    node = section.text("now")
    if node is None:
        return None
    text = node.text
    if text.startswith("+"):
        after = Scalar(text[1:], text[1:], node.location, node.quoted)
        seconds = parse_duration(after, section.problems, name="now", low=0)
        return None if seconds is None else timedelta(seconds=seconds)
    try:
        if _TIME.fullmatch(text) is None:
            raise ValueError(text)
        time = datetime.fromisoformat(text)
    except ValueError:
        section.out_of_range(
            f"`now` is `{shorten(text)}`, which is no time",
            node.location,
            "write 2026-03-01T12:00:00Z, or +8d: eight days after what `given` made",
        )
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _confirm(section: Section, mode: str) -> tuple[tuple[str, ...] | None, Location | None]:
    node = section.node.get("confirm")
    if node is None:
        return (), None
    if mode != "step_by_step":
        message = f"`confirm` is for the mode `step_by_step`, and this one is `{mode}`"
        section.out_of_range(message, node.location, "set `mode: step_by_step`")
        return (), node.location
    if isinstance(node, Scalar):
        section.choice("confirm", ("all",), "all")
        return None, node.location
    listed = section.sequence("confirm")
    names = [
        text.text
        for item in listed or ()
        if (text := section.as_text("an item of `confirm`", item, IDENTIFIER)) is not None
    ]
    return tuple(names), node.location
