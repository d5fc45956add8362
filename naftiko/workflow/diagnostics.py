"""The codes of the compiler, and its problems as data: where, as line and as JSON pointer.

Spec: section 4.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from naftiko.document.nodes import Document, Mapping, Node, Scalar
from naftiko.errors import Problem, Severity
from naftiko.source import Location, Source, render_excerpt
from naftiko.values import JsonObject

STAGES = {
    1: "parse",
    2: "schema",
    3: "resolve",
    4: "dependencies",
    5: "security",
    6: "generate",
    7: "index",
    8: "state machine",
    9: "contribution",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One code: the stage that gives it, how bad it is, and what it means."""

    code: str
    stage: int
    severity: Severity
    title: str
    explanation: str


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

_ROWS: tuple[tuple[str, Severity, str, str], ...] = (
    (
        "WF101",
        _E,
        "unreadable source",
        "A source is UTF-8 of at most 256 KiB.",
    ),
    (
        "WF102",
        _E,
        "not the YAML of a workflow",
        "One YAML document with a mapping at its top, names that are text, and no character that "
        "a reader cannot see.",
    ),
    (
        "WF103",
        _E,
        "anchor, alias, tag or merge key",
        "Every value is written out where it counts, so that a review sees what runs.",
    ),
    (
        "WF104",
        _E,
        "name twice in one mapping",
        "The second value would silently replace the first.",
    ),
    ("WF105", _E, "too deep", "Lists and mappings may be nested 40 deep."),
    ("WF201", _E, "unknown field", "Nothing is ignored: a misspelt field would have no effect."),
    ("WF202", _E, "missing field", "The field has no default."),
    ("WF203", _E, "wrong type", "The value is not what the field takes; nothing is converted."),
    ("WF204", _E, "value out of range", "The value breaks the field's pattern, range or options."),
    ("WF205", _E, "name twice", "Ids of steps, names of parameters and items of sets are unique."),
    (
        "WF206",
        _E,
        "bad default",
        "A default has to be a value that the parameter would take from a caller.",
    ),
    (
        "WF210",
        _W,
        "implicit parameter",
        "An expression or a call names a parameter that is not declared; it becomes one.",
    ),
    (
        "WF211",
        _I,
        "lifted parameter",
        "A nested workflow needs a value that nothing gives it, so the caller is asked for it.",
    ),
    ("WF212", _W, "default version", "Without `version` it is 1.0; to publish it has to be said."),
    ("WF300", _E, "unknown service", "The AWS library has no service of that name."),
    (
        "WF301",
        _E,
        "unknown operation",
        "No operation, alias or recipe of the service fits the action.",
    ),
    ("WF302", _E, "ambiguous operation", "Several operations fit the action; nothing is guessed."),
    (
        "WF303",
        _E,
        "unknown member",
        "No member of the operation's input, or several, fit the name.",
    ),
    (
        "WF304",
        _E,
        "value does not fit the member",
        "Constants and typed references are checked against the shape of the member.",
    ),
    ("WF305", _E, "required member is not set", "AWS would refuse the call."),
    (
        "WF306",
        _E,
        "nothing to observe",
        "No reading operation, or several, show how the step that is waited for is doing.",
    ),
    (
        "WF307",
        _E,
        "nothing to undo with",
        "`on_failure` is no recipe and no workflow, and no undo rule fits the covered steps.",
    ),
    ("WF310", _E, "bad expression", "The text in `${...}` or of a condition cannot be read."),
    (
        "WF313",
        _E,
        "recipe without its scope",
        "A recipe that destroys runs only on what its scope parameters name.",
    ),
    (
        "WF314",
        _I,
        "taken as",
        "What the compiler made of a loose name, a short step or a handler, where it was not said "
        "exactly.",
    ),
    (
        "WF315",
        _W,
        "text that looks like a reference",
        "`params.x` or `{{params.x}}` without `${...}` is a text, and is sent as it is.",
    ),
    ("WF320", _E, "unknown name", "The expression names a parameter or step that is not there."),
    ("WF321", _E, "path is not in the answer", "The operation's answer has no such member."),
    (
        "WF322",
        _E,
        "types clash",
        "The two sides cannot be compared, or the place wants another type.",
    ),
    (
        "WF323",
        _E,
        "unsafe pattern",
        "Patterns are literal and cannot be made to run for long: no back-references, no "
        "look-around, no nested repetition.",
    ),
    (
        "WF330",
        _E,
        "not an earlier step",
        "An expression may use only steps that the step waits for, directly or not.",
    ),
    (
        "WF345",
        _W,
        "step may be skipped",
        "Where a step with a condition is skipped, so is what uses its outputs without a default.",
    ),
    (
        "WF346",
        _E,
        "no error code",
        "A step has an error code if it makes one call, and if others run once it has failed.",
    ),
    (
        "WF401",
        _E,
        "no known permission",
        "The IAM data has no action for the operation, so its risk cannot be told.",
    ),
    (
        "WF402",
        _E,
        "not allowed in the tier",
        "Community workflows read; verified ones also write and tag, and manage permissions only "
        "with a rollback.",
    ),
    (
        "WF403",
        _E,
        "secret",
        "A community workflow reads no secrets, and no workflow gives one out as an output.",
    ),
    (
        "WF404",
        _E,
        "too long for the tier",
        "Community 5 minutes, verified 30, enterprise no limit.",
    ),
    ("WF405", _E, "too risky for the tier", "Community 3.0, verified 7.0, enterprise no limit."),
    ("WF406", _E, "destroys without a target", "A destructive call has to name what it destroys."),
    ("WF407", _E, "credential in the source", "Secrets are parameters marked `sensitive`."),
    ("WF408", _E, "denied operation", "The operation may not be used in a workflow."),
    ("WF409", _E, "unbounded fan-out", "Every loop over calls has a cap that the plan carries."),
    ("WF411", _E, "riskier than claimed", "`metadata.risk_score` is an upper bound."),
    (
        "WF412",
        _E,
        "free text into policy or code",
        "A parameter that reaches a policy or code needs a `pattern` or an `enum`.",
    ),
    ("WF420", _W, "no rollback", "What a step creates stays when a later one fails."),
    ("WF431", _W, "permission is not declared", "The workflow needs it; `permissions` lacks it."),
    ("WF432", _W, "permission is not needed", "`permissions` has it; no call needs it."),
    ("WF501", _E, "steps wait for each other", "The dependencies form a cycle, which is shown."),
    ("WF502", _E, "too many operations", "After flattening there are more than `max_steps`."),
    ("WF503", _E, "unknown workflow", "The catalog has no workflow of that name and version."),
    (
        "WF504",
        _E,
        "nesting rule",
        "Primitives nest nothing, patterns nest primitives, applications both; three deep.",
    ),
    ("WF505", _E, "not in `nested_workflows`", "A step may run only the workflows that it lists."),
    (
        "WF506",
        _I,
        "nested workflow of another tier",
        "All its operations have to satisfy the tier of the outer workflow.",
    ),
    ("WF507", _E, "nested workflow is not pinned", "A published plan names `name@version`."),
    ("WF601", _E, "plan too large", "A plan has at most 1 MiB."),
    ("WF602", _E, "member is gone", "The AWS library in use no longer has the member."),
    ("WF701", _W, "use case of another workflow", "The search could not tell the two apart."),
    ("WF702", _E, "search text too long", "At most 2,000 characters."),
    ("WF801", _E, "no state machine can do it", "Step Functions has no counterpart for it."),
    ("WF802", _E, "state name too long", "At most 80 characters."),
    ("WF803", _E, "definition too large", "At most 1 MiB."),
)


def _stage(code: str) -> int:
    return int(code[2])


CODES: dict[str, Code] = {
    code: Code(code, _stage(code), severity, title, explanation)
    for code, severity, title, explanation in _ROWS
}
"""Every code, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """A problem as data. `pointer` is a JSON pointer (RFC 6901) into the source, "" its root."""

    code: str
    severity: str
    message: str
    pointer: str
    line: int
    column: int
    hint: str = ""
    path: str = ""

    def to_json(self) -> JsonObject:
        """Return the wire shape; `stage` is the compiler's."""
        known = CODES.get(self.code)
        return {
            "code": self.code,
            "severity": self.severity,
            "stage": STAGES[known.stage] if known is not None else "",
            "message": self.message,
            "pointer": self.pointer,
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "hint": self.hint,
        }


def diagnostics(problems: Iterable[Problem], document: Document | None) -> list[Diagnostic]:
    """Return the problems as data, in the order in which they come.

    Those in other files than the document (a recipe, a nested workflow) have the pointer "".
    """
    pointers = Pointers(document) if document is not None else None
    return [_diagnostic(problem, pointers) for problem in problems]


def _diagnostic(problem: Problem, pointers: Pointers | None) -> Diagnostic:
    place = problem.location
    return Diagnostic(
        code=problem.code,
        severity=problem.severity.label,
        message=problem.message,
        pointer=pointers.at(place) if pointers is not None else "",
        line=place.line,
        column=place.column,
        hint=problem.hint,
        path=place.path,
    )


class Pointers:
    """Tells which value of a document stands at a place."""

    def __init__(self, document: Document) -> None:
        """Index the document."""
        self._path = document.path
        found = sorted(_places(document.root, ""), key=lambda place: place[0])
        self._starts = [start for start, _, _ in found]
        self._found = found

    def at(self, location: Location) -> str:
        """Return the pointer of the value or name that a location points at or into."""
        if location.path != self._path:
            return ""
        start = (location.line, location.column)
        first = bisect_right(self._starts, (*start, -1))
        for begun, extent, pointer in self._found[first : first + 3]:
            if begun[:2] == start and extent == location.end_column:
                return pointer
        last = bisect_right(self._starts, (*start, 1 << 30)) - 1
        return self._found[last][2] if last >= 0 else ""


def _places(node: Node, pointer: str) -> Iterator[tuple[tuple[int, int, int], int, str]]:
    """Yield (line, column, depth), end column, pointer of all names and values."""
    place = node.location
    depth = pointer.count("/")
    yield (place.line, place.column, depth), place.end_column, pointer
    if isinstance(node, Scalar):
        return
    if isinstance(node, Mapping):
        for key, value in node.entries:
            inner = f"{pointer}/{escape(key.text)}"
            place = key.location
            yield (place.line, place.column, depth + 1), place.end_column, inner
            yield from _places(value, inner)
        return
    for index, item in enumerate(node):
        yield from _places(item, f"{pointer}/{index}")


def escape(name: str) -> str:
    """Return a name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def render_problem(problem: Problem, source: Source) -> str:
    """Return a problem for people: place, code, message, the line with carets, the hint."""
    place = problem.location
    lines = [f"{place}: {problem.severity.label}[{problem.code}]: {problem.message}"]
    excerpt = render_excerpt(source, place) if place.path == source.path else ""
    lines += [excerpt] if excerpt else []
    lines += [f"  hint: {problem.hint}"] if problem.hint else []
    return "\n".join(lines)
