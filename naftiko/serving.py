"""Loaded capabilities -> listening servers, all in one process and one event loop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from naftiko.errors import StartError, did_you_mean
from naftiko.plan.capability import (
    AdapterPlan,
    ControlAdapterPlan,
    CorsPlan,
    McpAdapterPlan,
    RestAdapterPlan,
    SkillAdapterPlan,
)
from naftiko.plan.masking import JoinedMasker

if TYPE_CHECKING:
    import signal

    from starlette.types import ASGIApp

    from naftiko.capability import Capability
    from naftiko.exposes.binding import Standing
    from naftiko.exposes.control import States
    from naftiko.exposes.host import Host, Listener
    from naftiko.exposes.mcp.app import McpApp

T = TypeVar("T")

DEFAULT_ADDRESS = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How capabilities are served.

    `host` overrides every adapter's address, `ports` one adapter's port by namespace (0: any free
    one), `only` serves just these namespaces. `insecure` lets an adapter without authentication
    listen beyond this machine.
    """

    host: str | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    only: Sequence[str] = ()
    insecure: bool = False
    drain_s: float = 10.0


def build_host(
    capabilities: Sequence[Capability],
    options: ServeOptions,
    on_started: Callable[[Host], None] | None = None,
) -> Host:
    """Return a host for every HTTP adapter of the capabilities, not yet bound.

    Raises: StartError for an unknown namespace, or where nothing is left to serve.
    """
    from naftiko.exposes.host import Host

    served = _served(capabilities)
    _check_names(served, options)
    running: list[Host] = []

    def states() -> Mapping[str, Standing]:
        return running[0].states() if running else {}

    chosen = [
        _control_listener(item, options, states)
        if isinstance(item.adapter, ControlAdapterPlan)
        else _listener(item.capability, item.adapter, options)
        for item in served
        if not options.only or item.name in options.only
    ]
    if not chosen:
        raise StartError(
            "nothing listens: the capability exposes no adapter over HTTP",
            hint="an MCP adapter with `transport: stdio` is served with --stdio NAMESPACE",
        )
    host = Host(
        chosen,
        insecure=options.insecure,
        drain_s=options.drain_s,
        masker=JoinedMasker(capability.plan.masker for capability in capabilities),
        on_started=None if on_started is None else lambda: on_started(host),
    )
    running.append(host)
    return host


async def serve_capabilities(
    capabilities: Sequence[Capability],
    options: ServeOptions | None = None,
    on_started: Callable[[Host], None] | None = None,
) -> signal.Signals | None:
    """Serve until a signal stops it, then close the capabilities' connections; returns the signal.

    Raises: StartError where a port is taken or an address needs authentication.
    """
    host = build_host(capabilities, options or ServeOptions(), on_started)

    async def found() -> None:
        await asyncio.gather(*(item.discovered() for item in capabilities))

    try:
        host.bind()  # before anything is sent for a server that cannot be
        for capability in capabilities:
            capability.start()
        await host.serve(found if any(item.discovers for item in capabilities) else None)
        return host.stopped_by
    finally:
        host.close()
        # Together: each may wait for its aftermath, and who sent the signal waits for all.
        await asyncio.gather(*(capability.close() for capability in capabilities))


def serve(
    *capabilities: Capability,
    options: ServeOptions | None = None,
    on_started: Callable[[Host], None] | None = None,
) -> None:
    """Serve from code that is not async; returns after SIGINT or SIGTERM.

    Raises: StartError where a port is taken or an address needs authentication.
    """
    run_async(serve_capabilities(capabilities, options, on_started))


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the fastest loop there is and return what it gives."""
    try:
        import uvloop
    except ImportError:  # not made for this platform
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


class _Served(NamedTuple):
    """An adapter that listens, under the name that it has in this process."""

    capability: Capability
    adapter: AdapterPlan
    name: str


def control_names(capabilities: Sequence[Capability]) -> dict[int, str]:
    """Return the name of each control adapter, by the number of its capability.

    The file need not name it: a second one, or one whose name another adapter has, gets a number.
    """
    taken = {
        adapter.namespace
        for capability in capabilities
        for adapter in capability.plan.adapters
        if not isinstance(adapter, ControlAdapterPlan)
    }
    names: dict[int, str] = {}
    for number, capability in enumerate(capabilities):
        for adapter in capability.plan.adapters:
            if isinstance(adapter, ControlAdapterPlan):
                names[number] = _free_name(adapter.namespace, taken)
                taken.add(names[number])
    return names


def _free_name(name: str, taken: Collection[str]) -> str:
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(item for item in itertools.chain((name,), numbered) if item not in taken)


def _served(capabilities: Sequence[Capability]) -> list[_Served]:
    controls = control_names(capabilities)
    return [
        _Served(
            capability,
            adapter,
            controls[number] if isinstance(adapter, ControlAdapterPlan) else adapter.namespace,
        )
        for number, capability in enumerate(capabilities)
        for adapter in capability.plan.adapters
        if adapter.port is not None
    ]


def _check_names(served: Sequence[_Served], options: ServeOptions) -> None:
    known = [item.name for item in served]
    for name in (*options.only, *options.ports):
        if name not in known:
            raise StartError(
                f"no adapter has the namespace `{name}`", hint=did_you_mean(name, known)
            )
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise StartError(
            f"two capabilities expose the namespace `{twice[0]}`",
            hint="rename one of them, or serve the files by two commands",
        )


def _control_listener(served: _Served, options: ServeOptions, states: States) -> Listener:
    from naftiko.exposes.host import Listener

    adapter = served.adapter
    return Listener(
        name=served.name,
        address=options.host or adapter.address or DEFAULT_ADDRESS,
        port=options.ports.get(served.name, adapter.port or 0),
        app_factory=partial(served.capability.control_app, states),
        authenticated=adapter.auth is not None,
        kind=adapter.kind,
        stops_last=True,
    )


def _listener(
    capability: Capability,
    adapter: RestAdapterPlan | McpAdapterPlan | SkillAdapterPlan,
    options: ServeOptions,
) -> Listener:
    from naftiko.exposes.host import Listener

    port = options.ports.get(adapter.namespace, adapter.port or 0)
    address = options.host or adapter.address or DEFAULT_ADDRESS
    if isinstance(adapter, RestAdapterPlan | SkillAdapterPlan):
        is_rest = isinstance(adapter, RestAdapterPlan)
        make = capability.rest_app if is_rest else capability.skill_app
        return Listener(
            name=adapter.namespace,
            address=address,
            port=port,
            app_factory=partial(make, adapter.namespace),
            authenticated=adapter.auth is not None,
            kind=adapter.kind,
            allowed_origins=_origins(adapter.cors),
        )
    mcp = _McpFactory(capability, adapter, address)
    return Listener(
        name=adapter.namespace,
        address=address,
        port=port,
        app_factory=mcp.build,
        authenticated=adapter.auth is not None,
        kind=adapter.kind,
        # The SDK takes 0.6 s to import; REST callers need not wait for it.
        lazy=True,
        on_stop=mcp.drain,
        allowed_origins=_origins(adapter.cors),
    )


def _origins(cors: CorsPlan | None) -> tuple[str, ...]:
    return () if cors is None else cors.origins


class _McpFactory:
    """Builds an MCP app when the host asks for it, and ends its idle streams when it stops."""

    def __init__(self, capability: Capability, adapter: McpAdapterPlan, address: str) -> None:
        self._plan = capability.plan
        self._adapter = adapter
        self._address = address
        self._app: McpApp | None = None

    def build(self) -> ASGIApp:
        from naftiko.exposes.cors import MCP_HEADERS, with_cors
        from naftiko.exposes.mcp import mcp_app

        self._app = mcp_app(
            self._adapter, info=self._plan.info, masker=self._plan.masker, host=self._address
        )
        return with_cors(self._app, self._adapter.cors, MCP_HEADERS)

    def drain(self) -> None:
        if self._app is not None:
            self._app.drain()
