"""ControlAdapterPlan -> an ASGI app: health, status and metrics of one capability.

Behaviour reference, section 9.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

import orjson

from naftiko.errors import RunError
from naftiko.exposes.auth import AuthMiddleware
from naftiko.exposes.control.reports import Reports, States
from naftiko.exposes.lifespan import answer_other
from naftiko.exposes.problem import (
    SAFETY_HEADERS,
    Answer,
    RequestError,
    bug_answer,
    instance_of,
    problem_answer,
    request_id_from,
    send_answer,
)
from naftiko.extras import require_extra
from naftiko.plan.masking import mask_json
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from naftiko.exposes.control.exposition import Exposition
    from naftiko.plan.capability import CapabilityPlan, ControlAdapterPlan

logger = logging.getLogger("naftiko.control")

_ALLOW = (b"allow", b"GET, HEAD, OPTIONS")
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"
_LATER = {
    "/config": "the configuration is",
    "/logs": "logs are",
    "/traces": "traces are",
    "/scripting": "the settings of scripts are",
}
"""What other engines have on this port."""


def control_app(
    control: ControlAdapterPlan, *, plan: CapabilityPlan, states: States | None = None
) -> ASGIApp:
    """Return the ASGI app of a control adapter. Without `states` another program serves the rest.

    Raises: StartError where the credentials it shall ask for are empty.
    """
    app = ControlApp(control, plan, states or _unknown)
    if control.auth is None:
        return app
    return AuthMiddleware(app, control.auth, realm=control.namespace, masker=plan.masker)


def _unknown() -> None:
    return None


class ControlApp:
    """Serves the control port of one capability."""

    def __init__(self, control: ControlAdapterPlan, plan: CapabilityPlan, states: States) -> None:
        """Keep what it tells of."""
        self._control = control
        self._plan = plan
        self._reports = Reports(control, plan, states)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await answer_other(scope, receive, send)
            return
        request_id = request_id_from(dict(scope["headers"]))
        masker = self._plan.masker
        try:
            answer = self._answer(scope, request_id)
        except RunError as error:
            answer = problem_answer(
                error, request_id=request_id, masker=masker, instance=instance_of(scope)
            )
        except Exception as error:  # noqa: BLE001  (the boundary: a bug must not show the caller anything)
            answer = bug_answer(error, scope, request_id=request_id, masker=masker, logger=logger)
        await send_answer(send, answer, head=scope["method"] == "HEAD")

    def _answer(self, scope: Scope, request_id: str) -> Answer:
        if scope["method"] == "OPTIONS":
            return Answer(204, [_ALLOW, (b"x-request-id", request_id.encode("ascii"))], b"")
        path = _path(scope)
        status, body, media_type = self._found(path)
        if scope["method"] not in ("GET", "HEAD"):
            raise RequestError(
                code="method-not-allowed",
                message=f"`{path}` is not served for {scope['method']}",
                status=405,
                headers=(_ALLOW,),
            )
        headers = [
            (b"content-type", media_type),
            (b"content-length", b"%d" % len(body)),
            *SAFETY_HEADERS,
            (b"x-request-id", request_id.encode("ascii")),
        ]
        return Answer(status, headers, body)

    def _found(self, path: str) -> tuple[int, bytes, bytes]:
        """Return status, body and media type.

        Raises: RequestError.
        """
        control = self._control
        match path:
            case "/":
                return self._json(200, {"endpoints": list[JsonValue](control.endpoints)})
            case "/health/live" if control.health:
                return self._json(200, {"status": "UP"})
            case "/health/ready" if control.health:
                return self._json(*self._reports.ready())
            case "/status" if control.status:
                return self._json(200, self._reports.status())
            case "/metrics" if control.metrics:
                return 200, self._metrics(), _TEXT
        raise _missing(path)

    def _json(self, status: int, value: JsonValue) -> tuple[int, bytes, bytes]:
        return status, orjson.dumps(mask_json(value, self._plan.masker)), b"application/json"

    def _metrics(self) -> bytes:
        missing = require_extra("metrics", "prometheus_client")
        if missing is not None or self._plan.meter is None:
            raise RequestError(
                code="unavailable",
                message="metrics need a package that is not installed",
                status=503,
                hint=missing or "",
            )
        return self._plan.masker(self._exposition.text().decode("utf-8")).encode("utf-8")

    @cached_property
    def _exposition(self) -> Exposition:
        # Loaded by the first scrape: it takes 30 ms, and most processes are started unscraped.
        from naftiko.exposes.control.exposition import Exposition

        assert self._plan.meter is not None
        name = self._plan.info.label or self._control.namespace
        return Exposition(self._plan.meter, name, self._reports.discoveries)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root):
        path = path[len(root) :]
    return path or "/"


_SWITCHES = {
    "/health/live": "`management.health` is false",
    "/health/ready": "`management.health` is false",
    "/status": "write `management: {info: true}` to turn it on",
    "/metrics": "`observability` turns metrics off",
}


def _missing(path: str) -> RequestError:
    known = next((text for start, text in _LATER.items() if f"{path}/".startswith(f"{start}/")), "")
    if known:
        message = f"{known} not served by this version"
        return RequestError(code="not-served", message=message, status=404)
    if path in _SWITCHES:
        message = f"`{path}` is turned off in this capability"
        return RequestError(code="turned-off", message=message, status=404, hint=_SWITCHES[path])
    message = "there is nothing at this path"
    return RequestError(code="not-found", message=message, status=404, hint="`/` lists what is")
