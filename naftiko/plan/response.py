"""`response` of a REST operation: the status and headers of its answer. This engine's own.

{status: 201, headers: {Location: "/orders/{{id}}"}}. Templates see the result's members, the
inputs, and the whole as `result`; `{from: $.code}` is a path into the result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable
from urllib.parse import quote

from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Node, Scalar
from naftiko.errors import ShapingError, did_you_mean
from naftiko.expressions.jsonpath import Path, compile_path
from naftiko.expressions.text import value_text
from naftiko.plan.clients import leave_out
from naftiko.plan.coercion import shown
from naftiko.plan.ports import Plan, Result
from naftiko.plan.run import Run
from naftiko.plan.templates import PlanTemplates
from naftiko.plan.values import ConstantValue, ValueTemplate
from naftiko.values import MISSING, JsonValue, Missing

MEMBERS = ("status", "headers")
RESERVED = frozenset(
    (
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "host",
        "keep-alive",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
    )
)
"""What the server says itself: RFC 9110, 7.6.1 and 8.6."""
MAX_HEADER_CHARS = 8000

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VISIBLE = "".join(map(chr, range(0x20, 0x7F)))
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class FromPath:
    """`{from: $.code}`: what a path finds in the result."""

    path: Path

    def render(self, result: JsonValue, _inputs: Mapping[str, JsonValue]) -> JsonValue | Missing:
        """Return what the path finds."""
        return self.path.find(result)


@dataclass(frozen=True, slots=True)
class FromTemplate:
    """A constant or a template."""

    template: ValueTemplate

    def render(self, result: JsonValue, inputs: Mapping[str, JsonValue]) -> JsonValue | Missing:
        """Render over the inputs, the result's members laid over them."""
        members = result if isinstance(result, dict) else {}
        return self.template.render({**inputs, **members, "result": result})


Source: TypeAlias = FromPath | FromTemplate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ResponsePlan:
    """A plan whose good answers get the status and headers that the file maps.

    Answers that failed keep theirs. `constant_status` is known without a request, for OpenAPI.
    """

    plan: Plan
    status: Source | None
    headers: tuple[tuple[str, Source], ...]
    constant_status: int | None = None

    @property
    def calls(self) -> Sequence[str]:
        """Return what the plan within calls."""
        return self.plan.calls

    async def run(self, run: Run) -> Result:
        """Run the plan within, then set status and headers.

        Raises: as that plan does; ShapingError for a status or a header that HTTP does not have.
        """
        result = await self.plan.run(run)
        if result.failed or result.status >= 400:
            return result
        value = await self._value(result)
        if self.status is not None:
            result.status = _status(self.status.render(value, run.inputs), result.status)
        extra = [
            (name, text)
            for name, source in self.headers
            if (text := _header(name, source.render(value, run.inputs)))
        ]
        replaced = {name.lower() for name, _ in extra}
        kept = [(name, text) for name, text in result.headers if name.lower() not in replaced]
        result.headers = (*kept, *extra)
        return result

    async def _value(self, result: Result) -> JsonValue:
        """Bodies that pass through are read only if something of them is mapped."""
        sources = [self.status, *(source for _, source in self.headers)]
        is_used = any(source is not None and not is_constant(source) for source in sources)
        if not is_used or result.stream is not None:
            return None
        found = await result.decoded()
        return None if found is MISSING else found

    def explain(self) -> Sequence[str]:
        """Return the lines of the plan within, and what is set."""
        lines = [*self.plan.explain()]
        if self.status is not None:
            lines.append(f"status: {self.constant_status or 'as mapped'}")
        if self.headers:
            lines.append(f"headers: {', '.join(name for name, _ in self.headers)}")
        return lines


@runtime_checkable
class Wrapping(Plan, Protocol):
    """A plan around another one, whose status it passes on."""

    @property
    def plan(self) -> Plan:
        """The plan within."""


def compile_response(node: MappingNode, plan: Plan, templates: PlanTemplates) -> ResponsePlan:
    """Compile `response` around the plan of its operation.

    Raises: LeftOut[bad-response] for a status or a header that HTTP does not have;
    ExpressionError for a path or template that does not parse.
    """
    for key, _ in node.entries:
        if key.text not in MEMBERS and not key.text.startswith("x-"):
            hint = did_you_mean(key.text, MEMBERS)
            raise leave_out("bad-response", f"`response` has no `{key.text}`", key.location, hint)
    status = node.get("status")
    source = _source(status, templates) if status is not None else None
    headers = node.get("headers")
    entries = headers.entries if isinstance(headers, MappingNode) else ()
    return ResponsePlan(
        plan=plan,
        status=source,
        headers=tuple((_name(key), _source(value, templates)) for key, value in entries),
        constant_status=_constant(source, status),
    )


def success_status(plan: Plan) -> str:
    """Return the status of a plan's good answers, for OpenAPI: "200", "201", "2XX"."""
    while not isinstance(plan, ResponsePlan) and isinstance(plan, Wrapping):
        plan = plan.plan
    if not isinstance(plan, ResponsePlan) or plan.status is None:
        return "200"
    return str(plan.constant_status or "2XX")


def is_constant(source: Source) -> bool:
    """Tell whether a source is the same for every request."""
    return isinstance(source, FromTemplate) and isinstance(source.template, ConstantValue)


def _source(node: Node, templates: PlanTemplates) -> Source:
    if isinstance(node, MappingNode):
        path = node.get("from")
        if not isinstance(path, Scalar) or len(node) != 1:
            raise leave_out(
                "bad-response",
                "a mapping here must be `{from: path}`",
                node.location,
                "write `{from: $.code}`, a constant, or a template",
            )
        return FromPath(compile_path(path.text, path.at))
    return FromTemplate(templates.value(node))


def _constant(source: Source | None, node: Node | None) -> int | None:
    if not isinstance(source, FromTemplate) or not isinstance(source.template, ConstantValue):
        return None
    assert node is not None
    try:
        return _status(source.template.value, 200)
    except ShapingError as error:
        hint = "give a final status, such as 201"
        raise leave_out("bad-response", error.message, node.location, hint) from None


def _name(key: Scalar) -> str:
    if not _NAME.fullmatch(key.text):
        raise leave_out("bad-response", f"`{key.text}` is no name of a header", key.location)
    if key.text.lower() in RESERVED:
        raise leave_out(
            "bad-response", f"the header `{key.text}` is the server's own to set", key.location
        )
    return key.text


def _status(value: JsonValue | Missing, otherwise: int) -> int:
    """Return a final status; that of the answer where nothing is found."""
    if value is MISSING or value is None:
        return otherwise
    text = value_text(value) if isinstance(value, (str, int)) else ""
    number = int(text) if text.isascii() and text.isdigit() and len(text) == 3 else 0
    if isinstance(value, bool) or not 200 <= number <= 599:
        raise ShapingError(
            code="bad-response",
            message=f"`response` gives the status {shown(value)}, which must be 200 to 599",
        )
    return number


def _header(name: str, value: JsonValue | Missing) -> str:
    """Return what stands in the header, "" for none. What is not ASCII is percent-encoded."""
    text = value_text(value).strip()
    if _CONTROL.search(text) or len(text) > MAX_HEADER_CHARS:
        raise ShapingError(
            code="bad-response",
            message=f"`response` gives the header `{name}` a value that no header can have",
        )
    return quote(text, safe=_VISIBLE + "\t") if not text.isascii() else text
