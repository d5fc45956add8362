"""A loaded capability for Python programs: call it, mount it, serve it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from naftiko.engine import Checked, LoadOptions, load_plan
from naftiko.errors import ConsumedError, Problem, StartError, did_you_mean, nearest
from naftiko.expressions import ExpressionError
from naftiko.plan.capability import (
    AdapterPlan,
    CapabilityPlan,
    ControlAdapterPlan,
    McpAdapterPlan,
    OperationPlan,
    RestAdapterPlan,
    SkillAdapterPlan,
)
from naftiko.plan.inputs import Input, InputTable
from naftiko.plan.ports import ClientOperation, Result, Starts
from naftiko.plan.run import Run
from naftiko.resolve.refresh import Refresher
from naftiko.values import MISSING, JsonValue

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from starlette.types import ASGIApp

    from naftiko.consumes.python.adapter import Function
    from naftiko.exposes.control import States

T = TypeVar("T")
AdapterT = TypeVar("AdapterT", RestAdapterPlan, McpAdapterPlan, SkillAdapterPlan)


def load(
    path: str | Path,
    *,
    environment: Mapping[str, str] | None = None,
    env_file: str | Path | None = None,
    workspace: str | Path | None = None,
    strict: bool = False,
    read_only: bool = False,
    functions: Mapping[str, Function] | None = None,
) -> Capability:
    """Load a capability file, ready to be called, mounted or served.

    `functions` registers Python functions as consumed operations: `{"pricing.quote": quote}` makes
    `call: pricing.quote` work in the file.

    Raises: SpecError with every problem of the file; StartError where a variable has no value.
    """
    from naftiko.resources import find_capability

    options = LoadOptions(
        environment=environment,
        env_file=Path(env_file) if env_file else None,
        workspace=Path(workspace) if workspace else None,
        strict=strict,
        read_only=read_only,
        functions=functions or {},
    )
    return Capability(load_plan(find_capability(str(path)), options))


class Capability:
    """A loaded capability. `async with` it, or `close()` it, to close its connections."""

    def __init__(self, checked: Checked) -> None:
        """Keep the plan. Use `load`."""
        if checked.plan is None:
            raise StartError(f"{checked.path} has errors and cannot be served")
        self._checked = checked
        self._plan = checked.plan
        self._tables: dict[str, InputTable] = {}
        self._loop: _LoopThread | None = None
        self._refresher = Refresher(checked.refreshed, checked.masker.add)

    @property
    def plan(self) -> CapabilityPlan:
        """The compiled plan."""
        return self._plan

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The warnings and notes found while loading."""
        return self._checked.problems

    # ------------------------------------------------------------------ calling

    async def call(self, target: str, arguments: Mapping[str, JsonValue] | None = None) -> Any:
        """Call an operation by name and return its JSON value.

        `target` is a consumed operation (`step-functions.list-state-machines`), an exposed one
        (`workflow-orchestration-mcp.list-state-machines`), or an exposed one's bare name.

        Raises: InputError for wrong arguments, ConsumedError where the call failed or its answer
        says so (`details["result"]` holds that answer), StartError for an unknown target.
        """
        result = await self.run(target, arguments)
        value = value_of(result)
        if result.failed:
            raise ConsumedError(
                code="call-failed",
                message=f"{target} answered with a failure",
                status=result.status if result.status >= 400 else 502,
                details={} if isinstance(value, bytes) else {"result": value},
            )
        return value

    async def run(self, target: str, arguments: Mapping[str, JsonValue] | None = None) -> Result:
        """Call an operation by name and return the whole result: value, status, headers.

        Raises: as `call`, but a failure that the answer states is in the result.
        """
        values = dict(arguments or {})
        exposed = self.find_exposed(target)
        if exposed is not None:
            return await exposed.plan.run(Run(inputs=exposed.inputs.check(values)))
        operation = self._consumed(target)
        run = Run(inputs=self._table(target, operation).check(values))
        return await operation.call(dict(run.inputs), run)

    def call_sync(self, target: str, arguments: Mapping[str, JsonValue] | None = None) -> Any:
        """Call an operation from code that is not async. It runs on a thread of the capability.

        Raises: as `call`.
        """
        return self._thread().run(self.call(target, arguments))

    def operation_names(self) -> tuple[str, ...]:
        """Return every target `call` takes, exposed ones first."""
        exposed = [
            f"{adapter.namespace}.{operation.name}"
            for adapter in self._plan.adapters
            for operation in operations_of(adapter)
        ]
        consumed = [
            f"{namespace}.{name}"
            for namespace, client in self._plan.clients.items()
            for name in client.operation_names()
        ]
        return tuple(dict.fromkeys((*exposed, *consumed)))

    def find_exposed(self, target: str) -> OperationPlan | None:
        """Return the exposed operation of that `namespace.name` or bare name, tools first."""
        namespace, dot, name = target.rpartition(".")
        adapters = sorted(self._plan.adapters, key=lambda item: isinstance(item, RestAdapterPlan))
        for adapter in adapters:
            if dot and adapter.namespace != namespace:
                continue
            for operation in operations_of(adapter):
                if operation.name == (name if dot else target):
                    return operation
        return None

    def knows(self, target: str) -> bool:
        """Tell whether `call` takes this target now; what is discovered may come later."""
        return self.find_exposed(target) is not None or self._find_consumed(target) is not None

    def _find_consumed(self, target: str) -> ClientOperation | None:
        return find_consumed(self._plan, target)

    def inputs_of(self, target: str) -> InputTable:
        """Return the inputs that an operation takes.

        Raises: StartError for an unknown target.
        """
        exposed = self.find_exposed(target)
        if exposed is not None:
            return exposed.inputs
        return self._table(target, self._consumed(target))

    def _consumed(self, target: str) -> ClientOperation:
        operation = self._find_consumed(target)
        if operation is None:
            raise StartError(
                f"the capability has no operation `{target}`",
                hint=self._only_for_clients(target) or self._near(target),
            )
        return operation

    def _near(self, target: str) -> str:
        """Return a hint at an operation of a similar name, spelt as far as `target` is."""
        names = self.operation_names()
        bare = [name.partition(".")[2] for name in names]
        return did_you_mean(target, bare if nearest(target, bare) else names)

    def _only_for_clients(self, target: str) -> str:
        """Return a hint where the name is that of something MCP clients read or get, or ""."""
        for adapter in self.plan.adapters:
            if not isinstance(adapter, McpAdapterPlan):
                continue
            for kind, entries in (("resource", adapter.resources), ("prompt", adapter.prompts)):
                if target in {
                    f"{p}{item.name}" for item in entries for p in ("", f"{adapter.namespace}.")
                }:
                    return f"it is a {kind}, which MCP clients ask for"
        return ""

    def _table(self, target: str, operation: ClientOperation) -> InputTable:
        table = self._tables.get(target)
        if table is None:
            inputs = tuple(
                Input(name=item.name, schema=item.schema, required=item.required)
                for item in operation.parameters
            )
            table = InputTable(inputs=inputs, closed=not operation.open_arguments)
            self._tables[target] = table
        return table

    # ----------------------------------------------------------------- mounting

    def rest_app(self, namespace: str | None = None) -> ASGIApp:
        """Return a REST adapter as an ASGI app, to mount in Starlette or FastAPI.

        Raises: StartError where there is no such adapter, or several and no namespace is given.
        """
        from naftiko.exposes.cors import with_cors
        from naftiko.exposes.rest import rest_app

        plan = self._adapter(RestAdapterPlan, namespace, "rest")
        return with_cors(rest_app(plan, info=self._plan.info, masker=self._plan.masker), plan.cors)

    def mcp_app(self, namespace: str | None = None) -> ASGIApp:
        """Return an MCP adapter as an ASGI app (Streamable HTTP at `/mcp` and `/`).

        Raises: StartError as `rest_app`.
        """
        from naftiko.exposes.cors import MCP_HEADERS, with_cors
        from naftiko.exposes.mcp import mcp_app

        plan = self._adapter(McpAdapterPlan, namespace, "mcp")
        app = mcp_app(plan, info=self._plan.info, masker=self._plan.masker)
        return with_cors(app, plan.cors, MCP_HEADERS)

    def mcp_server(self, namespace: str | None = None) -> Server[Any]:
        """Return an MCP adapter as the official SDK's low-level server.

        Raises: StartError as `rest_app`.
        """
        from naftiko.exposes.mcp import mcp_server

        plan = self._adapter(McpAdapterPlan, namespace, "mcp")
        return mcp_server(plan, info=self._plan.info, masker=self._plan.masker)

    def skill_app(self, namespace: str | None = None) -> ASGIApp:
        """Return a skill adapter as an ASGI app.

        Raises: StartError as `rest_app`.
        """
        from naftiko.exposes.cors import with_cors
        from naftiko.exposes.skill import skill_app

        plan = self._adapter(SkillAdapterPlan, namespace, "skill")
        return with_cors(skill_app(plan, info=self._plan.info, masker=self._plan.masker), plan.cors)

    def control_app(self, states: States | None = None) -> ASGIApp:
        """Return the control adapter as an ASGI app: health, status, metrics.

        `states` tells which adapters answer; without it they are taken to.

        Raises: StartError where there is none.
        """
        from naftiko.exposes.control import control_app

        found = [item for item in self._plan.adapters if isinstance(item, ControlAdapterPlan)]
        if not found:
            raise StartError("the capability has no `control` adapter")
        return control_app(found[0], plan=self._plan, states=states)

    def _adapter(self, kind: type[AdapterT], namespace: str | None, word: str) -> AdapterT:
        offered = [adapter for adapter in self._plan.adapters if isinstance(adapter, kind)]
        names = [adapter.namespace for adapter in offered]
        if namespace is None and len(offered) == 1:
            return offered[0]
        if namespace is None:
            raise StartError(
                f"the capability has {len(offered) or 'no'} `{word}` adapters",
                hint=f"name one of {', '.join(names)}" if names else "",
            )
        for adapter in offered:
            if adapter.namespace == namespace:
                return adapter
        raise StartError(
            f"the capability has no `{word}` adapter `{namespace}`",
            hint=did_you_mean(namespace, names),
        )

    # ------------------------------------------------------------------ closing

    def start(self) -> None:
        """Start what a capability does by itself, on the running loop.

        That is `refresh` of its binds, looking for what adapters `discover`, and what consumed
        entries do without being called, such as going on with workflows.

        `async with` does it, and so does serving. `close` ends it.
        """
        self._refresher.start()
        for finder in self._plan.discoveries:
            finder.start()
        for client in self._plan.clients.values():
            if isinstance(client, Starts):
                client.start()

    @property
    def discovers(self) -> bool:
        """Whether adapters look for entries while they serve."""
        return bool(self._plan.discoveries)

    async def discovered(self, seconds: float | None = None) -> bool:
        """Wait for the first set of everything that adapters `discover`; tell whether it is there.

        It waits as long as the file says (`wait`), or so many seconds at most.
        """
        waiting = [finder.first(seconds) for finder in self._plan.discoveries]
        return all(await asyncio.gather(*waiting))

    async def discover(self) -> None:
        """Look for everything that adapters `discover` once, now.

        Raises: RunError where a list cannot be had; the others are there then.
        """
        looking = [finder.refresh() for finder in self._plan.discoveries]
        for failure in await asyncio.gather(*looking, return_exceptions=True):
            if failure is not None:
                raise failure

    async def refresh(self) -> int:
        """Read the values of every bind with `refresh` now; returns how many have changed."""
        return await self._refresher.refresh()

    async def close(self) -> None:
        """Close the connections to consumed APIs, once `onCancel` of `try` steps has run."""
        await self._refresher.stop()
        for finder in self._plan.discoveries:
            await finder.stop()
        await self._plan.aftermath.finish()
        for client in self._plan.clients.values():
            await client.close()

    def close_sync(self) -> None:
        """Close the connections from code that is not async."""
        if self._loop is not None:
            self._loop.run(self.close())
            self._loop.stop()
            self._loop = None

    async def _start(self) -> None:
        self.start()
        if self.discovers:
            await self.discovered()

    def _thread(self) -> _LoopThread:
        if self._loop is None:
            self._loop = _LoopThread()
        return self._loop

    async def __aenter__(self) -> Self:
        """Return the capability, started."""
        self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close its connections."""
        await self.close()

    def __enter__(self) -> Self:
        """Return the capability, for `call_sync`, with what is discovered by then."""
        if self._checked.refreshed or self.discovers:
            self._thread().run(self._start())
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close its connections."""
        self.close_sync()


def find_consumed(plan: CapabilityPlan, target: str) -> ClientOperation | None:
    """Return a consumed operation by its `namespace.operation`; it is compiled now if need be.

    Raises: StartError where the file says something of it that means nothing.
    """
    namespace, _, name = target.partition(".")
    client = plan.clients.get(namespace)
    try:
        return client.operation(name) if client else None
    except ExpressionError as error:
        problem = error.problem
        message = f"`{target}` cannot be called: {problem.message} ({problem.location})"
        raise StartError(message, hint=problem.hint) from error


def operations_of(adapter: AdapterPlan) -> tuple[OperationPlan, ...]:
    """Return the operations of an adapter, in the file's order; skills are none.

    Those that are discovered follow, as they are now.
    """
    if isinstance(adapter, SkillAdapterPlan | ControlAdapterPlan):
        return ()
    found = adapter.discovered.operations if adapter.discovered is not None else ()
    discovered = tuple(item.operation for item in found)
    if isinstance(adapter, McpAdapterPlan):
        return (*adapter.tools, *discovered)
    own = tuple(rest.operation for route in adapter.routes for rest in route.operations)
    return (*own, *discovered)


def value_of(result: Result) -> JsonValue | bytes:
    """Return the JSON value; text or bytes where the answer is no JSON; None where it is empty."""
    if result.value is not MISSING:
        return result.value
    if not result.raw:
        return None
    if result.media_type.startswith("text/"):
        return result.raw.decode("utf-8", errors="replace")
    return result.raw


class _LoopThread:
    """An event loop on a thread of its own, for callers without one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="naftiko-calls", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
