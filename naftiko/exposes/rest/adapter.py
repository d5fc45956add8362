"""RestAdapterPlan -> an ASGI app."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from naftiko.errors import InputError, RunError, nearest
from naftiko.exposes.auth import AuthMiddleware
from naftiko.exposes.lifespan import answer_other
from naftiko.exposes.problem import (
    SAFETY_HEADERS,
    Answer,
    RequestError,
    answer_status,
    bug_answer,
    instance_of,
    problem_answer,
    request_id_from,
    send_answer,
)
from naftiko.exposes.rest.body import MAX_BODY_BYTES, DisconnectedError, has_body, read_json
from naftiko.exposes.rest.forward import forward
from naftiko.exposes.rest.pages import Pages
from naftiko.exposes.rest.responses import failure_of, mask_answer, result_answer
from naftiko.exposes.rest.router import MAX_PATH_BYTES
from naftiko.exposes.rest.routes import Match, compile_routes
from naftiko.exposes.rest.stream import StreamAnswer, send_stream, stream_answer
from naftiko.exposes.rest.sweep import Sweeper
from naftiko.model.capability import Info
from naftiko.plan.masking import Masker
from naftiko.plan.run import Run
from naftiko.values import MISSING, JsonValue, Missing

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from naftiko.exposes.rest.discovered import FoundRoutes
    from naftiko.plan.capability import RestAdapterPlan

logger = logging.getLogger("naftiko.rest")

BODY_DEADLINE_S = 30.0

MAX_HINTED_PATH = 200
"""A longer path is not compared with the routes for a hint: that takes quadratic time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RestOptions:
    """Limits of a REST adapter. `request_deadline_s` bounds a run; None leaves it to the calls."""

    max_body_bytes: int = MAX_BODY_BYTES
    body_deadline_s: float = BODY_DEADLINE_S
    request_deadline_s: float | None = None


def rest_app(
    plan: RestAdapterPlan,
    *,
    info: Info,
    masker: Masker,
    options: RestOptions | None = None,
) -> ASGIApp:
    """Return the ASGI app of a REST adapter, to be served or mounted in another app.

    It honours `root_path`, answers the lifespan protocol, and asks callers for the credentials the
    plan names. It runs on asyncio.

    Raises: StartError where the credentials it shall ask for are empty.
    """
    served = RestApp(plan, info=info, masker=masker, options=options or RestOptions())
    app: ASGIApp = served
    if plan.meter is not None:
        from naftiko.exposes.metered import Metered

        app = Metered(served, plan.meter, kind="rest", name_of=served.name_of)
    if plan.auth is None:
        return app
    return AuthMiddleware(app, plan.auth, realm=plan.namespace, masker=masker)


class RestApp:
    """Serves the routes of one REST adapter, `/openapi.json`, and an index at `/`."""

    def __init__(
        self, plan: RestAdapterPlan, *, info: Info, masker: Masker, options: RestOptions
    ) -> None:
        """Compile the routes."""
        self._masker = masker
        self._options = options
        self._router, self._paths = compile_routes(plan)
        self._max_binary_bytes = plan.max_binary_bytes
        self._sweeper = Sweeper()
        self._plan = plan
        self._info = info
        self._found: FoundRoutes | None = None
        self._unstarted = plan.discovered
        self._pages = Pages(plan, info, masker)
        if plan.discovered is None:
            return
        from naftiko.exposes.rest.discovered import follow

        self._publishing = threading.Lock()
        follow(plan.discovered, self)

    def publish(self) -> None:
        """Serve what is discovered by now, at once for every caller.

        The app may be built in a thread while the event loop discovers, so that one has to wait for
        the other.
        """
        assert self._plan.discovered is not None  # who else would call this
        from naftiko.exposes.rest.discovered import FoundRoutes

        with self._publishing:
            self._found = FoundRoutes(
                self._plan,
                self._plan.discovered.operations,
                info=self._info,
                masker=self._masker,
                before=self._found,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._unstarted is not None and scope["type"] == "http":
            self._unstarted.start()  # nobody may have, where the app is mounted in another
            self._unstarted = None
        if scope["type"] != "http":
            if scope["type"] == "lifespan" and self._plan.discovered is not None:
                self._plan.discovered.start()  # again, where the app is started again
            await answer_other(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = request_id_from(headers)
        answer: Answer | StreamAnswer
        try:
            path = _route_path(scope)
            match = self._match(path, scope["method"])
            if match is not None and scope["method"] not in match[0].endpoints:
                forwarding = match[0].forwarding(scope["method"])
                if forwarding is not None:
                    run = Run(inputs={}, request_id=request_id, deadline=self._deadline())
                    await forward(
                        forwarding, scope, headers, match[1], receive, send, run, self._masker
                    )
                    return
            answer = await self._answer(scope, headers, receive, request_id, path, match)
        except DisconnectedError:
            return
        except RunError as error:
            answer = self._error_answer(error, scope, request_id)
        except Exception as error:  # noqa: BLE001  (the boundary: a bug must not show the caller anything)
            answer = bug_answer(
                error, scope, request_id=request_id, masker=self._masker, logger=logger
            )
        if isinstance(answer, StreamAnswer):
            await self._send_stream(answer, receive, send)
        else:
            await send_answer(send, answer, head=scope["method"] == "HEAD")

    def name_of(self, scope: Scope) -> str | None:
        """Return "/orders/{id} GET" for a request, None where no route has it: for metrics."""
        try:
            match = self._match(_route_path(scope), scope["method"])
        except RequestError:
            return None
        if match is None:
            return None
        leaf, method = match[0], scope["method"]
        known = method in leaf.endpoints or leaf.forwarding(method) is not None
        return f"{leaf.path} {method}" if known else None

    def _match(self, path: str, method: str) -> Match | None:
        """Return what a path leads to: the file's own operation, one that is discovered, else."""
        match = self._router.match(path)
        if self._found is None or (match is not None and method in match[0].endpoints):
            return match
        return self._found.beside(match, path, method)

    async def _send_stream(self, answer: StreamAnswer, receive: Receive, send: Send) -> None:
        """Send pages one by one, for as long as the caller is there."""
        try:
            work = send_stream(send, answer, self._masker)
            await self._sweeper.while_connected(work, receive)
        except DisconnectedError:
            return

    async def _answer(
        self,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        request_id: str,
        path: str,
        match: Match | None,
    ) -> Answer | StreamAnswer:
        if match is None:
            return await self._page(path, scope, headers, request_id)
        leaf, values = match
        endpoint = leaf.endpoints.get(scope["method"])
        if endpoint is None:
            return _without_endpoint(leaf.allow, scope["method"], request_id)
        reader = endpoint.reader
        body: JsonValue | Missing = MISSING
        if reader.reads_body and has_body(headers):
            body = await self._read_body(headers, receive)
        inputs = reader.read(values, scope["query_string"], headers, scope["headers"], body)
        run = Run(
            inputs=inputs,
            request_id=request_id,
            deadline=self._deadline(),
            streams=scope["method"] != "HEAD",
            max_binary_bytes=self._max_binary_bytes,
        )
        try:
            result = await self._sweeper.while_connected(endpoint.operation.plan.run(run), receive)
        except InputError as error:
            error.fields = reader.placed(error.fields)
            raise
        if result.judged and result.status < 400:
            raise await failure_of(endpoint.operation.name, result)
        if result.stream is not None:
            return stream_answer(result, request_id, headers.get(b"accept", b""))
        answer = result_answer(result, request_id)
        return answer if result.status < 300 else mask_answer(answer, self._masker)

    async def _read_body(
        self, headers: Mapping[bytes, bytes], receive: Receive
    ) -> JsonValue | Missing:
        seconds = self._options.body_deadline_s
        reading = read_json(headers, receive, max_bytes=self._options.max_body_bytes)
        try:
            return await self._sweeper.within(seconds, reading)
        except TimeoutError:
            message = f"the body did not arrive within {seconds:g} s"
            raise RequestError(
                code="request-timeout", message=message, status=408, close=True
            ) from None

    def _deadline(self) -> float | None:
        seconds = self._options.request_deadline_s
        return None if seconds is None else time.monotonic() + seconds

    async def _page(
        self, path: str, scope: Scope, headers: Mapping[bytes, bytes], request_id: str
    ) -> Answer:
        """Answer what no route claims: the adapter's own pages, or 404."""
        root_path = scope.get("root_path", "")
        if self._found is not None:
            page = await self._found.page(path, root_path)
        else:
            page = self._pages.get(path, root_path)
        if page is None:
            raise self._not_found(path)
        if scope["method"] not in ("GET", "HEAD"):
            return _without_endpoint(b"GET, HEAD, OPTIONS", scope["method"], request_id)
        return page.answer(headers.get(b"if-none-match", b""), request_id)

    def _not_found(self, path: str) -> RequestError:
        without_slash = self._match(path.rstrip("/"), "") if path.endswith("/") else None
        if without_slash is not None:
            hint = f"`{without_slash[0].path}` has no slash at the end"
        else:
            found = self._found.hints if self._found is not None else ()
            hint = _route_hint(path, (*self._paths, *found))
        message = "no route of this adapter has the path"
        return RequestError(code="not-found", message=message, status=404, hint=hint)

    def _error_answer(self, error: RunError, scope: Scope, request_id: str) -> Answer:
        if answer_status(error) >= 500:
            place = f" ({error.location})" if error.location else ""
            logger.warning(
                "%s %s: %s%s [%s]",
                scope["method"],
                self._masker(instance_of(scope)),
                " ".join(self._masker(error.message).split()),
                place,
                request_id,
            )
        return problem_answer(
            error, request_id=request_id, masker=self._masker, instance=instance_of(scope)
        )


def _route_path(scope: Scope) -> str:
    """Return the percent-encoded path below the place where the app is mounted.

    Raises: RequestError (400, 414).
    """
    raw = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
    if len(raw) > MAX_PATH_BYTES:
        message = f"the path has more than {MAX_PATH_BYTES} bytes"
        raise RequestError(code="path-too-long", message=message, status=414)
    if not raw.isascii():
        message = "the path holds bytes that are not ASCII"
        hint = "percent-encode them"
        raise RequestError(code="invalid-encoding", message=message, hint=hint)
    path: str = raw.decode("ascii")
    root: str = scope.get("root_path", "")
    return _below(path, root) if root else path


def _below(path: str, root: str) -> str:
    """Cut the mount point off a raw path; it may be percent-encoded there and is plain in `root`.

    Some servers leave the mount point out of `raw_path`; the path is then taken as it is.
    """
    root = root.rstrip("/")
    segments = path.split("/")
    depth = root.count("/") + 1
    if unquote("/".join(segments[:depth])) == root:
        return "/" + "/".join(segments[depth:])
    return path


def _without_endpoint(allow: bytes, method: str, request_id: str) -> Answer:
    """Answer OPTIONS, or refuse a method the path does not have."""
    if method == "OPTIONS":
        request_id_header = (b"x-request-id", request_id.encode("ascii"))
        return Answer(204, [(b"allow", allow), *SAFETY_HEADERS, request_id_header], b"")
    raise RequestError(
        code="method-not-allowed",
        message=f"the path is not served for {method}",
        status=405,
        hint=f"allowed here: {allow.decode('ascii')}",
        headers=((b"allow", allow),),
    )


def _route_hint(path: str, known: Sequence[str]) -> str:
    near = nearest(path, known) if len(path) <= MAX_HINTED_PATH else None
    return f"did you mean `{near}`?" if near else "`/openapi.json` lists the routes"
