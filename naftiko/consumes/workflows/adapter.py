"""A `consumes` entry of `type: workflows` -> WorkflowsAdapter."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from naftiko.consumes.workflows import settings as reading
from naftiko.consumes.workflows.building import build_service, build_suggester
from naftiko.consumes.workflows.caller import AwsCaller
from naftiko.consumes.workflows.operations import Desk
from naftiko.consumes.workflows.table import OPERATIONS, SUGGESTS, make
from naftiko.consumes.workflows.telling import Leaving
from naftiko.errors import CompileError, NaftikoError, Problem, StartError
from naftiko.extras import require_extra
from naftiko.workflow.runtime.service import WorkflowService
from naftiko.workflow.state.store import StateUnavailable

if TYPE_CHECKING:
    from naftiko.consumes.workflows.operations import WorkflowOperation
    from naftiko.model.consumes import ConsumesWorkflows
    from naftiko.plan.ports import ClientContext, ClientOperation

logger = logging.getLogger("naftiko")


class WorkflowsAdapter:
    """The operations of one entry, over one service of workflows."""

    type_ = "workflows"

    def __init__(
        self,
        settings: reading.WorkflowSettings,
        service: WorkflowService,
        caller: AwsCaller,
    ) -> None:
        """Open nothing yet."""
        self._suggester = build_suggester(service, settings.embedder)
        self.namespace = settings.namespace
        self.settings = settings
        self.service = service
        self.caller = caller
        self._leaving = Leaving(self._cancel, with_callers=settings.cancels)
        self._desk = Desk(
            service=service,
            suggester=self._suggester,
            view=settings.view,
            allow_raw=settings.allow_raw,
            leaving=self._leaving,
        )
        self._operations: dict[str, WorkflowOperation] = {}
        self._starting: asyncio.Task[None] | None = None

    def operation_names(self) -> Sequence[str]:
        """Return the names calls may use."""
        return tuple(OPERATIONS)

    def operation(self, name: str) -> ClientOperation | None:
        """Return that operation; None where there is none."""
        found = self._operations.get(name)
        if found is None:
            found = make(self.namespace, name, self._desk)
            if found is not None:
                self._operations[name] = found
        return found

    def start(self) -> None:
        """Open the state, and take up the executions that nobody works at."""
        self._starting = asyncio.get_running_loop().create_task(self._start())
        if SUGGESTS in self._operations:
            self._suggester.start()

    async def _start(self) -> None:
        try:
            await self.service.start()
        except (NaftikoError, StateUnavailable) as error:
            # Each call tries again, and tells its caller.
            logger.error("`%s` cannot open its state: %s", self.namespace, error)

    async def _cancel(self, execution_id: str) -> None:
        await self.service.go_on(execution_id, cancel=True, wait_s=0)

    async def close(self) -> None:
        """Give executions back, to be resumed by whoever comes next, and close connections."""
        starting, self._starting = self._starting, None
        if starting is not None:
            with suppress(asyncio.CancelledError):
                await starting
        await self._suggester.close()
        await self._leaving.close()
        try:
            await self.service.close()
        except Exception:
            logger.exception("`%s` was not closed in good order", self.namespace)
        await self.caller.close()


def compile_workflows(entry: ConsumesWorkflows, context: ClientContext) -> WorkflowsAdapter:
    """Compile an entry. Nothing is connected, and no state is opened.

    Raises: CompileError[missing-extra, invalid-catalog, invalid-state], ExpressionError.
    """
    missing = require_extra("workflows", "cryptography")
    if missing is not None:
        message = "workflows are verified and kept with `cryptography`, which is not installed"
        raise _refused("missing-extra", message, entry, missing)
    before = len(context.problems.errors)
    settings = reading.read(entry, context)
    if len(context.problems.errors) > before:
        raise CompileError(context.problems.errors[before:])
    caller = AwsCaller(settings.aws, context)
    if not caller.region:
        context.problems.info(
            "missing-region",
            f"`{entry.namespace}` has no AWS region here, so that its calls would fail",
            entry.aws.region.location if entry.aws.region is not None else entry.location,
            "add `region`, or set AWS_REGION where the server runs",
        )
    from naftiko.workflow.catalog import CatalogError

    try:
        service = build_service(settings, caller)
    except CatalogError as error:
        raise _refused("invalid-catalog", error.message, entry, error.hint) from None
    except StartError as error:
        raise _refused("invalid-state", error.message, entry, error.hint) from None
    return WorkflowsAdapter(settings, service, caller)


def _refused(code: str, message: str, entry: ConsumesWorkflows, hint: str) -> CompileError:
    return CompileError([Problem(code=code, message=message, location=entry.location, hint=hint)])
