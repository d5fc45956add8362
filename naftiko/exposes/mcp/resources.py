"""Resources of one adapter: what is listed, and what a URI leads to."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import orjson
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate
from mcp_types import (
    INVALID_PARAMS,
    Annotations,
    BlobResourceContents,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

from naftiko.errors import InputError, RunError, did_you_mean
from naftiko.exposes.mcp.calls import rendered
from naftiko.exposes.mcp.failures import guarded, protocol_error, refuse_failed
from naftiko.exposes.mcp.peer import NOBODY, Peer
from naftiko.exposes.mcp.responses import dump, split_media_type
from naftiko.exposes.mcp.tools import MAX_SHOWN
from naftiko.exposes.mcp.wire import Wire
from naftiko.plan.capability import FilesPlan, McpAdapterPlan, OperationPlan, ResourcePlan
from naftiko.plan.content import is_text_type
from naftiko.plan.content_files import (
    FileRefusedError,
    Listed,
    list_files,
    media_type_of,
    read_below,
    read_file,
)
from naftiko.plan.masking import Masker
from naftiko.plan.ports import Result
from naftiko.plan.run import Run, Suspended
from naftiko.values import JsonObject, JsonValue, Missing

if TYPE_CHECKING:
    from naftiko.exposes.mcp.listing import Listing
    from naftiko.plan.resource_lists import ResourceListPlan

MAX_URI = 2048
"""A longer one leads nowhere."""

Contents = TextResourceContents | BlobResourceContents


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a URI leads to: a resource, the values of its variables, the file below its folder."""

    resource: ResourcePlan
    uri: str
    variables: Mapping[str, str | list[str]]
    below: str = ""


class ResourceTable:
    """The resources of one adapter."""

    def __init__(self, plan: McpAdapterPlan, masker: Masker) -> None:
        """Publish the resources of the plan."""
        self._masker = masker
        self._max_bytes = plan.options.max_bytes
        self.publish(plan.resources)

    def publish(self, resources: Iterable[ResourcePlan]) -> None:
        """Put these resources in the place of those there are, at once for every caller.

        Whoever publishes says so to the clients: `Changes.list_changed("resources")`.
        """
        fixed: dict[str, ResourcePlan] = {}
        folders: list[ResourcePlan] = []
        templates: list[tuple[UriTemplate, ResourcePlan]] = []
        for resource in resources:
            if resource.operation is not None:
                resource.operation.inputs.prepare()
            if resource.variables:
                templates.append((UriTemplate.parse(resource.uri), resource))
            elif resource.files is not None and resource.files.is_folder:
                folders.append(resource)
            else:
                fixed[resource.uri] = resource
        self._all = tuple(resources)
        self._fixed, self._folders, self._templates = fixed, folders, templates
        self._lists = {
            resource.name: self._listing(template, resource, resource.list_)
            for template, resource in templates
            if resource.list_ is not None
        }
        self.templates = [self._template(resource) for _, resource in templates]

    def __len__(self) -> int:
        """Count the resources and templates."""
        return len(self._all)

    def changing(self) -> bool:
        """Whether any of them may be watched."""
        return any(resource.refresh_s is not None for resource in self._all)

    def template(self, uri_template: str) -> ResourcePlan | None:
        """Return the resource with that URI template, or that URI."""
        return next((item for item in self._all if item.uri == uri_template), None)

    async def listed(self) -> list[Resource]:
        """Return what is listed: a folder shows each of its files, `list` what it finds."""
        out: list[Resource] = []
        for resource in self._all:
            if resource.variables:
                listing = self._lists.get(resource.name)
                if listing is not None:
                    out += await listing.shown()
                continue
            files = resource.files
            if files is None:
                out.append(
                    self._resource(resource, resource.uri, resource.media_type, resource.size)
                )
            elif files.is_folder:
                found = await asyncio.to_thread(list_files, files.path)
                out += [self._file(resource, item) for item in found]
            else:
                media_type = resource.media_type or media_type_of(files.path.name)
                out.append(self._resource(resource, resource.uri, media_type, resource.size))
        return out

    def find(self, uri: str) -> Target:
        """Return what a URI leads to.

        Raises: MCPError (-32602), with the URI.
        """
        resource = self._fixed.get(uri)
        if resource is not None:
            return Target(resource=resource, uri=uri, variables={})
        for folder in self._folders:
            base = folder.uri.rstrip("/") + "/"
            if uri.startswith(base):
                return Target(resource=folder, uri=uri, variables={}, below=uri[len(base) :])
        for template, resource in self._templates if len(uri) <= MAX_URI else ():
            variables = template.match(uri)
            if variables is not None:
                return Target(resource=resource, uri=uri, variables=variables)
        raise self._unknown(uri)

    async def read(self, uri: str, peer: Peer | None = None) -> ReadResourceResult | Wire:
        """Read a resource.

        Raises: MCPError.
        """
        target = self.find(uri)
        files, operation = target.resource.files, target.resource.operation
        if files is not None:
            content = await self._read_file(target, files)
            return ReadResourceResult(contents=[content])
        assert operation is not None
        peer = peer or NOBODY
        run = peer.run({})

        async def read() -> ReadResourceResult:
            run.inputs = operation.inputs.check(_values(operation, target.variables))
            try:
                result = await operation.plan.run(run)
            except RunError as error:
                raise self._not_found(uri, error) from error
            if operation.content is not None:
                await result.decoded()
            if result.failed and result.status == 404:
                raise self._unknown(uri)
            refuse_failed(result, f"the resource `{target.resource.name}`")
            return ReadResourceResult(contents=self._contents(target, operation, run, result))

        more: JsonObject = {"uri": uri[:MAX_URI]}
        what = f"the resource `{target.resource.name}`"
        try:
            return await guarded(what, read, self._masker, more)
        except Suspended as suspended:
            questions = suspended.questions

            async def ask() -> Wire:
                return peer.suspended(questions, run, self._masker)

            return await guarded(what, ask, self._masker, more)

    async def fingerprint(self, uri: str) -> str:
        """Return a text that changes with what the resource holds; "" where it cannot be read."""
        target = self.find(uri)
        files = target.resource.files
        if files is not None:
            return await asyncio.to_thread(_stamp, files, target.below)
        try:
            found = await self.read(uri)
        except MCPError as error:
            return f"error {error.error.code}"
        if not isinstance(found, ReadResourceResult):
            return ""
        return hashlib.sha256(found.model_dump_json().encode()).hexdigest()

    def _unknown(self, uri: str) -> MCPError:
        shown = uri if len(uri) <= MAX_SHOWN else uri[:MAX_SHOWN] + "..."
        hint = did_you_mean(uri[:200], self._fixed)
        message = f"unknown resource `{shown}`" + (f"; {hint}" if hint else "")
        if not self._all:
            message += "; there are none here"
        return MCPError(code=INVALID_PARAMS, message=message, data={"uri": uri[:MAX_URI]})

    def _not_found(self, uri: str, error: RunError) -> RunError | MCPError:
        """Return what callers see of a failure: what is not there is their mistake."""
        if error.status != 404 or isinstance(error, InputError):
            return error
        shown = protocol_error(error, self._masker, {"uri": uri[:MAX_URI]}).error
        return MCPError(code=INVALID_PARAMS, message=shown.message, data=shown.data)

    async def _read_file(self, target: Target, files: FilesPlan) -> Contents:
        try:
            if files.is_folder:
                raw = await asyncio.to_thread(read_below, files.path, target.below, files.max_bytes)
            else:
                raw = await asyncio.to_thread(read_file, files.path, files.max_bytes)
        except FileRefusedError as error:
            raise MCPError(
                code=INVALID_PARAMS,
                message=f"unknown resource `{target.uri[:MAX_SHOWN]}`: {error}",
                data={"uri": target.uri[:MAX_URI]},
            ) from error
        name = target.below or files.path.name
        media_type = target.resource.media_type or media_type_of(name)
        return _of_bytes(target.uri, raw, media_type, binary=target.resource.binary)

    def _contents(
        self, target: Target, operation: OperationPlan, run: Run, result: Result
    ) -> list[Contents]:
        resource = target.resource
        if operation.content is not None:
            blocks = rendered(operation.content, run, result)
            return [_of_block(target, cast("JsonObject", block)) for block in blocks]
        if result.raw is not None:
            found, _ = split_media_type(result.media_type)
            media_type = resource.media_type or found
            self._refuse_large(len(result.raw))
            return [_of_bytes(target.uri, result.raw, media_type, binary=resource.binary)]
        value = None if isinstance(result.value, Missing) else result.value
        text = value if isinstance(value, str) else dump(value)
        default = "text/plain" if isinstance(value, str) else "application/json"
        self._refuse_large(len(text))
        media_type = resource.media_type or default
        if resource.binary:
            return [_of_bytes(target.uri, text.encode(), media_type, binary=True)]
        return [TextResourceContents(uri=target.uri, mime_type=media_type, text=text)]

    def _refuse_large(self, size: int) -> None:
        if size > self._max_bytes:
            raise RunError(
                code="too-large",
                message=f"the resource is larger than `maxBinarySize` ({self._max_bytes} bytes)",
                status=502,
            )

    def _file(self, resource: ResourcePlan, item: Listed) -> Resource:
        uri = resource.uri.rstrip("/") + "/" + quote(item.relative)
        media_type = resource.media_type or media_type_of(item.relative)
        return self._resource(resource, uri, media_type, item.size)

    def _listing(
        self, template: UriTemplate, resource: ResourcePlan, plan: ResourceListPlan
    ) -> Listing:
        # Most adapters list nothing that they have to ask for.
        from naftiko.exposes.mcp.listing import Listing

        return Listing(
            resource=resource,
            plan=plan,
            template=template,
            masker=self._masker,
            annotations=_annotations(resource),
        )

    def _resource(
        self, resource: ResourcePlan, uri: str, media_type: str | None, size: int | None
    ) -> Resource:
        return Resource(
            uri=uri,
            name=resource.name,
            title=self._masker(resource.label) or None,
            description=self._masker(resource.description) or None,
            mime_type=media_type,
            size=size,
            annotations=_annotations(resource),
        )

    def _template(self, resource: ResourcePlan) -> ResourceTemplate:
        return ResourceTemplate(
            uri_template=resource.uri,
            name=resource.name,
            title=self._masker(resource.label) or None,
            description=self._masker(resource.description) or None,
            mime_type=resource.media_type,
            annotations=_annotations(resource),
        )


def _annotations(resource: ResourcePlan) -> Annotations | None:
    if resource.annotations is None:
        return None
    return Annotations.model_validate(resource.annotations, by_name=False)


def _values(
    operation: OperationPlan, variables: Mapping[str, str | list[str]]
) -> dict[str, JsonValue]:
    """Return the inputs: texts, read by the type that is declared for them."""
    values: dict[str, JsonValue] = {}
    for name, found in variables.items():
        item = operation.inputs.get(name)
        texts = [found] if isinstance(found, str) else found
        if item is None:
            values[name] = texts[0] if isinstance(found, str) else list(texts)
        elif texts:
            values[name] = operation.inputs.read_text(item, texts)
    return values


def _of_bytes(uri: str, raw: bytes, media_type: str, *, binary: bool) -> Contents:
    if not binary and is_text_type(media_type):
        text = raw.decode("utf-8", "replace")
        return TextResourceContents(uri=uri, mime_type=media_type, text=text)
    blob = b64encode(raw).decode("ascii")
    return BlobResourceContents(uri=uri, mime_type=media_type, blob=blob)


def _of_block(target: Target, block: JsonObject) -> Contents:
    """Turn a content block into contents of the resource."""
    body: dict[str, Any] = block
    if block["type"] == "resource":
        inner = body["resource"]
        if "blob" in inner:
            return BlobResourceContents.model_validate(inner, by_name=False)
        return TextResourceContents.model_validate(inner, by_name=False)
    if "data" in body:
        return BlobResourceContents(uri=target.uri, mime_type=body["mimeType"], blob=body["data"])
    text = body.get("text", body.get("uri", ""))
    media_type = target.resource.media_type or "text/plain"
    return TextResourceContents(uri=target.uri, mime_type=media_type, text=text)


def _stamp(files: FilesPlan, below: str) -> str:
    if not files.is_folder:
        try:
            status = files.path.stat(follow_symlinks=False)
        except OSError:
            return ""
        return f"{status.st_mtime_ns}:{status.st_size}:{status.st_ino}"
    found = list_files(files.path)
    shown = [item for item in found if not below or item.relative == below]
    return orjson.dumps([[item.relative, item.size, item.changed_ns] for item in shown]).decode()
