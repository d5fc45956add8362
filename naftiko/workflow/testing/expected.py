"""What a test expects."""

from __future__ import annotations

from collections.abc import Iterator

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.document.scalars import shorten
from naftiko.errors import Problems
from naftiko.workflow.source.schema import (
    HANDLER,
    IDENTIFIER,
    Section,
)
from naftiko.workflow.testing.cases import Expected, Wanted
from naftiko.workflow.testing.given import check_references, section_of
from naftiko.workflow.testing.stubs import OPERATION
from naftiko.workflow.vm.environment import STATUSES
from naftiko.workflow.vm.failures import ERROR_TYPES

STEP_STATUSES = ("succeeded", "failed", "skipped")
_BEFORE_THE_MACHINE = ("PlanDrift", "PermissionDenied", "TierDenied")
ERRORS = tuple(type_ for type_ in ERROR_TYPES if type_ not in _BEFORE_THE_MACHINE)
_EXPECT_FIELDS = (
    "status",
    "outputs",
    "calls",
    "not_called",
    "error",
    "steps",
    "rollback",
    "warnings",
)


# What is expected


def read_expected(node: Mapping, ids: set[str], problems: Problems) -> Expected | None:
    """Read `expect`; None where it has no status."""
    section = Section(node, "`expect`", problems)
    section.refuse_unknown(_EXPECT_FIELDS)
    status = section.text("status", required=True)
    section.choice("status", STATUSES, "")
    outputs = section.named("outputs", IDENTIFIER)
    for _, value in outputs:
        check_references(value, ids, problems)
        _check_matchers(value, problems)
    calls = section.sequence("calls")
    for item in calls or ():
        section.as_text("an item of `calls`", item, OPERATION)
    warnings = section.integer("warnings", None, 0, 1_000)
    warnings_node = node.get("warnings")
    not_called = section.texts("not_called", OPERATION, most=500) or ()
    error = tuple(_wanted_error(section))
    steps = tuple(_wanted_steps(section))
    rollback = tuple(_wanted_rollback(section))
    if status is None:
        return None
    return Expected(
        status=_wanted(status),
        outputs=tuple((key.text, _wanted(value)) for key, value in outputs),
        calls=_wanted(calls) if calls is not None else None,
        not_called=tuple((item.text, item.location) for item in not_called),
        error=error,
        steps=steps,
        rollback=rollback,
        warnings=_wanted(warnings_node)
        if warnings is not None and warnings_node is not None
        else None,
    )


def _wanted(node: Node) -> Wanted:
    return Wanted(value=node.plain(), location=node.location)


def _wanted_error(section: Section) -> Iterator[tuple[str, Wanted]]:
    node = section.node.get("error")
    if node is None:
        return
    if isinstance(node, Scalar):
        section.choice("error", ERRORS, "")
        yield "type", _wanted(node)
        return
    inner = section.mapping("error")
    if inner is None:
        return
    error = Section(inner, "`expect.error`", section.problems)
    error.refuse_unknown(("type", "step_id", "aws_code"))
    error.choice("type", ERRORS, "")
    for name in ("type", "step_id", "aws_code"):
        found = error.text(name)
        if found is not None:
            yield name, _wanted(found)


def _wanted_steps(section: Section) -> Iterator[tuple[str, str, Wanted]]:
    for key, value in section.named("steps", IDENTIFIER):
        if isinstance(value, Scalar):
            _check_status(section, value)
            yield key.text, "status", _wanted(value)
            continue
        inner = section_of(value, "a step of `expect`", section.problems)
        if inner is None:
            continue
        inner.refuse_unknown(("status", "attempts", "outputs", "error"))
        inner.choice("status", STEP_STATUSES, "")
        inner.choice("error", ERRORS, "")
        inner.integer("attempts", 0, 0, 1_000)
        inner.mapping("outputs")
        for name, node in inner.node.entries:
            if name.text == "outputs":
                _check_matchers(node, section.problems)
            yield key.text, name.text, _wanted(node)


def _wanted_rollback(section: Section) -> Iterator[tuple[str, Wanted]]:
    for key, value in section.named("rollback", HANDLER):
        _check_status(section, value)
        yield key.text, _wanted(value)


def _check_status(section: Section, node: Node) -> None:
    text = section.as_text("the status", node)
    if text is not None and text.text not in STEP_STATUSES:
        listed = ", ".join(f"`{one}`" for one in STEP_STATUSES)
        section.out_of_range(
            f"the status is `{shorten(text.text)}`, which is none of {listed}", node.location
        )


MATCHERS = ("$matches", "$length", "$any")


def _check_matchers(node: Node, problems: Problems) -> None:
    from naftiko.workflow.expressions.pattern_syntax import PatternFault
    from naftiko.workflow.expressions.patterns import compile_pattern

    if isinstance(node, Sequence):
        for item in node:
            _check_matchers(item, problems)
    if not isinstance(node, Mapping):
        return
    for key, value in node.entries:
        _check_matchers(value, problems)
        if not key.text.startswith("$"):
            continue
        if key.text not in MATCHERS or len(node) != 1:
            problems.error(
                "WF201",
                f"`{shorten(key.text)}` is no comparison that stands alone",
                key.location,
                "write {$matches: 'snap-.*'}, {$length: 2} or {$any: true}",
            )
        elif key.text == "$matches":
            try:
                compile_pattern(value.text if isinstance(value, Scalar) else "(")
            except PatternFault as fault:
                problems.error("WF323", str(fault), value.location)
        elif key.text == "$length" and (
            not isinstance(value, Scalar) or type(value.value) is not int
        ):
            problems.error("WF203", "`$length` is no whole number", value.location)
