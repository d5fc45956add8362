"""Stage 6: operations -> the plan document. Spec: section 5; docs/workflow-plan.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow import ast
from naftiko.workflow.plan import walk
from naftiko.workflow.plan.schema import FORMAT
from naftiko.workflow.security.analysis import Analysis

COMPILER = "1"
"""The version of what the compiler writes; goes up when the same source gives another plan."""

BEGINNER_OPERATIONS, INTERMEDIATE_OPERATIONS = 3, 10
LOW_RISK, MEDIUM_RISK = 3.0, 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Digests of what a plan was made from."""

    sha256: str
    iam_data: str
    resolution: str


@dataclass(slots=True, kw_only=True)
class Program:
    """A workflow that has become operations, before it is a document."""

    workflow: ast.Workflow
    parameters: list[JsonObject]
    operations: list[JsonObject]
    rollback: list[JsonObject]
    outputs: dict[str, JsonObject]
    nested: list[JsonObject]
    analysis: Analysis | None = None


def generate(program: Program, sources: Sources) -> JsonObject:
    """Return the plan, its checksum still empty and without signatures."""
    workflow = program.workflow
    return {
        "format": FORMAT,
        "workflow_id": workflow_id(workflow.name, workflow.version),
        "name": workflow.name,
        "version": workflow.version,
        "description": workflow.description,
        "type": workflow.type_,
        "checksum": "",
        "signatures": [],
        "source": {
            "sha256": sources.sha256,
            "compiler": COMPILER,
            "botocore": botocore_version(),
            "iam_data": sources.iam_data,
            "resolution": sources.resolution,
        },
        "metadata": _metadata(program),
        "parameters": list(program.parameters),
        "nested": list(program.nested),
        "execution_plan": list(program.operations),
        "rollback": list(program.rollback),
        "outputs": dict[str, JsonValue](program.outputs),
    }


def workflow_id(name: str, version: str) -> str:
    """("rds_backup", "1.0") -> "rds_backup_v1_0"."""
    return f"{name}_v{version.replace('.', '_')}"


@cache
def botocore_version() -> str:
    """Return the version of the installed botocore."""
    import botocore

    return str(botocore.__version__)


def _metadata(program: Program) -> JsonObject:
    claims, analysis = program.workflow.metadata, program.analysis
    assert analysis is not None  # stage 5 comes before
    resources = analysis.permission_resources
    return {
        "tier": claims.tier,
        "author": claims.author,
        "license": claims.license,
        "risk_score": analysis.risk.score,
        "risk": list[JsonValue](analysis.risk.to_json()),
        "max_duration": claims.max_duration,
        "max_steps": claims.max_steps,
        "cache": claims.cache,
        "read_only": analysis.read_only,
        "services": list[JsonValue](analysis.services),
        "required_permissions": list[JsonValue](analysis.required_permissions),
        "advisory_permissions": list[JsonValue](analysis.advisory_permissions),
        "permission_resources": {
            action: list[JsonValue](resources[action]) for action in sorted(resources)
        },
        "embedding": _embedding(program, analysis),
    }


def _embedding(program: Program, analysis: Analysis) -> JsonObject:
    workflow, given = program.workflow, program.workflow.embedding
    words = workflow.name.replace("_", " ")
    steps, score = count(program.operations), analysis.risk.score
    complexity = "advanced"
    if steps <= INTERMEDIATE_OPERATIONS:
        complexity = "beginner" if steps <= BEGINNER_OPERATIONS else "intermediate"
    level = "high"
    if score <= MEDIUM_RISK:
        level = "low" if score <= LOW_RISK else "medium"
    return {
        "primary_text": given.primary_text or f"{words}. {workflow.description}",
        "use_cases": [scalar.text for scalar in given.use_cases],
        "services": list[JsonValue](given.services or analysis.services),
        "complexity": given.complexity or complexity,
        "risk_level": given.risk_level or level,
    }


def rollback_operations(rollback: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the operations of all handlers."""
    return [operation for handler in rollback for operation in walk.objects(handler["ops"])]


def count(operations: Sequence[JsonObject]) -> int:
    """Count operations, those of loop bodies once."""
    return sum(1 for _ in walk.operations(operations))


def link(operations: Sequence[JsonObject]) -> None:
    """Set `next_step` of each operation, in bodies too."""
    for operation, following in zip_longest(operations, operations[1:]):
        operation["next_step"] = following["step_id"] if following is not None else None
        if operation["op"] == "FOR_EACH":
            link(walk.objects(operation["body"]))
