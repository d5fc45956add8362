"""The operations of a catalog as plans call them: list, get, execute, confirm, cancel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from naftiko.consumes.workflows.answers import TROUBLES, answer, error_of
from naftiko.consumes.workflows.describing import MAX_LISTED, Wanted, described, listed
from naftiko.consumes.workflows.schemas import MAX_WAIT_S, MODES, STATUSES, result_schema
from naftiko.consumes.workflows.telling import following
from naftiko.errors import FieldError, InputError, StartError
from naftiko.plan.inputs import compile_validator, field_errors
from naftiko.plan.ports import Effect, Parameter, Result
from naftiko.workflow.runtime.orders import Order
from naftiko.workflow.runtime.policy import TIERS
from naftiko.workflow.view import VIEWS

if TYPE_CHECKING:
    import jsonschema_rs

    from naftiko.consumes.workflows.telling import Leaving
    from naftiko.plan.run import Run
    from naftiko.values import JsonObject, JsonSchema, JsonValue
    from naftiko.workflow.runtime.orders import OnEvent
    from naftiko.workflow.runtime.service import WorkflowService
    from naftiko.workflow.state.store import Execution

MARGIN_S = 0.5
"""What is left of a request's time for its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all operations share.

    `view` is that of callers who ask for none. `leaving` ends executions where
    their callers are gone, or say so.
    """

    service: WorkflowService
    view: str
    allow_raw: bool
    leaving: Leaving

    def view_of(self, arguments: Mapping[str, JsonValue]) -> str:
        """Return the view that a caller wants.

        Raises: InputError: values as they are, where that is not allowed.
        """
        wanted = arguments.get("view")
        view = str(wanted) if wanted is not None else self.view
        if view != "raw" or self.allow_raw:
            return view
        if wanted is None:
            return "label"
        raise InputError(
            message="the view `raw` is not allowed here",
            hint="take `label` or `redact`",
            fields=(FieldError(name="view", message="`raw` is not allowed here"),),
        )


Work = Callable[["Desk", "JsonObject", "Run"], Awaitable[Result]]


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkflowOperation:
    """One operation."""

    address: str
    description: str
    parameters: Sequence[Parameter]
    effect: Effect
    output_schema: JsonSchema | None
    desk: Desk = field(repr=False)
    work: Work = field(repr=False)
    open_arguments: bool = False

    def explain(self) -> Sequence[str]:
        """Say what it does."""
        service = self.desk.service
        policy = service.policy
        return [
            f"workflows of {', '.join(str(folder) for folder in service.plans.folders)}",
            f"  tiers {', '.join(policy.tiers_enabled) or 'none'}, risk up to "
            f"{policy.risk_ceiling:g}, runs {policy.target}",
            f"  values are shown in the view `{self.desk.view}`",
        ]

    async def call(self, arguments: Mapping[str, JsonValue], run: Run) -> Result:
        """Do it.

        Raises: InputError, RunError.
        """
        given: JsonObject = {name: value for name, value in arguments.items() if value is not None}
        if not self._validator.is_valid(given):
            known = tuple(parameter.name for parameter in self.parameters)
            fields = field_errors(self._validator, given, known=known, schema=self._schema)
            raise InputError(message=f"{self.address}: invalid arguments", fields=tuple(fields))
        try:
            return await self.work(self.desk, given, run)
        except TROUBLES as error:
            raise error_of(error) from None
        except StartError as error:
            raise error_of(_unusable(error)) from None

    @cached_property
    def _schema(self) -> JsonObject:
        properties: JsonObject = {item.name: {**item.schema} for item in self.parameters}
        required: list[JsonValue] = [item.name for item in self.parameters if item.required]
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return compile_validator(self._schema)


def _unusable(error: StartError) -> Exception:
    from naftiko.workflow.state.store import StateError

    return StateError(error.message, hint=error.hint)


# -- what is looked at ------------------------------------------------------------------------


async def _list(desk: Desk, given: JsonObject, run: Run) -> Result:
    service = desk.service
    wanted = Wanted(
        tier=_text(given, "tier"),
        service=_text(given, "service"),
        text=_text(given, "text"),
        limit=_whole(given.get("limit"), 50),
        cursor=_text(given, "cursor"),
    )
    return Result(value=listed(service.plans, wanted, service.clock.now()))


async def _get(desk: Desk, given: JsonObject, run: Run) -> Result:
    service = desk.service
    return Result(value=described(service.plans, str(given["workflow_name"]), service.clock.now()))


async def _get_execution(desk: Desk, given: JsonObject, run: Run) -> Result:
    view = desk.view_of(given)
    result = await desk.service.get(str(given["execution_id"]))
    return answer(result, view, judges=False)


async def _list_executions(desk: Desk, given: JsonObject, run: Run) -> Result:
    try:
        page = await desk.service.executions(
            _text(given, "status"), _whole(given.get("limit"), 50), _text(given, "cursor")
        )
    except ValueError as error:
        raise InputError(fields=(FieldError(name="cursor", message=str(error)),)) from None
    found: JsonObject = {"executions": [_row(row) for row in page.rows]}
    if page.cursor is not None:
        found["next_cursor"] = page.cursor
    return Result(value=found)


def _row(row: Execution) -> JsonObject:
    from datetime import UTC, datetime

    from naftiko.workflow.times import time_text

    def at(seconds: float | None) -> str | None:
        if seconds is None:
            return None
        return time_text(datetime.fromtimestamp(seconds, UTC))

    return {
        "execution_id": row.id,
        "workflow_id": row.workflow_id,
        "checksum": row.checksum,
        "status": row.status,
        "started_at": at(row.created),
        "finished_at": at(row.finished),
    }


# -- what changes something -------------------------------------------------------------------


async def _execute(desk: Desk, given: JsonObject, run: Run) -> Result:
    view = desk.view_of(given)
    if "execution_id" in given:
        return await _continue(desk, given, run, view)
    _refuse(given, ("confirm_token", "cancel"), "needs `execution_id`")
    name = _text(given, "workflow_name")
    if name is None:
        raise InputError(
            message="which workflow is to be executed is not said",
            fields=(
                FieldError(
                    name="workflow_name", message="`workflow_name` is required to start one"
                ),
            ),
        )
    parameters = given.get("parameters")
    order = Order(
        workflow=name,
        parameters=parameters if isinstance(parameters, dict) else {},
        mode=_text(given, "execution_mode") or "step_by_step",
        idempotency_key=_text(given, "idempotency_key"),
    )

    async def work(on_event: OnEvent | None) -> JsonObject:
        return await desk.service.execute(order, on_event=on_event, wait_s=_wait_s(given, run))

    return answer(await following(work, run, desk.leaving), view, judges=True)


async def _continue(desk: Desk, given: JsonObject, run: Run, view: str) -> Result:
    _refuse(
        given,
        ("workflow_name", "parameters", "execution_mode", "idempotency_key"),
        "is that of the execution which `execution_id` names: leave it out",
    )
    token, cancel = _text(given, "confirm_token"), given.get("cancel") is True
    if (token is None) != cancel:
        raise InputError(
            message="to go on with an execution, give either `confirm_token` or `cancel: true`",
            hint="ask for the execution to see what it waits for",
            fields=(
                FieldError(
                    name="confirm_token", message="`confirm_token` is required, or `cancel`"
                ),
            ),
        )
    execution_id = str(given["execution_id"])

    async def work(on_event: OnEvent | None) -> JsonObject:
        return await desk.service.go_on(
            execution_id,
            confirm_token=token,
            cancel=cancel,
            on_event=on_event,
            wait_s=_wait_s(given, run),
        )

    expected = "cancelled" if cancel else ""
    return answer(await following(work, run, desk.leaving), view, judges=True, expected=expected)


async def _confirm(desk: Desk, given: JsonObject, run: Run) -> Result:
    return await _continue(desk, given, run, desk.view_of(given))


async def _cancel(desk: Desk, given: JsonObject, run: Run) -> Result:
    return await _continue(desk, {**given, "cancel": True}, run, desk.view_of(given))


def _refuse(given: JsonObject, names: Sequence[str], why: str) -> None:
    found = [name for name in names if name in given and given[name] is not False]
    if found:
        raise InputError(
            fields=tuple(FieldError(name=name, message=f"`{name}` {why}") for name in found)
        )


def _wait_s(given: JsonObject, run: Run) -> float | None:
    """Return how long the caller waits: as it says, within the time that its request has."""
    wait, left = given.get("wait"), run.remaining_s()
    found = float(wait) if isinstance(wait, int | float) else None
    if left is None:
        return found
    left = max(0.0, left - MARGIN_S)
    return left if found is None else min(found, left)


def _text(given: JsonObject, name: str) -> str | None:
    value = given.get(name)
    return value if isinstance(value, str) and value else None


def _whole(value: JsonValue, otherwise: int) -> int:
    return int(value) if isinstance(value, int | float) else otherwise


# -- the table --------------------------------------------------------------------------------


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
    output_schema: JsonObject


OPERATIONS: Mapping[str, Row] = {
    "list-workflows": Row(
        description="The workflows of the catalog, each in its newest version: what they are for, "
        "what they need, how risky they are, and whether they may be executed here.",
        effect=Effect.READ,
        work=_list,
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
    "get-workflow": Row(
        description="All there is to say of a workflow: its parameters and outputs as JSON "
        "Schemas, its steps, permissions, risk, and a graph of it.",
        effect=Effect.READ,
        work=_get,
        parameters=(_NAME,),
        output_schema={"type": "object", "required": ["workflow_name", "version", "tier"]},
    ),
    "execute-workflow": Row(
        description="Executes a workflow, or goes on with an execution: with `confirm_token` it "
        "does what was shown, with `cancel` it stops and takes back what it did.",
        effect=Effect.DESTRUCTIVE,
        work=_execute,
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
        work=_get_execution,
        parameters=(_EXECUTION, _VIEW),
        output_schema=result_schema(),
    ),
    "list-executions": Row(
        description="The executions of all workflows, newest first.",
        effect=Effect.READ,
        work=_list_executions,
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
        work=_confirm,
        parameters=(_EXECUTION, _required(_TOKEN), _WAIT, _VIEW),
        output_schema=result_schema(),
    ),
    "cancel-execution": Row(
        description="Cancels an execution: it stops, and takes back what it did.",
        effect=Effect.DESTRUCTIVE,
        work=_cancel,
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
