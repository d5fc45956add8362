"""A small MCP adapter with a tool for every kind of answer, and a server that runs it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from naftiko.errors import ConsumedError, DeadlineError
from naftiko.exposes.mcp.tools import ToolTable
from naftiko.model.capability import Info
from naftiko.model.parameters import Hints
from naftiko.plan.capability import McpAdapterPlan, OperationPlan, Plan, ServerAuth
from naftiko.plan.inputs import Input, InputTable
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Effect, Result
from naftiko.plan.run import Run
from naftiko.source import Location

HERE = Location("demo.yaml", 1, 1)
SECRET = "canary-7f3a9c21"
INFO = Info(label="Demo", description="Shows every kind of answer", version="3.2.1")
PNG = bytes.fromhex("89504e470d0a1a0a") + b"not much of a picture"
MACHINES = {"stateMachines": [{"name": f"machine-{number}"} for number in range(3)]}

CALLS: Counter[str] = Counter()
"""What happened in the plans: "wait.started", "wait.cancelled"."""

Body = Callable[[Run], Awaitable[Result]]


@dataclass(frozen=True)
class HandWrittenPlan:
    """A plan made of one coroutine function."""

    body: Body

    async def run(self, run: Run) -> Result:
        """Run it."""
        return await self.body(run)


def tool(
    name: str,
    body: Body,
    *inputs: Input,
    label: str = "",
    description: str = "",
    output_schema: Any = None,
    hints: Hints | None = None,
    effect: Effect = Effect.UNKNOWN,
    table: InputTable | None = None,
) -> OperationPlan:
    """Return an operation around a coroutine function."""
    return OperationPlan(
        name=name,
        label=label,
        description=description or f"The {name} tool.",
        inputs=table or InputTable(inputs=inputs),
        plan=cast("Plan", HandWrittenPlan(body)),
        output_schema=output_schema,
        effect=effect,
        hints=hints or Hints(),
        location=HERE,
    )


def adapter(
    *tools: OperationPlan, auth: ServerAuth | None = None, namespace: str = "demo"
) -> McpAdapterPlan:
    """Return an adapter with these tools."""
    return McpAdapterPlan(
        namespace=namespace,
        transport="http",
        address=None,
        port=0,
        description="Ask the demo for anything.",
        auth=auth,
        tools=tools,
        location=HERE,
    )


def table_of(plan: McpAdapterPlan) -> ToolTable:
    """Publish the tools of a plan that has no secrets."""
    return ToolTable(plan, Masker())


def masker() -> Masker:
    """Return a masker that knows the demo's secret."""
    known = Masker()
    known.add(SECRET)
    return known


async def _greet(run: Run) -> Result:
    tone = run.inputs["tone"]
    return Result(value={"greeting": f"{tone} {run.inputs['name']}"})


async def _machines(_run: Run) -> Result:
    return Result(value=cast("Any", MACHINES))


async def _names(_run: Run) -> Result:
    return Result(value=["a", "b"])


async def _text(_run: Run) -> Result:
    return Result(raw="caf\xe9".encode("latin-1"), media_type="text/plain; charset=latin-1")


async def _picture(_run: Run) -> Result:
    return Result(raw=PNG, media_type="image/png")


async def _archive(_run: Run) -> Result:
    return Result(raw=b"PK\x03\x04", media_type="application/zip")


async def _throttled(_run: Run) -> Result:
    raise ConsumedError(
        code="throttled",
        message=f"the API refuses for now, token {SECRET}",
        status=429,
        retryable=True,
        retry_after_s=3,
        details={"awsCode": "ThrottlingException", "echo": [SECRET]},
    )


async def _late(_run: Run) -> Result:
    raise DeadlineError(hint="ask for less")


async def _failed(_run: Run) -> Result:
    value = {"status": "FAILED", "cause": f"bad token {SECRET}"}
    return Result(value=cast("Any", value), failed=True)


async def _bug(_run: Run) -> Result:
    raise ValueError(f"a bug that knows {SECRET}")


async def _steps(run: Run) -> Result:
    for step in (1, 2, 3):
        if run.progress is not None:
            await run.progress(step, 3, f"step {step}")
        await asyncio.sleep(0)
    return Result(value={"progress": run.progress is not None})


async def _wait(_run: Run) -> Result:
    CALLS["wait.started"] += 1
    try:
        await asyncio.Event().wait()
    finally:
        CALLS["wait.ended"] += 1
    return Result()


TONE = Input(
    name="tone",
    schema={"type": "string", "enum": ["hello", "good evening"]},
    default="hello",
    has_default=True,
)
NAME = Input(
    name="name", schema={"type": "string", "minLength": 1}, required=True, description="Whom"
)

TOOLS = (
    tool(
        "list-machines",
        _machines,
        Input(name="maxResults", schema={"type": "integer", "maximum": 1000}),
        label="List machines",
        output_schema={"type": "object", "properties": {"stateMachines": {"type": "array"}}},
        hints=Hints(read_only=True, open_world=False),
    ),
    tool(
        "greet",
        _greet,
        NAME,
        TONE,
        output_schema={
            "type": "object",
            "properties": {"greeting": {"type": "string"}},
            "required": ["greeting"],
        },
        hints=Hints(destructive=False, idempotent=True),
    ),
    tool("names", _names, output_schema={"type": "array", "items": {"type": "string"}}),
    tool("text", _text),
    tool("picture", _picture),
    tool("archive", _archive),
    tool("throttled", _throttled),
    tool("late", _late),
    tool("failed", _failed, output_schema={"type": "object", "required": ["machine"]}),
    tool("bug", _bug),
    tool("steps", _steps, effect=Effect.READ),
    tool("wait", _wait),
    tool(
        "mirrored",
        _greet,
        Input(name="name", schema={"type": "string", "x-mcp-header": "Name"}, required=True),
        TONE,
    ),
)


def demo_plan(auth: ServerAuth | None = None) -> McpAdapterPlan:
    """Return the adapter with all tools."""
    return adapter(*TOOLS, auth=auth)


@contextlib.contextmanager
def serving(app: Any) -> Iterator[int]:
    """Run an ASGI app on a loopback port in a thread; yields the port."""
    import uvicorn

    from naftiko.exposes.protocol import GuardedHttpProtocol

    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=GuardedHttpProtocol,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    ready = threading.Event()

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready.set()

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    server = Announcing(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        if hasattr(app, "drain"):
            server.servers[0].get_loop().call_soon_threadsafe(app.drain)
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def main() -> None:
    """Serve the demo: `mcp_demo.py stdio` or `mcp_demo.py http PORT`."""
    if sys.argv[1] == "stdio":
        from naftiko.exposes.mcp import serve_stdio

        ended_by = asyncio.run(serve_stdio(demo_plan(), info=INFO, masker=masker()))
        print("ended by", ended_by, file=sys.stderr)
        return
    import uvicorn

    from naftiko.exposes.mcp import mcp_app

    app = mcp_app(demo_plan(), info=INFO, masker=masker())
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), http="h11", log_level="warning")


if __name__ == "__main__":
    main()
