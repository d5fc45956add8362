"""SkillAdapterPlan -> an ASGI app. Behaviour reference, section 8.

GET /skills, /skills/{name}, /skills/{name}/download, /skills/{name}/contents and
/skills/{name}/contents/{file...}.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from urllib.parse import quote

import orjson

from naftiko.errors import RunError, did_you_mean
from naftiko.exposes.auth import AuthMiddleware
from naftiko.exposes.lifespan import answer_other
from naftiko.exposes.problem import (
    Answer,
    RequestError,
    bug_answer,
    instance_of,
    problem_answer,
    request_id_from,
    send_answer,
)
from naftiko.exposes.skill.files import (
    TooLargeError,
    archive,
    etag_of,
    file_content,
    listing,
)
from naftiko.model.capability import Info
from naftiko.plan.content_files import FileRefusedError, is_plain_path, media_type_of
from naftiko.plan.masking import Masker, mask_json
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from naftiko.plan.capability import SkillAdapterPlan, SkillPlan

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("naftiko.skill")

MAX_PATH_BYTES = 4096
_ALLOW = (b"allow", b"GET, HEAD, OPTIONS")
_SAFETY = (
    (b"cache-control", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
)
"""Files may be pages: none of them may run as ours in a browser."""


def skill_app(plan: SkillAdapterPlan, *, info: Info, masker: Masker) -> ASGIApp:
    """Return the ASGI app of a skill adapter, to be served or mounted in another app.

    Raises: StartError where the credentials it shall ask for are empty.
    """
    app: ASGIApp = SkillApp(plan, info=info, masker=masker)
    if plan.meter is not None:
        from naftiko.exposes.metered import Metered

        app = Metered(app, plan.meter, kind="skill", name_of=_name_of)
    if plan.auth is None:
        return app
    return AuthMiddleware(app, plan.auth, realm=plan.namespace, masker=masker)


class SkillApp:
    """Serves the skills of one adapter."""

    def __init__(self, plan: SkillAdapterPlan, *, info: Info, masker: Masker) -> None:
        """Keep what is served."""
        self._plan = plan
        self._info = info
        self._masker = masker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await answer_other(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request_id = request_id_from(headers)
        try:
            answer = await self._answer(scope, headers, request_id)
        except RunError as error:
            answer = problem_answer(
                error, request_id=request_id, masker=self._masker, instance=instance_of(scope)
            )
        except Exception as error:  # noqa: BLE001  (the boundary: a bug must not show the caller anything)
            answer = bug_answer(
                error, scope, request_id=request_id, masker=self._masker, logger=logger
            )
        await send_answer(send, answer, head=scope["method"] == "HEAD")

    async def _answer(
        self, scope: Scope, headers: Mapping[bytes, bytes], request_id: str
    ) -> Answer:
        if scope["method"] == "OPTIONS":
            return Answer(204, [_ALLOW, (b"x-request-id", request_id.encode("ascii"))], b"")
        if scope["method"] not in ("GET", "HEAD"):
            raise RequestError(
                code="method-not-allowed",
                message=f"skills are not served for {scope['method']}",
                status=405,
                headers=(_ALLOW,),
            )
        body, media_type, extra = await self._found(_segments(scope), scope.get("root_path", ""))
        etag = etag_of(body)
        shared = [*_SAFETY, (b"etag", etag), (b"x-request-id", request_id.encode("ascii"))]
        given = {
            tag.strip().removeprefix(b"W/")
            for tag in headers.get(b"if-none-match", b"").split(b",")
        }
        if etag in given or b"*" in given:
            return Answer(304, shared, b"")
        own = [
            (b"content-type", media_type.encode("latin-1")),
            (b"content-length", b"%d" % len(body)),
            *extra,
        ]
        return Answer(200, [*own, *shared], body)

    async def _found(
        self, segments: Sequence[str], root_path: str
    ) -> tuple[bytes, str, Sequence[tuple[bytes, bytes]]]:
        match segments:
            case [""]:
                return self._json(self._index(quote(root_path)))
            case ["skills"]:
                return self._json(self._catalogue())
            case ["skills", name]:
                return self._json(self._skill(name).details)
            case ["skills", name, "download"]:
                skill = self._skill(name)
                content = await _in_thread(archive, _folder(skill))
                disposition = f"attachment; filename*=UTF-8''{quote(skill.name, safe='')}.zip"
                if is_plain_path(skill.name):
                    disposition = f'attachment; filename="{skill.name}.zip"'
                return (
                    content,
                    "application/zip",
                    ((b"content-disposition", disposition.encode("ascii")),),
                )
            case ["skills", name, "contents"]:
                skill = self._skill(name)
                files = await _in_thread(listing, _folder(skill))
                return self._json({"name": skill.name, "files": files})
            case ["skills", name, "contents", *path]:
                return await self._file(self._skill(name), "/".join(path))
            case _:
                raise _missing("there is nothing at this path", "`/skills` lists the skills")

    async def _file(
        self, skill: SkillPlan, path: str
    ) -> tuple[bytes, str, Sequence[tuple[bytes, bytes]]]:
        folder = _folder(skill)
        if not is_plain_path(path):
            raise RequestError(
                code="invalid-path",
                message="the path of the file holds a segment that is not allowed",
                hint="letters, digits, `.`, `_` and `-`; no hidden names",
            )
        content = await _in_thread(file_content, folder, path)
        return content, media_type_of(path), ()

    def _skill(self, name: str) -> SkillPlan:
        found = self._plan.skills.get(name)
        if found is None:
            hint = did_you_mean(name[:80], self._plan.skills)
            raise _missing(f"there is no skill `{name[:80]}`", hint)
        return found

    def _index(self, root_path: str) -> JsonObject:
        return {
            "name": self._info.label or self._plan.namespace,
            "namespace": self._plan.namespace,
            "description": self._plan.description or self._info.description,
            "skills": root_path + "/skills",
        }

    def _catalogue(self) -> JsonObject:
        skills: list[JsonValue] = []
        for skill in self._plan.skills.values():
            entry: JsonObject = {"name": skill.name, "description": skill.description}
            if skill.license:
                entry["license"] = skill.license
            entry["tools"] = list(skill.tools)
            skills.append(entry)
        return {"count": len(skills), "skills": skills}

    def _json(self, value: JsonValue) -> tuple[bytes, str, Sequence[tuple[bytes, bytes]]]:
        return orjson.dumps(mask_json(value, self._masker)), "application/json", ()


def _segments(scope: Scope) -> list[str]:
    """Return the decoded segments of the path below the mount point.

    Raises: RequestError; a segment with an encoded slash is one segment still, and refused later.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if len(path) > MAX_PATH_BYTES:
        message = f"the path has more than {MAX_PATH_BYTES} characters"
        raise RequestError(code="path-too-long", message=message, status=414)
    raw: bytes = scope.get("raw_path") or b""
    if b"%2f" in raw.lower() or b"%5c" in raw.lower():
        message = "the path holds an encoded slash"
        raise RequestError(code="invalid-path", message=message)
    if root and path.startswith(root):
        path = path[len(root) :]
    return path.removeprefix("/").split("/")


def _name_of(scope: Scope) -> str | None:
    """Return "/skills/{name} GET" for a request, None where nothing is there: for metrics."""
    method = scope["method"]
    try:
        segments = _segments(scope)
    except RequestError:
        return None
    match segments if method in ("GET", "HEAD") else ():
        case ["skills"]:
            path = "/skills"
        case ["skills", _]:
            path = "/skills/{name}"
        case ["skills", _, "download" | "contents" as last]:
            path = f"/skills/{{name}}/{last}"
        case ["skills", _, "contents", *_]:
            path = "/skills/{name}/contents/{file}"
        case _:
            return None
    return f"{path} {method}"


def _folder(skill: SkillPlan) -> Path:
    if skill.folder is None:
        raise _missing(f"the skill `{skill.name}` has no files", "")
    return skill.folder


async def _in_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    try:
        return await asyncio.to_thread(work, *arguments, **named)
    except FileRefusedError as error:
        raise _missing(str(error), "") from error
    except TooLargeError as error:
        raise RequestError(code="file-too-large", message=str(error), status=413) from error


def _missing(message: str, hint: str) -> RequestError:
    return RequestError(code="not-found", message=message, status=404, hint=hint)
