"""The gate of tests: they pass, and go through all of the plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from naftiko.errors import Problems, Severity
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow.catalog import TESTS
from naftiko.workflow.contribution.findings import Finding, at, of_problem
from naftiko.workflow.contribution.material import RunTests, TestsTookTooLong
from naftiko.workflow.testing import Case, Coverage, Outcome, check_cases, parse_tests

MAX_TEST_CALLS = 1_000
"""Calls of one test. The clock is simulated, so that calls are all that takes time."""

MAX_TESTS = 100


def tests_of(data: bytes, plan: JsonObject, run_tests: RunTests) -> Iterator[Finding]:
    """Report what is wrong with the tests of a plan, by running them."""
    if not data.strip():
        yield _about("WF937", "there are no tests", "write tests.yaml")
        return
    problems = Problems()
    cases = parse_tests(data, TESTS, problems)
    if cases is not None:
        check_cases(cases, plan, problems)
    yield from (of_problem(one) for one in problems if one.severity is Severity.ERROR)
    if problems.errors or cases is None:
        return
    if not cases or len(cases) > MAX_TESTS:
        message = f"there are {len(cases)} tests, 1 to {MAX_TESTS} are run"
        yield _about("WF937", message, "write a test of a success, and one of a failure")
        return
    yield from _run(plan, cases, run_tests)


def _run(plan: JsonObject, cases: Sequence[Case], run_tests: RunTests) -> Iterator[Finding]:
    try:
        report = run_tests(plan, cases)
    except TestsTookTooLong:
        yield _about(
            "WF936",
            "the tests did not end in time",
            "answer from `stub` for what would be called often",
        )
        return
    for outcome in report.outcomes:
        yield from _outcome(outcome)
    yield from _missed(report.coverage)


def _outcome(outcome: Outcome) -> Iterator[Finding]:
    name, place = outcome.case.name[:100], outcome.case.location
    if len(outcome.calls) > MAX_TEST_CALLS:
        message = f"the test `{name}` makes more than {MAX_TEST_CALLS} calls"
        yield at("WF936", message, place, "test with smaller lists and fewer attempts")
    elif not outcome.passed:
        # What differed may hold names that AWS gave, others each time: a report has none of them.
        differed = outcome.mismatches[0].location
        yield at(
            "WF931",
            f"the test `{name}` fails",
            differed if differed.path == place.path else place,
            "`naftiko workflow test` shows what was expected, and what was found",
        )


def _missed(coverage: Coverage) -> Iterator[Finding]:
    if not coverage.has_success:
        yield _about("WF932", "no test expects a success", "expect `status: succeeded` in one")
    if not coverage.has_failure:
        hint = "answer with an error from `stub`, and expect what becomes of it"
        yield _about("WF933", "no test expects a failure", hint)
    for name in coverage.missed_handlers:
        hint = "let a step that it covers fail, and expect `rollback: {...: succeeded}`"
        yield _about("WF934", f"no test rolls back with `{name}`", hint)
    for name in coverage.missed_steps:
        yield _about("WF935", f"no test runs the step `{name}`", "write one that comes to it")


def _about(code: str, message: str, hint: str) -> Finding:
    return at(code, message, Location(TESTS, 1, 1), hint)
