"""The operations of every entry: what they take, what they give, what they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.consumes.workflows.describing import MAX_LISTED
from naftiko.consumes.workflows.operations import (
    Desk,
    Work,
    WorkflowOperation,
    cancel,
    confirm,
    execute,
    get_execution,
    get_workflow,
    list_executions,
    list_workflows,
    suggest_workflows,
)
from naftiko.consumes.workflows.reading import GRAPHS, get_graph, get_plan, get_source
from naftiko.consumes.workflows.schemas import MAX_WAIT_S, MODES, STATUSES, result_schema
from naftiko.consumes.workflows.suggesting import suggestions_schema
from naftiko.plan.ports import Effect, Parameter
from naftiko.workflow.discovery.suggest import MAX_QUERY, MAX_RESULTS
from naftiko.workflow.runtime.policy import TIERS
from naftiko.workflow.view import VIEWS

if TYPE_CHECKING:
    from naftiko.values import JsonObject


SUGGESTS = "suggest-workflows"


def _parameter(
    name: str, schema: JsonObject, description: str, *, required: bool = False
) -> Parameter:
    return Parameter(name=name, schema={**schema, "description": description}, required=required)


_VIEW = _parameter(
    "view",
    {"type": "string", "enum": [*VIEWS]},
    "What of AWS's values is shown. label: hidden characters made visible, long texts cut. redact: "
    "what reads like an instruction left out as well. raw: as they are, where that is allowed.",
)
_WAIT = _parameter(
    "wait",
    {"type": "number", "minimum": 0, "maximum": MAX_WAIT_S},
    "How many seconds to wait for the end; then the answer says how far it is. Without it, until "
    "the end, or until something is to be confirmed.",
)
_EXECUTION = _parameter(
    "execution_id",
    {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9_.-]+$"},
    "The id of the execution.",
    required=True,
)
_TOKEN = _parameter(
    "confirm_token",
    {"type": "string", "minLength": 1, "maxLength": 512},
    "The `confirm_token` of the operation that waits: it confirms exactly what was shown.",
)
_LIMIT = _parameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MAX_LISTED, "default": 50},
    "How many are listed at most.",
)
_CURSOR = _parameter(
    "cursor",
    {"type": "string", "maxLength": 256},
    "The `next_cursor` of the list before, to have what follows it.",
)
_NAME = _parameter(
    "workflow_name",
    {"type": "string", "minLength": 1, "maxLength": 128},
    "The name of a workflow, or name@version.",
    required=True,
)


def _optional(parameter: Parameter, description: str = "") -> Parameter:
    schema = {**parameter.schema, "description": description or parameter.schema["description"]}
    return Parameter(name=parameter.name, schema=schema)


def _required(parameter: Parameter) -> Parameter:
    return Parameter(name=parameter.name, schema=parameter.schema, required=True)


def _listing(name: str) -> JsonObject:
    return {
        "type": "object",
        "properties": {
            name: {"type": "array", "items": {"type": "object"}},
            "next_cursor": {"type": "string"},
        },
        "required": [name],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One operation of every entry."""

    description: str
    effect: Effect
    work: Work
    parameters: tuple[Parameter, ...]
    output_schema: JsonObject | None


OPERATIONS: Mapping[str, Row] = {
    "list-workflows": Row(
        description="The workflows of the catalog, each in its newest version: what they are for, "
        "what they need, how risky they are, and whether they may be executed here.",
        effect=Effect.READ,
        work=list_workflows,
        parameters=(
            _parameter("tier", {"type": "string", "enum": [*TIERS]}, "Only those of this tier."),
            _parameter(
                "service",
                {"type": "string", "maxLength": 64},
                "Only those that call this AWS service: rds, s3.",
            ),
            _parameter(
                "text",
                {"type": "string", "maxLength": 500},
                "Only those in whose name, description or use cases all these words stand.",
            ),
            _LIMIT,
            _CURSOR,
        ),
        output_schema=_listing("workflows"),
    ),
    SUGGESTS: Row(
        description="The workflows that answer a question, the best first: what they do, need and "
        "risk, whether they may be executed here, and why they were found. None where nothing "
        "answers. `filtered` counts what was found and left out.",
        effect=Effect.READ,
        work=suggest_workflows,
        parameters=(
            _parameter(
                "query",
                {"type": "string", "minLength": 1, "maxLength": MAX_QUERY},
                "What is to be done, in any words: back up my database before the upgrade.",
                required=True,
            ),
            _parameter(
                "max_results",
                {"type": "integer", "minimum": 1, "maximum": MAX_RESULTS, "default": 5},
                "How many are given at most.",
            ),
            _parameter(
                "risk_threshold",
                {"type": "number", "minimum": 0, "maximum": 10, "default": 5.0},
                "Only those of this risk or less: 0 is harmless, 10 is the worst.",
            ),
            _parameter(
                "include_blocked",
                {"type": "boolean", "default": False},
                "Those as well that may not be executed here: `executable` is false, and "
                "`blocked_by` says why.",
            ),
        ),
        output_schema=suggestions_schema(),
    ),
    "get-workflow": Row(
        description="All there is to say of a workflow: its parameters and outputs as JSON "
        "Schemas, its steps, permissions, risk, and a graph of it.",
        effect=Effect.READ,
        work=get_workflow,
        parameters=(_NAME,),
        output_schema={"type": "object", "required": ["workflow_name", "version", "tier"]},
    ),
    "get-workflow-source": Row(
        description="The source of a workflow, as YAML: its author's own words, with hidden "
        "characters made visible.",
        effect=Effect.READ,
        work=get_source,
        parameters=(
            _NAME,
            _parameter(
                "view",
                {"type": "string", "enum": ["label", "raw"], "default": "label"},
                "label: hidden characters made visible. raw: its bytes, where that is allowed.",
            ),
        ),
        output_schema=None,
    ),
    "get-workflow-plan": Row(
        description="The compiled plan of a workflow, as JSON: the bytes that were signed.",
        effect=Effect.READ,
        work=get_plan,
        parameters=(_NAME,),
        output_schema={"type": "object"},
    ),
    "get-workflow-graph": Row(
        description="A graph of what a workflow does: Mermaid, or a drawing (SVG).",
        effect=Effect.READ,
        work=get_graph,
        parameters=(
            _NAME,
            _parameter(
                "format",
                {"type": "string", "enum": [*GRAPHS], "default": "mermaid"},
                "What it is drawn as.",
            ),
        ),
        output_schema=None,
    ),
    "execute-workflow": Row(
        description="Executes a workflow, or goes on with an execution: with `confirm_token` it "
        "does what was shown, with `cancel` it stops and takes back what it did.",
        effect=Effect.DESTRUCTIVE,
        work=execute,
        parameters=(
            _optional(_NAME, "The workflow to execute: name, or name@version."),
            _parameter(
                "parameters", {"type": "object"}, "Its parameters, as get-workflow describes them."
            ),
            _parameter(
                "execution_mode",
                {"type": "string", "enum": [*MODES], "default": "step_by_step"},
                "step_by_step: stops before each operation that changes something, until it is "
                "confirmed. full: does not stop. plan: shows what would be done, calling nothing. "
                "dry_run: reads only, and lets AWS check the rest where it can.",
            ),
            _optional(_EXECUTION, "The execution to go on with, instead of a new one."),
            _TOKEN,
            _parameter("cancel", {"type": "boolean"}, "Cancel the execution."),
            _parameter(
                "idempotency_key",
                {"type": "string", "minLength": 1, "maxLength": 128},
                "The same key with the same parameters never executes twice within an hour.",
            ),
            _WAIT,
            _VIEW,
        ),
        output_schema=result_schema(),
    ),
    "get-execution": Row(
        description="How an execution stands, or how it ended.",
        effect=Effect.READ,
        work=get_execution,
        parameters=(_EXECUTION, _VIEW),
        output_schema=result_schema(),
    ),
    "list-executions": Row(
        description="The executions of all workflows, newest first.",
        effect=Effect.READ,
        work=list_executions,
        parameters=(
            _parameter(
                "status", {"type": "string", "enum": [*STATUSES]}, "Only those of this status."
            ),
            _LIMIT,
            _CURSOR,
        ),
        output_schema=_listing("executions"),
    ),
    "confirm-execution": Row(
        description="Has an execution do what it waits to be confirmed.",
        effect=Effect.DESTRUCTIVE,
        work=confirm,
        parameters=(_EXECUTION, _required(_TOKEN), _WAIT, _VIEW),
        output_schema=result_schema(),
    ),
    "cancel-execution": Row(
        description="Cancels an execution: it stops, and takes back what it did.",
        effect=Effect.DESTRUCTIVE,
        work=cancel,
        parameters=(_EXECUTION, _WAIT, _VIEW),
        output_schema=result_schema(),
    ),
}


def make(namespace: str, name: str, desk: Desk) -> WorkflowOperation | None:
    """Return an operation of an entry; None where there is none of that name."""
    row = OPERATIONS.get(name)
    if row is None:
        return None
    return WorkflowOperation(
        address=f"{namespace}.{name}",
        description=row.description,
        parameters=row.parameters,
        effect=row.effect,
        output_schema=row.output_schema,
        desk=desk,
        work=row.work,
    )
