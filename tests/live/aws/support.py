"""What the AWS tests share: a programmable upstream, and entries compiled from their YAML."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from naftiko.consumes.aws import AwsClientAdapter, AwsService, AwsSettings, compile_aws
from naftiko.document.reader import parse_document
from naftiko.errors import Problems
from naftiko.model.build_consumes import build_consumes
from naftiko.model.consumes import ConsumesAws
from naftiko.model.fields import Fields
from naftiko.plan.masking import Masker
from naftiko.plan.ports import ClientContext, Result
from naftiko.plan.run import Run
from naftiko.plan.templates import PlanTemplates
from naftiko.resolve.binds import BoundVariables, Variable
from naftiko.source import Location
from tests.live.peers import running_app

if TYPE_CHECKING:
    from starlette.requests import Request

T = TypeVar("T")

KEYS = {"AWS_ACCESS_KEY_ID": "AKIACANARY0000000001", "AWS_SECRET_ACCESS_KEY": "canary-secret-0001"}
NOWHERE = {
    "AWS_CONFIG_FILE": "/nonexistent/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/c",
}
QUIET = {**NOWHERE, "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}


def environment(url: str | None = None, **more: str) -> dict[str, str]:
    """Return an environment with fake keys, and AWS at `url`."""
    return {**QUIET, **KEYS, **({"AWS_ENDPOINT_URL": url} if url else {}), **more}


def context(variables: dict[str, str], *, sandbox: bool = False, **bound: str) -> ClientContext:
    """Return what an adapter is compiled with; `bound` are bind variables."""
    problems, masker = Problems(), Masker()
    place = Location("test.yaml")
    known = BoundVariables(
        [
            Variable(name=name, namespace="env", value=value or None, origin="test", location=place)
            for name, value in bound.items()
        ],
        variables,
    )
    templates = PlanTemplates(variables=known, namespaces=(), problems=problems, masker=masker)
    return ClientContext(
        problems=problems,
        templates=templates,
        environment=variables,
        bound=known.value,
        workspace_root=Path("/nonexistent"),
        add_secret=masker.add,
        sandbox=sandbox,
    )


def service(
    name: str, variables: dict[str, str], settings: AwsSettings | None = None
) -> AwsService:
    """Return a service of an entry that says nothing but its name."""
    return AwsService(name, settings or AwsSettings(), context(variables))


def entry(text: str) -> ConsumesAws:
    """Return the model of one `consumes` entry."""
    root = parse_document(
        f"consumes:\n  - {text.strip().replace(chr(10), chr(10) + '    ')}\n", "e.yaml"
    )
    (found,) = build_consumes(Fields(root.root), Problems())
    assert isinstance(found, ConsumesAws)
    return found


def adapter(text: str, using: ClientContext) -> AwsClientAdapter:
    """Compile an entry given as YAML."""
    return compile_aws(entry(text), using)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own."""
    return asyncio.run(work)


def call(using: AwsService | AwsClientAdapter, operation: str, /, **arguments: Any) -> Result:
    """Call one operation and close its connections."""

    async def work() -> Result:
        found = using.operation(operation)
        assert found is not None
        try:
            return await found.call(arguments, Run(inputs={}))
        finally:
            await using.close()

    return run(work())


@dataclass(slots=True)
class Seen:
    """A request that the upstream got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def operation(self) -> str:
        """The operation in X-Amz-Target."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]


Answer = Callable[[Seen], "Response | Coroutine[Any, Any, Response]"]


@dataclass(slots=True)
class Upstream:
    """Pretends to be AWS: `answers` are given in turn, the last one again and again."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def program(self, *answers: Answer) -> None:
        """Forget what was seen, and answer like this from now on."""
        self.seen.clear()
        self.answers[:] = answers

    async def handle(self, request: Request) -> Response:
        """Note the request and answer it."""
        raw = request.scope["raw_path"].decode()
        query = request.scope["query_string"].decode()
        path = f"{raw}?{query}" if query else raw
        seen = Seen(request.method, path, dict(request.headers), await request.body())
        self.seen.append(seen)
        answer = self.answers[min(len(self.seen), len(self.answers)) - 1](seen)
        return await answer if asyncio.iscoroutine(answer) else answer


@contextlib.contextmanager
def upstream() -> Iterator[Upstream]:
    """Serve an upstream on a free loopback port, in a thread."""
    fake = Upstream()
    methods = ["GET", "POST", "PUT", "DELETE", "HEAD"]
    app = Starlette(routes=[Route("/{path:path}", fake.handle, methods=methods)])
    with running_app(app, lifespan="off", date_header=False) as port:
        fake.url = f"http://127.0.0.1:{port}"
        yield fake


def says(body: object, status: int = 200, **headers: str) -> Answer:
    """Return an answer with a JSON body."""
    sent = {"x-amzn-RequestId": "request-1"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _: Response(content, status, sent, "application/x-amz-json-1.0")


def fails(code: str, status: int = 400, message: str = "no", **headers: str) -> Answer:
    """Return a refusal."""
    return says({"__type": f"com.amazonaws.x#{code}", "message": message}, status, **headers)
