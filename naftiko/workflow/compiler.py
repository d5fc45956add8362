"""Source -> plan, stage by stage: errors stop the work after their stage. Spec: section 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from naftiko.errors import Problem, Problems, nearest
from naftiko.resources import data_folder
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow import ast
from naftiko.workflow.codegen import Program, Sources, count, generate, link, rollback_operations
from naftiko.workflow.expressions.patterns import check_pattern
from naftiko.workflow.library import Library, NestedSource, NoLibrary
from naftiko.workflow.lowering.fields import narrow
from naftiko.workflow.lowering.frame import Frame
from naftiko.workflow.lowering.lowering import Context, Data, Nested, lower_steps, outputs_of
from naftiko.workflow.lowering.nested import lower_listed
from naftiko.workflow.lowering.parameters import Parameters
from naftiko.workflow.lowering.rollback import lower_rollback
from naftiko.workflow.plan.canonical import MAX_BYTES, CanonicalError, canonical, checksum
from naftiko.workflow.plan.drift import check_drift
from naftiko.workflow.plan.refused import PlanDrift
from naftiko.workflow.plan.schema import PlanError, check_plan
from naftiko.workflow.plan.walk import operations as operations_of
from naftiko.workflow.resolution.data import ResolutionData
from naftiko.workflow.security.analysis import analyse
from naftiko.workflow.security.iam import IamData
from naftiko.workflow.source.parser import parse_workflow

MAX_OPERATIONS = 500
MAX_INDEXED = 2_000
"""Characters of what a workflow is found by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What came of a source: a plan without signatures, or None, and everything there is to say."""

    plan: JsonObject | None
    problems: tuple[Problem, ...]
    workflow: ast.Workflow | None = None

    @property
    def data(self) -> bytes:
        """The file of the plan."""
        assert self.plan is not None  # the caller looked
        return canonical(self.plan) + b"\n"


@dataclass(slots=True, kw_only=True)
class Compiler:
    """Compiles sources with the same data and library, each nested workflow once.

    `is_published` asks for what a published plan needs: pinned versions of nested workflows.
    """

    data: Data
    is_published: bool = False
    _nested: dict[tuple[str, str], Nested | None] = field(default_factory=dict)
    _stack: list[str] = field(default_factory=list)
    _faults: dict[tuple[str, str], Problem] = field(default_factory=dict)
    """The first error of each nested workflow that has some."""

    def compile(self, source: bytes | str, path: str) -> Compiled:
        """Compile one source; `path` is what diagnostics call it. Never raises for a bad source."""
        problems = Problems()
        workflow = parse_workflow(source, path, problems)
        if workflow is None or problems.errors:
            return Compiled(plan=None, problems=problems.sorted(), workflow=workflow)
        plan = self._compile(workflow, problems)
        failed = plan is None or problems.errors
        return Compiled(
            plan=None if failed else plan, problems=problems.sorted(), workflow=workflow
        )

    def _compile(self, workflow: ast.Workflow, problems: Problems) -> JsonObject | None:
        context = Context(
            data=self.data,
            problems=problems,
            parameters=Parameters(workflow, problems),
            nested_source=self._finder(workflow, problems),
        )
        for parameter in workflow.parameters:
            if parameter.pattern is not None:
                check_pattern(parameter.pattern, problems)
        program = self._lowered(context, workflow)
        self._check_pins(context)
        _check_ids(program, context)
        if problems.errors:
            return None
        self._check_size(program, workflow, problems)
        if problems.errors:
            return None
        analysis = analyse(
            workflow,
            program.operations,
            program.rollback,
            parameters=program.parameters,
            outputs=program.outputs,
            data=self.data.iam,
            place=context.place,
            problems=problems,
        )
        if problems.errors:
            return None
        program.analysis = analysis
        resolution = self.data.resolution.digest_of(analysis.services)
        plan = generate(
            program,
            Sources(sha256=workflow.sha256, iam_data=self.data.iam.digest, resolution=resolution),
        )
        if not self._seal(plan, workflow, problems):
            return None
        self._check_index(plan, workflow, problems)
        return plan

    def _lowered(self, context: Context, workflow: ast.Workflow) -> Program:
        frame = Frame(origin=workflow.ref)
        context.stack.append(workflow)
        operations = lower_steps(context, frame, workflow.steps, parents=frozenset())
        operations += lower_listed(context, frame, workflow)
        outputs = outputs_of(frame.steps)
        if workflow.outputs is not None:
            outputs = {}
            for name, node in workflow.outputs:
                typed = context.value(frame, node)
                if typed is not None:
                    outputs[name.text] = typed
        lower_rollback(context, frame, workflow)
        trees = {name: typed.tree for name, typed in outputs.items()}
        undoing = rollback_operations(context.rollback)
        narrow([*operations, *undoing], list(trees.values()), context.public)
        link(operations)
        for handler in context.rollback:
            link(rollback_operations([handler]))
        return Program(
            workflow=workflow,
            parameters=context.parameters.described(),
            operations=operations,
            rollback=context.rollback,
            outputs=trees,
            nested=self._pins(context),
        )

    def _pins(self, context: Context) -> list[JsonObject]:
        """Return every workflow that was inlined, with its checksum."""
        found: dict[tuple[str, str], JsonObject] = {}
        for nested in context.inlined:
            for pin in (nested.pin, *nested.nested):
                found[(str(pin["name"]), str(pin["version"]))] = pin
        return [found[key] for key in sorted(found)]

    def _check_pins(self, context: Context) -> None:
        for reference in context.unpinned if self.is_published else ():
            context.problems.error(
                "WF507",
                f"a published plan names the version of what it nests, found `{reference.text}`",
                reference.location,
                f"write `{reference.text}@1.0`, with the version that was reviewed",
            )

    def _check_size(self, program: Program, workflow: ast.Workflow, problems: Problems) -> None:
        steps = count(program.operations)
        allowed = min(workflow.metadata.max_steps, MAX_OPERATIONS)
        if steps > allowed:
            problems.error(
                "WF502",
                f"the workflow has {steps} operations, and `max_steps` allows {allowed}",
                workflow.metadata.at("max_steps", workflow.location),
                f"raise `metadata.max_steps`, to {MAX_OPERATIONS} at most"
                if steps <= MAX_OPERATIONS
                else "split the workflow",
            )

    def _seal(self, plan: JsonObject, workflow: ast.Workflow, problems: Problems) -> bool:
        """Set the checksum of a plan that will be accepted when it is loaded; tell whether it is.

        What the loader would refuse has mostly been found before, where the source says it.
        """
        try:
            plan["checksum"] = checksum(plan)
            size = len(canonical(plan))
            if size > MAX_BYTES:
                problems.error(
                    "WF601",
                    f"the plan has {size} bytes, at most {MAX_BYTES}",
                    workflow.location,
                    "split the workflow, or pass long values as parameters",
                )
                return False
            check_plan(plan)
        except (CanonicalError, PlanError) as error:
            problems.error("WF601", f"the plan cannot be written: {error}", workflow.location)
            return False
        return True

    def _check_index(self, plan: JsonObject, workflow: ast.Workflow, problems: Problems) -> None:
        """Stage 7: what the search for workflows will make of it."""
        embedding = workflow.embedding
        known = {
            _folded(text): name
            for name, text in self.data.library.use_cases()
            if name != workflow.name
        }
        for scalar in embedding.use_cases:
            other = known.get(_folded(scalar.text))
            if other is not None:
                problems.warn(
                    "WF701",
                    f"`{other}` has the same use case: `{scalar.text}`",
                    scalar.location,
                    "say what this workflow is for, that the other is not",
                )
        texts = [embedding.primary_text, workflow.description]
        length = sum(len(text) for text in (*texts, *(one.text for one in embedding.use_cases)))
        if length > MAX_INDEXED:
            problems.error(
                "WF702",
                f"the texts that the workflow is found by have {length} characters, at most "
                f"{MAX_INDEXED}",
                embedding.use_cases[-1].location if embedding.use_cases else workflow.location,
                "shorten `embedding_metadata`",
            )

    def _finder(self, workflow: ast.Workflow, problems: Problems) -> _Finder:
        return _Finder(self, workflow, problems)

    def nested(self, source: NestedSource) -> Nested | None:
        """Compile a workflow that another one nests; None where it has errors of its own."""
        key = (source.name, source.version)
        if key not in self._nested:
            problems = Problems()
            workflow = parse_workflow(source.data, source.path, problems)
            plan = None
            if workflow is not None and not problems.errors:
                inner = Compiler(
                    data=self.data,
                    _nested=self._nested,
                    _stack=self._stack,
                    _faults=self._faults,
                )
                plan = inner._compile(workflow, problems)
            found = None
            if workflow is not None and plan is not None and not problems.errors:
                found = _as_nested(workflow, plan)
            self._nested[key] = found
            if problems.errors:
                circles = [one for one in problems.errors if one.code == "WF501"]
                self._faults[key] = (circles or problems.errors)[0]
        return self._nested[key]


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds nested workflows for one that is being compiled."""

    compiler: Compiler
    workflow: ast.Workflow
    problems: Problems

    def __call__(self, name: str, version: str | None, at: Location) -> Nested | None:
        """Return a workflow; reports WF501 and WF503."""
        stack = [*self.compiler._stack, self.workflow.name]
        if name in stack:
            shown = " -> ".join(f"`{one}`" for one in [*stack[stack.index(name) :], name])
            self.problems.error(
                "WF501",
                f"workflows nest each other in a circle: {shown}",
                at,
                "take one of them out of another's `nested_workflows`",
            )
            return None
        library = self.compiler.data.library
        source = library.source(name, version)
        if source is None:
            self._unknown(name, version, at)
            return None
        if source.plan is not None:
            try:
                check_drift(source.plan)
            except PlanDrift as error:
                shown = ", ".join(f"`{one}`" for one in error.gone)
                self.problems.error(
                    "WF602",
                    f"the published plan of `{name}@{source.version}` names what the installed "
                    f"botocore does not have: {shown}",
                    at,
                    "publish a new version of it, compiled with the installed botocore",
                )
                return None
        self.compiler._stack.append(self.workflow.name)
        try:
            nested = self.compiler.nested(source)
        finally:
            self.compiler._stack.pop()
        if nested is None:
            self._broken(source, at)
        return nested

    def _broken(self, source: NestedSource, at: Location) -> None:
        """Report what is wrong with a nested workflow: a circle is shown, it has several makers."""
        fault = self.compiler._faults.get((source.name, source.version))
        if fault is not None and fault.code == "WF501":
            self.problems.error("WF501", fault.message, at, fault.hint)
            return
        first = f", the first of them {fault.code}: {fault.message}" if fault is not None else ""
        self.problems.error(
            "WF503",
            f"`{source.name}@{source.version}` has errors of its own{first}",
            at,
            f"see `naftiko workflow check {source.path}`",
        )

    def _unknown(self, name: str, version: str | None, at: Location) -> None:
        library = self.compiler.data.library
        if version is not None and library.source(name, None) is not None:
            newest = library.source(name, None)
            assert newest is not None  # asked before
            message = f"the catalog has `{name}`, but not its version `{version}`"
            self.problems.error("WF503", message, at, f"the newest is `{name}@{newest.version}`")
            return
        near = nearest(name, library.names())
        self.problems.error(
            "WF503",
            f"the catalog has no workflow `{name}`",
            at,
            f"did you mean `{near}`?" if near else "put it into the catalog first",
        )


def _check_ids(program: Program, context: Context) -> None:
    """Report operations of the same id: what is made of a step may be called like another one."""
    seen: set[str] = set()
    every = [*program.operations, *rollback_operations(program.rollback)]
    for id_ in (str(operation["step_id"]) for operation in operations_of(every)):
        if id_ in seen:
            context.problems.error(
                "WF205",
                f"two operations of the plan are called `{id_}`",
                _own_place(id_, context),
                "what is made of a step is called `<id>__...`: give one of them another id",
            )
        seen.add(id_)


def _own_place(id_: str, context: Context) -> Location:
    """Return where the source has the step that an operation was made of, not where a recipe is."""
    source = context.stack[0].location
    while id_:
        found = context.place(id_)
        if found.path == source.path and found != source:
            return found
        id_ = id_.rpartition("__")[0]
    return source


def _as_nested(workflow: ast.Workflow, plan: JsonObject) -> Nested:
    parameters, nested = plan["parameters"], plan["nested"]
    assert isinstance(parameters, list)  # made by `generate`
    assert isinstance(nested, list)
    return Nested(
        workflow=workflow,
        parameters=tuple(item for item in parameters if isinstance(item, dict)),
        checksum=str(plan["checksum"]),
        nested=tuple(item for item in nested if isinstance(item, dict)),
    )


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def load_data(folders: Sequence[Path] = (), library: Library | None = None) -> Data:
    """Return the data of catalog folders, over that of the catalog that comes with the engine."""
    shipped = data_folder("capabilities")
    bases = [shipped / "workflow-catalog"] if shipped is not None else []
    every = [*bases, *(folder for folder in folders if folder not in bases)]
    return Data(
        resolution=ResolutionData.load([folder / "resolution" for folder in every]),
        iam=IamData.load(*(folder / "iam" for folder in every)),
        library=library or NoLibrary(),
    )


def compile_source(
    source: bytes | str, path: str, data: Data, *, is_published: bool = False
) -> Compiled:
    """Compile one source."""
    return Compiler(data=data, is_published=is_published).compile(source, path)
