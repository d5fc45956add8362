"""Runs `tests.yaml` of workflows on the embedded AWS.

```python
with Trial.open() as trial:
    tried = trial.run(catalog, catalog.find("list_buckets"))
    assert tried.passed, tried.failures
```
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from naftiko.cli.loading import start_sandbox
from naftiko.cli.workflows.aws import open_caller
from naftiko.cli.workflows.offline import only_to
from naftiko.errors import Problem, Problems, Severity
from naftiko.plan.masking import Masker
from naftiko.sandbox import Sandbox
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow.catalog import Catalog, Entry
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.contribution.material import TestsTookTooLong
from naftiko.workflow.library import CatalogLibrary
from naftiko.workflow.ports import AwsFailure, Principal
from naftiko.workflow.security.permissions import identify
from naftiko.workflow.testing import Case, World, check_cases, parse_tests, run_tests
from naftiko.workflow.testing.report import Report

_START_S, _TEST_S = 30, 5
"""How long tests may take: the specification's five seconds each, and the first use of moto."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of the tests of a workflow; without a report the problems say why."""

    problems: tuple[Problem, ...]
    report: Report | None

    @property
    def passed(self) -> bool:
        """Tell whether everything was as it has to be."""
        return self.report is not None and self.report.passed

    @property
    def failures(self) -> tuple[str, ...]:
        """What was not."""
        errors = (one for one in self.problems if one.severity is Severity.ERROR)
        told = tuple(
            f"{one.location}: {one.code}: {one.message}{f' | {one.hint}' if one.hint else ''}"
            for one in errors
        )
        return told + (self.report.failures if self.report is not None else ())


class Trial:
    """An embedded AWS and what runs tests on it, workflow after workflow."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Use a sandbox; every test empties it."""
        self._sandbox = sandbox

    @classmethod
    @contextlib.contextmanager
    def open(cls) -> Iterator[Trial]:
        """Start a sandbox of its own.

        Raises: StartError where its extra is not installed.
        """
        with start_sandbox() as sandbox:
            yield cls(sandbox)

    def run(self, catalog: Catalog, entry: Entry, *, only: str = "") -> Tried:
        """Compile a workflow and run its tests; `only` those with this text in their name.

        Raises: CatalogError: it has no source, or no tests.
        """
        found = read_tests(catalog, entry)
        if found.plan is None:
            return Tried(problems=found.problems, report=None)
        cases = [case for case in found.cases if only.lower() in case.name.lower()]
        report = asyncio.run(self._run(found.plan, cases))
        return Tried(problems=found.problems, report=report)

    def run_plan(self, plan: JsonObject, cases: Sequence[Case]) -> Report:
        """Run the tests of a plan; they get some seconds each.

        Raises: TestsTookTooLong.
        """
        return asyncio.run(self._run_in_time(plan, cases))

    async def _run_in_time(self, plan: JsonObject, cases: Sequence[Case]) -> Report:
        try:
            async with asyncio.timeout(_START_S + _TEST_S * len(cases)):
                return await self._run(plan, cases)
        except TimeoutError:
            raise TestsTookTooLong from None

    async def _run(self, plan: JsonObject, cases: Sequence[Case]) -> Report:
        with only_to(urlsplit(self._sandbox.account.endpoint_url).port or 0):
            return await self._run_here(plan, cases)

    async def _run_here(self, plan: JsonObject, cases: Sequence[Case]) -> Report:
        caller = open_caller(self._sandbox, Masker())
        try:
            try:
                principal = await identify(caller, caller.region)
            except AwsFailure:
                principal = Principal()
            world = World(call=caller, reset=self._sandbox.reset, today=_today, principal=principal)
            return await run_tests(plan, cases, world)
        finally:
            await caller.close()


def _today() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    """A compiled workflow with its tests; without a plan the problems say why."""

    plan: JsonObject | None
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]


def read_tests(catalog: Catalog, entry: Entry) -> Tests:
    """Compile a workflow and read its tests."""
    from naftiko.workflow.catalog import CatalogError

    source = entry.source or entry.home / "source.yaml"
    data = load_data(catalog.folders, CatalogLibrary(catalog))
    compiled = compile_source(entry.read_source(), str(source), data)
    problems = Problems()
    problems.extend(compiled.problems)
    if compiled.plan is None:
        return Tests(plan=None, cases=(), problems=problems.sorted())
    if entry.tests is None:
        raise CatalogError(
            f"`{entry.ref}` has no tests",
            hint=f"write `{_tests_path(entry)}`: `naftiko workflow new NAME` shows how",
        )
    cases = parse_tests(entry.tests.read_bytes(), str(entry.tests), problems)
    if cases is not None:
        check_cases(cases, compiled.plan, problems)
        if not cases:
            problems.error(
                "WF202", "the file has no tests", Location(str(entry.tests)), "write one"
            )
    is_good = cases is not None and not problems.errors
    return Tests(
        plan=compiled.plan if is_good else None, cases=cases or (), problems=problems.sorted()
    )


def _tests_path(entry: Entry) -> Path:
    return entry.home / "tests.yaml"
