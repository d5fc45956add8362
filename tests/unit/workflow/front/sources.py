"""Sources that are fine, and an AST without its places."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

from naftiko.document.nodes import Mapping, Scalar, Sequence
from naftiko.errors import Problem, Problems
from naftiko.source import Location
from naftiko.workflow.ast import Workflow
from naftiko.workflow.source.parser import parse_workflow

FOLDER = Path(__file__).parent / "valid"
VALID = sorted(FOLDER.glob("*.yaml"))

HEAD = 'name: case\nversion: "1.0"\ndescription: "A case for the parser"\n'
STEP = "steps:\n  - id: list\n    type: command\n    context: {service: s3, action: list_buckets}\n"


def parsed(source: str | bytes) -> Workflow:
    problems = Problems()
    workflow = parse_workflow(source, "a.yaml", problems)
    assert workflow is not None, [f"{item.location} {item.message}" for item in problems]
    return workflow


def problems_of(source: str | bytes) -> tuple[Problem, ...]:
    problems = Problems()
    parse_workflow(source, "a.yaml", problems)
    return problems.sorted()


def codes_of(source: str | bytes) -> list[str]:
    return [problem.code for problem in problems_of(source)]


def bare(value: object) -> object:
    """Return a part of an AST without places, digests and the order of mappings."""
    match value:
        case Location():
            return None
        case Scalar():
            return (type(value.value).__name__, value.value)
        case Sequence():
            return [bare(item) for item in value]
        case Mapping():
            return {key.text: bare(item) for key, item in value.entries}
        case tuple() | list():
            return [bare(item) for item in value]
    if is_dataclass(value):
        names = [item.name for item in fields(value) if item.name not in {"sha256", "places"}]
        return {"is": type(value).__name__} | {name: bare(getattr(value, name)) for name in names}
    return (type(value).__name__, value)
