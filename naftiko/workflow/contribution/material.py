"""What the gates look at: the files of a contribution, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from naftiko.errors import Problem
from naftiko.values import JsonObject
from naftiko.workflow.ast import Workflow
from naftiko.workflow.catalog import README, SOURCE, TESTS, Catalog
from naftiko.workflow.compiler import Compiled, compile_source, load_data
from naftiko.workflow.library import CatalogLibrary
from naftiko.workflow.testing import Case, Report

RunTests = Callable[[JsonObject, Sequence[Case]], Report]
"""Runs the tests of a plan on an AWS of their own; it may raise `TestsTookTooLong`."""

Monotonic = Callable[[], float]


class TestsTookTooLong(Exception):  # noqa: N818 - what happened
    """Tests were ended, for they would not."""

    __test__ = False  # its name looks like a test's


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The three files of a contribution; without tests or README they are empty."""

    source: bytes
    tests: bytes = b""
    readme: bytes = b""

    def named(self) -> tuple[tuple[str, bytes], ...]:
        """Return (name, bytes) of each."""
        return ((SOURCE, self.source), (TESTS, self.tests), (README, self.readme))


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A contribution, compiled as for publication against its catalog."""

    files: Files
    compiled: Compiled
    compile_s: float
    catalog: Catalog
    base: str
    """The path of the catalog: no report tells where on a machine it lies."""

    run_tests: RunTests

    @property
    def plan(self) -> JsonObject | None:
        """The plan, if there is one."""
        return self.compiled.plan

    @property
    def workflow(self) -> Workflow | None:
        """The source as read, if it can be read."""
        return self.compiled.workflow

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What the compiler says."""
        return self.compiled.problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What is needed to check contributions to a catalog: its workflows, a clock, an AWS."""

    catalog: Catalog
    root: Path
    monotonic: Monotonic
    run_tests: RunTests

    def material(self, files: Files) -> Material:
        """Compile a contribution."""
        begun = self.monotonic()
        compiled = self.compile(files.source)
        return Material(
            files=files,
            compiled=compiled,
            compile_s=self.monotonic() - begun,
            catalog=self.catalog,
            base=str(self.root.resolve()),
            run_tests=self.run_tests,
        )

    def compile(self, source: bytes) -> Compiled:
        """Compile a source as for publication."""
        data = load_data(self.catalog.folders, CatalogLibrary(self.catalog))
        return compile_source(source, SOURCE, data, is_published=True)
