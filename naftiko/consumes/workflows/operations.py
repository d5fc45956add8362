"""The operations of a catalog as plans call them: list, get, execute, confirm, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from naftiko.consumes.workflows.answers import TROUBLES, answer, error_of
from naftiko.consumes.workflows.describing import Wanted, described, listed
from naftiko.consumes.workflows.suggesting import shown_suggestions
from naftiko.consumes.workflows.telling import following
from naftiko.errors import FieldError, InputError, StartError
from naftiko.plan.inputs import compile_validator, field_errors
from naftiko.plan.ports import Effect, Parameter, Result
from naftiko.workflow.discovery.suggest import Wish
from naftiko.workflow.runtime.orders import Order

if TYPE_CHECKING:
    import jsonschema_rs

    from naftiko.consumes.workflows.telling import Leaving
    from naftiko.plan.run import Run
    from naftiko.values import JsonObject, JsonSchema, JsonValue
    from naftiko.workflow.discovery.suggest import Suggester
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
    suggester: Suggester
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


async def list_workflows(desk: Desk, given: JsonObject, run: Run) -> Result:
    """List the workflows of the catalog."""
    service = desk.service
    wanted = Wanted(
        tier=_text(given, "tier"),
        service=_text(given, "service"),
        text=_text(given, "text"),
        limit=_whole(given.get("limit"), 50),
        cursor=_text(given, "cursor"),
    )
    await service.plans.looked()
    # There may be thousands of plans, each of which is verified.
    shelf = desk.suggester.live.shelf
    value = await asyncio.to_thread(listed, service.plans, wanted, service.clock.now(), shelf)
    return Result(value=value)


async def suggest_workflows(desk: Desk, given: JsonObject, run: Run) -> Result:
    """Find the workflows that answer a question."""
    wish = Wish(
        query=str(given["query"]),
        max_results=_whole(given.get("max_results"), 5),
        risk_threshold=_number(given.get("risk_threshold"), 5.0),
        include_blocked=given.get("include_blocked") is True,
    )
    answer = await desk.suggester.suggest(wish)
    # Each text is looked through for instructions.
    return Result(value=await asyncio.to_thread(shown_suggestions, answer))


async def get_workflow(desk: Desk, given: JsonObject, run: Run) -> Result:
    """Describe a workflow."""
    service = desk.service
    await service.plans.looked()
    name = str(given["workflow_name"])
    value = await asyncio.to_thread(described, service.plans, name, service.clock.now())
    return Result(value=value)


async def get_execution(desk: Desk, given: JsonObject, run: Run) -> Result:
    """Tell how an execution stands."""
    view = desk.view_of(given)
    result = await desk.service.get(str(given["execution_id"]))
    return answer(result, view, judges=False)


async def list_executions(desk: Desk, given: JsonObject, run: Run) -> Result:
    """List executions."""
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


async def execute(desk: Desk, given: JsonObject, run: Run) -> Result:
    """Execute a workflow, or go on with an execution."""
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


async def confirm(desk: Desk, given: JsonObject, run: Run) -> Result:
    """Confirm what an execution waits for."""
    return await _continue(desk, given, run, desk.view_of(given))


async def cancel(desk: Desk, given: JsonObject, run: Run) -> Result:
    """Cancel an execution."""
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


def _number(value: JsonValue, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else otherwise


def _whole(value: JsonValue, otherwise: int) -> int:
    return int(value) if isinstance(value, int | float) else otherwise
