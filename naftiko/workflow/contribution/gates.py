"""The gates of a contribution, in their order. Spec: section 12.

Each is a function of the material. A gate whose material is missing, because an earlier one found
errors, has not run: the report passes only where every gate has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from naftiko.errors import Severity
from naftiko.source import Location
from naftiko.workflow.catalog import README, SOURCE
from naftiko.workflow.contribution.cost import MAX_CALLS, waits_of, worst_calls
from naftiko.workflow.contribution.duplicates import same_plans
from naftiko.workflow.contribution.findings import Finding, GateResult, at, of_problem, result
from naftiko.workflow.contribution.material import Material
from naftiko.workflow.contribution.prose import words_of
from naftiko.workflow.contribution.scan import scan_readme, scan_source, scan_tests
from naftiko.workflow.contribution.tested import tests_of
from naftiko.workflow.plan.walk import mapping, texts

MAX_COMPILE_S = 30.0
MIN_USE_CASES = 3
MIN_README_WORDS = 20
MIN_DISTINCT_WORDS = 12
MIN_DESCRIPTION = 3

_GATES: dict[str, str] = {
    "WF401": "permission_boundary",
    "WF431": "permission_boundary",
    "WF432": "permission_boundary",
    "WF402": "risk",
    "WF403": "risk",
    "WF404": "risk",
    "WF405": "risk",
    "WF411": "risk",
    "WF502": "performance",
    "WF601": "performance",
    "WF602": "schema",
}
_STAGES = {
    "1": "syntax",
    "2": "schema",
    "3": "schema",
    "4": "security_scan",
    "5": "cycles",
    "6": "performance",
    "7": "duplicates",
}


def gate_of(code: str) -> str:
    """Return the gate at which a code of the compiler stops a contribution."""
    return _GATES.get(code) or _STAGES.get(code[2:3], "schema")


def syntax(material: Material) -> GateResult:
    """The source is the YAML that sources are written in."""
    return result("syntax", _compiler(material, "syntax"))


def schema(material: Material) -> GateResult:
    """Every field is known and right, every name resolves, author and version are said."""
    found = [*_compiler(material, "schema"), *_unsaid(material)]
    return result("schema", found, ran=material.workflow is not None)


def permission_boundary(material: Material) -> GateResult:
    """The permissions that are declared are those that the calls need: no more, no less."""
    found = [*_compiler(material, "permission_boundary"), *_undeclared(material)]
    return result("permission_boundary", found, ran=material.plan is not None)


def risk(material: Material) -> GateResult:
    """The risk is what is claimed at most, and it and every call are allowed in the tier."""
    return result("risk", _compiler(material, "risk"), ran=material.plan is not None)


def cycles(material: Material) -> GateResult:
    """Steps and nested workflows do not go in circles, and everything nested is pinned."""
    return result("cycles", _compiler(material, "cycles"), ran=material.plan is not None)


def performance(material: Material) -> GateResult:
    """It compiles soon, and can neither call without end nor wait longer than it may run."""
    found = [*_compiler(material, "performance"), *_costs(material)]
    return result("performance", found, ran=material.plan is not None)


def security_scan(material: Material) -> GateResult:
    """No credential, no order to a reader, no hidden character; nothing that destroys blindly."""
    found = [
        *_compiler(material, "security_scan"),
        *scan_source(material.files.source),
        *scan_tests(material.files.tests),
        *scan_readme(material.files.readme),
    ]
    return result("security_scan", found, ran=material.plan is not None)


def documentation(material: Material) -> GateResult:
    """Every parameter is described, three use cases are given, the README has substance."""
    found = [*_undocumented(material), *_readme(material)]
    return result("documentation", found, ran=material.workflow is not None)


def tests(material: Material) -> GateResult:
    """They pass; a success, a failure, every rollback handler and every step is among them."""
    if material.plan is None:
        return result("tests", (), ran=False)
    return result("tests", tests_of(material.files.tests, material.plan, material.run_tests))


def duplicates(material: Material) -> GateResult:
    """The catalog has no workflow that does the same, or is found by the same words."""
    found = list(_compiler(material, "duplicates"))
    if material.plan is not None:
        found += same_plans(material.plan, material.catalog)
    return result("duplicates", found, ran=material.plan is not None)


Gate = Callable[[Material], GateResult]
GATES: tuple[Gate, ...] = (
    syntax,
    schema,
    permission_boundary,
    risk,
    cycles,
    performance,
    security_scan,
    documentation,
    tests,
    duplicates,
)
NAMES = tuple(gate.__name__ for gate in GATES)


def run_gates(material: Material) -> tuple[GateResult, ...]:
    """Run all gates."""
    return tuple(gate(material) for gate in GATES)


def _compiler(material: Material, gate: str) -> Iterator[Finding]:
    for problem in material.problems:
        if problem.severity is not Severity.INFO and gate_of(problem.code) == gate:
            yield of_problem(problem, base=material.base)


def _unsaid(material: Material) -> Iterator[Finding]:
    workflow = material.workflow
    if workflow is not None and not workflow.metadata.author.strip():
        hint = 'write `author: "@you"` under `metadata`'
        yield at("WF904", "the workflow names no author", workflow.location, hint)


def _undeclared(material: Material) -> Iterator[Finding]:
    """Report permissions that are not declared at all; the compiler lets that be."""
    if material.workflow is None or material.plan is None:
        return
    required = texts(mapping(material.plan["metadata"])["required_permissions"])
    if required and material.workflow.permissions is None:
        yield at(
            "WF431",
            f"the workflow declares no `permissions`, and its steps need {len(required)}",
            material.workflow.location,
            f"write `permissions: [{', '.join(required[:5])}]`",
        )


def _costs(material: Material) -> Iterator[Finding]:
    if material.compile_s > MAX_COMPILE_S:
        yield Finding(
            code="WF911",
            message=f"compiling took longer than {MAX_COMPILE_S:g} s",
            path=SOURCE,
            hint="split the workflow",
        )
    plan, workflow = material.plan, material.workflow
    if plan is None or workflow is None:
        return
    metadata = mapping(plan["metadata"])
    limit, calls = MAX_CALLS[str(metadata["tier"])], worst_calls(plan)
    if calls > limit:
        yield at(
            "WF912",
            f"its caps allow {calls} calls, a {metadata['tier']} workflow makes {limit} at most",
            workflow.location,
            "lower `max_items`, `max_attempts` or retries to what is needed",
        )
    waits, duration = waits_of(plan), metadata["max_duration"]
    if isinstance(duration, int) and waits > duration:
        yield at(
            "WF913",
            f"its steps may wait for {waits} s, and `max_duration` is {duration} s",
            workflow.metadata.at("max_duration", workflow.location),
            "wait for less long, or allow for it",
        )


def _undocumented(material: Material) -> Iterator[Finding]:
    workflow = material.workflow
    if workflow is None:
        return
    for parameter in workflow.parameters:
        if len(parameter.description.strip()) < MIN_DESCRIPTION:
            message = f"the parameter `{parameter.name}` is not described"
            yield at("WF901", message, parameter.location, "say what it is, and an example")
    cases = {one.text.strip().lower() for one in workflow.embedding.use_cases}
    if len(cases) < MIN_USE_CASES:
        place = _place(one.location for one in workflow.embedding.use_cases) or workflow.location
        yield at(
            "WF902",
            f"there are {len(cases)} use cases, at least {MIN_USE_CASES} are asked for",
            place,
            "write what people would ask for, under `embedding_metadata.use_cases`",
        )


def _place(places: Iterable[Location]) -> Location | None:
    return next(iter(places), None)


def _readme(material: Material) -> Iterator[Finding]:
    words = words_of(material.files.readme)
    if len(words) >= MIN_README_WORDS and len(set(words)) >= MIN_DISTINCT_WORDS:
        return
    yield Finding(
        code="WF903",
        message=f"the README says {len(words)} words, at least {MIN_README_WORDS} are asked for",
        path=README,
        hint="say what it changes, what it leaves behind when it fails, and how to run it",
    )
