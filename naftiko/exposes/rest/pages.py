"""What an adapter says about itself: `/openapi.json` and the index at `/`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from naftiko.exposes.problem import Answer
from naftiko.exposes.rest.responses import dump
from naftiko.exposes.rest.router import plain_path
from naftiko.model.capability import Info
from naftiko.plan.masking import Masker, mask_json
from naftiko.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from naftiko.plan.capability import RestAdapterPlan

MAX_MOUNT_POINTS = 8
PATHS = frozenset({"/", "/openapi.json"})


@dataclass(frozen=True, slots=True)
class Page:
    """A JSON document that changes only with the plan."""

    body: bytes
    etag: bytes

    def answer(self, if_none_match: bytes, request_id: str) -> Answer:
        """Return the page, or 304 where the caller has it already."""
        headers = [
            (b"cache-control", b"no-cache"),
            (b"etag", self.etag),
            (b"x-content-type-options", b"nosniff"),
            (b"x-request-id", request_id.encode("ascii")),
        ]
        given = {tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")}
        if self.etag in given or b"*" in given:
            return Answer(304, headers, b"")
        headers.append((b"content-type", b"application/json"))
        headers.append((b"content-length", b"%d" % len(self.body)))
        return Answer(200, headers, self.body)


class Pages:
    """Builds each page when it is first asked for, once for every mount point."""

    def __init__(self, plan: RestAdapterPlan, info: Info, masker: Masker) -> None:
        """Keep what the pages are built from."""
        self._plan = plan
        self._info = info
        self._masker = masker
        self._built: dict[tuple[str, str], Page] = {}
        self._makers: dict[str, Callable[[str], JsonObject]] = {
            "/": self._index,
            "/openapi.json": self._openapi,
        }

    def written(self, path: str, root_path: str) -> Page | None:
        """Return a page if somebody has asked for it before."""
        return self._built.get((path, root_path))

    def get(self, path: str, root_path: str) -> Page | None:
        """Return the page at a path, None where there is none."""
        make = self._makers.get(path)
        if make is None:
            return None
        page = self._built.get((path, root_path))
        if page is None:
            body = dump(mask_json(make(quote(root_path)), self._masker))
            page = Page(body, b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode("ascii"))
            if len(self._built) < MAX_MOUNT_POINTS * len(self._makers):
                self._built[path, root_path] = page
        return page

    def _index(self, root_path: str) -> JsonObject:
        routes: list[JsonValue] = [
            {
                "method": entry.method,
                "path": root_path + plain_path(route.path),
                "operation": entry.operation.name,
                "description": entry.operation.description,
            }
            for route in self._plan.routes
            for entry in route.operations
        ]
        routes += [
            {
                "method": method,
                "path": root_path + plain_path(route.path),
                "operation": route.forward.name,
                "description": route.forward.description,
                "forward": route.forward.namespace,
            }
            for route in self._plan.routes
            if route.forward is not None
            for method in route.forward.methods
            if method not in {entry.method for entry in route.operations}
        ]
        return {
            "name": self._info.label or self._plan.namespace,
            "namespace": self._plan.namespace,
            "description": self._plan.description or self._info.description,
            "version": self._info.version,
            "openapi": root_path + "/openapi.json",
            "routes": routes,
        }

    def _openapi(self, root_path: str) -> JsonObject:
        from naftiko.exposes.rest.openapi import openapi_document

        return openapi_document(self._plan, self._info, root_path=root_path)
