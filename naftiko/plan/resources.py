"""McpResource -> ResourcePlan: files, a value in the file itself, or what an operation gives."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from naftiko.document.nodes import Scalar
from naftiko.errors import Problems
from naftiko.expressions.durations import parse_duration_s
from naftiko.model.exposes import ExposedOperation
from naftiko.model.mcp import McpResource
from naftiko.model.parameters import InputParameter
from naftiko.plan.called import Setting
from naftiko.plan.capability import FilesPlan, OperationPlan, ResourcePlan
from naftiko.plan.clients import leave_out
from naftiko.plan.completions import CompletionCompiler
from naftiko.plan.content import Given
from naftiko.plan.content_files import Files
from naftiko.plan.given import GivenPlan, declares_nothing_to_run, given_operation
from naftiko.plan.operations import OperationCompiler

if TYPE_CHECKING:
    from naftiko.plan.resource_lists import ResourceListPlan

MIN_REFRESH_S = 0.1
"""Shortest time between two looks at a resource."""
WATCH_S = 1.0
"""Time between two looks at one with `watch: true`."""

_EXPRESSION = re.compile(r"\{([^{}]*)\}")
_OPERATORS = "+#./;?&"
_NAME = re.compile(r"(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})+(?:\.(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})+)*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(slots=True, kw_only=True)
class ResourceCompiler:
    """Compiles the resources of one adapter."""

    adapter: str
    operations: OperationCompiler
    completions: CompletionCompiler
    files: Files
    problems: Problems
    max_bytes: int

    def compile(self, resource: McpResource) -> ResourcePlan | None:
        """Compile one; None where its operation is left out.

        Raises: LeftOut, ExpressionError.
        """
        operation = resource.operation
        if resource.uri is None:
            raise leave_out(
                "missing-uri", f"the resource `{operation.name}` has no `uri`", resource.location
            )
        variables, optional = uri_variables(resource.uri)
        files = self._files(resource)
        plan: OperationPlan | None = None
        if files is None:
            plan = self._operation(resource, variables, optional)
            if plan is None:
                return None
        elif variables:
            raise leave_out(
                "bad-uri",
                "a resource with a `location` needs a `uri` without variables",
                resource.uri.location,
            )
        annotations = resource.annotations.plain() if resource.annotations else None
        return ResourcePlan(
            name=operation.name,
            label=operation.label,
            description=operation.description or (plan.description if plan else ""),
            uri=resource.uri.text,
            location=resource.location,
            variables=variables,
            media_type=resource.mime_type.text if resource.mime_type else None,
            binary=resource.binary,
            size=resource.size,
            annotations=annotations if isinstance(annotations, dict) else None,
            files=files,
            operation=plan,
            refresh_s=self._refresh_s(resource),
            completions=self.completions.compile(
                operation.name, resource.completions, variables, resource.location
            ),
            list_=self._list(resource, variables, optional),
        )

    def _list(
        self, resource: McpResource, variables: Sequence[str], optional: frozenset[str]
    ) -> ResourceListPlan | None:
        if resource.list_ is None:
            return None  # most resources have none, and the import costs
        from naftiko.plan.resource_lists import ResourceListCompiler

        compiler = ResourceListCompiler(
            adapter=self.adapter,
            owner=resource.operation.name,
            operations=self.operations,
            problems=self.problems,
        )
        return compiler.compile(resource.list_, variables, optional)

    def _files(self, resource: McpResource) -> FilesPlan | None:
        if resource.file is None:
            return None
        path = self.files.find(resource.file, folder=True)
        return FilesPlan(path=path, is_folder=path.is_dir(), max_bytes=self.max_bytes)

    def _operation(
        self, resource: McpResource, variables: Sequence[str], optional: frozenset[str]
    ) -> OperationPlan | None:
        """Compile what is read; the URI's variables are its inputs, whatever else it declares."""
        operation = resource.operation
        declared = {item.name: item for item in operation.input_parameters or ()}
        inputs = [
            declared.get(name)
            or InputParameter(
                name=name, location=resource.location, type_="string", required=name not in optional
            )
            for name in variables
        ]
        inputs += [item for name, item in declared.items() if name not in variables]
        given = self._given(resource)
        if given is None and not declares_nothing_to_run(operation):
            return self.operations.compile(
                _with_inputs(resource, inputs), Setting(adapter=self.adapter)
            )
        if given is None and operation.content is None:
            raise leave_out(
                "nothing-to-read",
                f"the resource `{operation.name}` has none of `location`, `call`, `steps`, `text`, "
                "`value`, `blob` and `content`",
                resource.location,
            )
        return given_operation(operation, inputs, given or GivenPlan(), self.operations)

    def _given(self, resource: McpResource) -> GivenPlan | None:
        media_type = resource.mime_type.text if resource.mime_type else "text/plain"
        if resource.blob is not None:
            raw = _decoded(resource.blob)
            return GivenPlan(raw=raw, media_type=media_type)
        if resource.text is None:
            return None
        return GivenPlan(given=Given(self.operations.templates.value(resource.text)))

    def _refresh_s(self, resource: McpResource) -> float | None:
        if resource.refresh is None:
            return WATCH_S if resource.watch else None
        try:
            seconds = parse_duration_s(resource.refresh.value)
        except ValueError as error:
            raise leave_out("invalid-refresh", str(error), resource.refresh.location) from error
        if seconds < MIN_REFRESH_S:
            self.problems.warn(
                "short-refresh",
                f"`refresh: {resource.refresh.text}` is shorter than {MIN_REFRESH_S:g}s, which is "
                "used",
                resource.refresh.location,
            )
        return max(seconds, MIN_REFRESH_S)


def _with_inputs(resource: McpResource, inputs: list[InputParameter]) -> ExposedOperation:
    return replace(resource.operation, input_parameters=tuple(inputs) or None, content=None)


def _decoded(blob: Scalar) -> bytes:
    try:
        return base64.b64decode("".join(blob.text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise leave_out("bad-content", "`blob` is not Base64 text", blob.location) from error


def uri_variables(uri: Scalar) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the variables of a URI template and those a URI may leave out.

    "orders://{id}{?page}" -> ("id", "page"), {"page"}

    Raises: LeftOut for what is no URI template of RFC 6570.
    """
    text = uri.text
    if not _SCHEME.match(text):
        raise leave_out(
            "bad-uri",
            f"`{text}` is no URI: it has no scheme",
            uri.location,
            "write it like `orders://recent`",
        )
    names: list[str] = []
    optional: set[str] = set()
    for match in _EXPRESSION.finditer(text):
        body = match[1]
        operator = body[:1] if body[:1] in _OPERATORS else ""
        for part in body[len(operator) :].split(","):
            name = re.sub(r"(\*|:\d+)\Z", "", part)
            if not _NAME.fullmatch(name) or name in names:
                raise leave_out(
                    "bad-uri",
                    f"`{{{body}}}` is no expression of a URI template (RFC 6570)",
                    uri.at(match.start(), len(match[0])),
                    "a name has letters, digits and `_`, and stands once",
                )
            names.append(name)
            if operator in ("?", "&"):
                optional.add(name)
    rest = _EXPRESSION.sub("", text)
    if "{" in rest or "}" in rest or any(char <= " " for char in rest):
        raise leave_out("bad-uri", f"`{text}` is no URI template (RFC 6570)", uri.location)
    _check_by_library(uri)
    return tuple(names), frozenset(optional)


def _check_by_library(uri: Scalar) -> None:
    """Have the rarer forms checked by what will match them; a plain `{x}` needs no import."""
    if not re.search(r"\{[+#./;&]|\*[,}]|:\d+[,}]", uri.text):
        return
    from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate

    try:
        UriTemplate.parse(uri.text)
    except InvalidUriTemplate as error:
        raise leave_out("bad-uri", f"`{uri.text}`: {error}", uri.location) from error
