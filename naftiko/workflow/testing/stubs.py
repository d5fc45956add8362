"""What a test has AWS's operations answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from naftiko.document.nodes import Node, Scalar, Sequence
from naftiko.errors import Problems
from naftiko.workflow.source.schema import (
    Section,
    TextRule,
)
from naftiko.workflow.testing.cases import Reply, Stub
from naftiko.workflow.testing.given import check_references, section_of

MAX_TIMES = 10_000

FAULTS = ("fault", "timeout", "connection", "not_sent")
LOSSES = ("timeout", "connection")
_ERROR_FIELDS = ("code", "status", "kind", "message")
OPERATION = TextRule(
    pattern=re.compile(r"(?:[a-z0-9-]+:)?[A-Z][A-Za-z0-9]*"),
    expected="the name of an AWS operation, such as `CreateQueue` or `sqs:CreateQueue`",
)
_CODE = TextRule(
    pattern=re.compile(r"[A-Za-z0-9._:-]+"), expected="an error code of AWS", longest=150
)


# What AWS is not asked


def read_stubs(section: Section, ids: set[str]) -> Iterator[Stub]:
    """Yield what `stub` says, operation by operation."""
    for key, value in section.named("stub", OPERATION):
        service, _, operation = key.text.rpartition(":")
        listed = value.items if isinstance(value, Sequence) else (value,)
        replies = [
            reply for node in listed if (reply := _reply(node, section.problems)) is not None
        ]
        check_references(value, ids, section.problems)
        yield Stub(
            service=service, operation=operation, replies=tuple(replies), location=key.location
        )


def _reply(node: Node, problems: Problems) -> Reply | None:
    section = section_of(node, "an answer of `stub`", problems)
    if section is None:
        return None
    section.refuse_unknown(("output", "error", "lost", "times"))
    told = [name for name in ("output", "error", "lost") if name in section.node]
    if len(told) != 1:
        problems.error(
            "WF202" if not told else "WF201",
            "an answer of `stub` has one of `output`, `error` and `lost`",
            node.location,
            "write {output: {...}} or {error: {code: AccessDenied}}",
        )
        return None
    times = section.integer("times", 1, 1, MAX_TIMES)
    if told == ["output"]:
        output = section.mapping("output")
        plain = output.plain() if output is not None else None
        return Reply(
            times=times, output=plain if isinstance(plain, dict) else {}, output_node=output
        )
    if told == ["lost"]:
        return Reply(times=times, lost=section.choice("lost", LOSSES, "timeout"))
    return _error_reply(section, times)


def _error_reply(section: Section, times: int) -> Reply | None:
    node = section.node.get("error")
    if isinstance(node, Scalar):
        code = section.text("error", _CODE)
        return None if code is None else _fault(times, code.text)
    inner = section.mapping("error")
    if inner is None:
        return None
    error = Section(inner, "an error of `stub`", section.problems)
    error.refuse_unknown(_ERROR_FIELDS)
    kind = error.choice("kind", FAULTS, "fault")
    code = error.text("code", _CODE, required=kind == "fault")
    status = error.integer("status", 0, 100, 599)
    message = error.text("message")
    return _fault(
        times,
        code.text if code is not None else "",
        kind=kind,
        status=status,
        message=message.text if message is not None else "",
    )


def _fault(
    times: int, code: str, *, kind: str = "fault", status: int = 0, message: str = ""
) -> Reply:
    return Reply(
        times=times,
        kind=kind,
        code=code,
        status=status or (_status_of(code) if kind == "fault" else 0),
        message=message,
    )


def _status_of(code: str) -> int:
    if code.startswith("ServiceUnavailable"):
        return 503
    return 500 if code.startswith("Internal") else 400
