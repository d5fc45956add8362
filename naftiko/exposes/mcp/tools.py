"""McpAdapterPlan -> the tools as they are published, built once at load."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from mcp.shared.inbound import X_MCP_HEADER_KEY, find_invalid_x_mcp_header
from mcp_types import Tool, ToolAnnotations, ToolExecution

from naftiko.errors import did_you_mean
from naftiko.model.parameters import Hints
from naftiko.plan.capability import McpAdapterPlan, OperationPlan
from naftiko.plan.masking import Masker, mask_json
from naftiko.plan.ports import Effect
from naftiko.plan.tool_names import CALL_TOOL, MAX_NAME, safe_name
from naftiko.values import JsonObject, JsonSchema, JsonValue

if TYPE_CHECKING:
    from naftiko.exposes.mcp.tool_search import ToolSearch

MAX_SHOWN = 80
"""Characters of an unknown tool name that an error repeats."""
WRAPPER = "result"
"""The member that holds an output which is not an object: `{"result": [1, 2]}`."""

logger = logging.getLogger("naftiko.exposes.mcp")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTool:
    """An operation under its public name.

    `wraps` says that an object output schema was made by wrapping: structured content is then
    always `{"result": value}`. `mirrored` says that arguments are repeated in `Mcp-Param-*`
    headers, which have to agree.
    """

    name: str
    namespace: str
    operation: OperationPlan
    input_schema: JsonObject
    output_schema: JsonObject | None
    wraps: bool
    mirrored: bool


class ToolTable:
    """The tools of one adapter, by public name, in the file's order."""

    def __init__(self, plan: McpAdapterPlan, masker: Masker) -> None:
        """Publish every operation of the plan and build its validator."""
        self._namespace = plan.namespace
        self._masker = masker
        self.search = _search(plan, masker)
        self._plan = plan
        self._publishing = threading.Lock()
        self._tools: dict[str, PublishedTool] = {}
        self._defined_before: dict[str, tuple[PublishedTool, Tool]] = {}
        self.definitions: list[Tool] = []
        self.publish_all()

    def publish_all(self) -> bool:
        """Publish the file's own tools and those that are discovered by now.

        Tells whether clients see another list. The app may be built in a thread while the event
        loop discovers, so that one has to wait for the other.
        """
        with self._publishing:
            found = self._plan.discovered
            more = [item.operation for item in found.operations] if found is not None else []
            before = self.definitions
            self.publish((*self._plan.tools, *more))
            return before != self.definitions

    def publish(self, operations: Iterable[OperationPlan]) -> None:
        """Put these tools in the place of those there are, at once for every caller.

        Whoever publishes says so to the clients: `Changes.list_changed("tools")`.
        """
        tools: dict[str, PublishedTool] = {}
        if self.search is not None:
            operations = self.search.with_pair(tuple(operations))
        for operation in operations:
            operation.inputs.prepare()
            name = _free_name(safe_name(operation.name), tools)
            kept = self._tools.get(name)
            if kept is None or kept.operation is not operation:
                kept = _publish(name, self._namespace, operation)
            tools[name] = kept
        definitions = [self._defined(tool) for tool in tools.values()]
        self._defined_before = {
            tool.name: (tool, shown)
            for tool, shown in zip(tools.values(), definitions, strict=True)
        }
        if self.search is not None:
            definitions = self.search.listed(definitions)
        self._tools, self.definitions = tools, definitions

    def _defined(self, tool: PublishedTool) -> Tool:
        """Return how a tool is listed, as it was before where it is the same tool."""
        kept = self._defined_before.get(tool.name)
        if kept is not None and kept[0] is tool:
            return kept[1]
        return _definition(tool, self._masker)

    def __iter__(self) -> Iterator[PublishedTool]:
        """Yield the tools."""
        return iter(self._tools.values())

    def get(self, name: str) -> PublishedTool | None:
        """Return the tool of that public name, or None."""
        return self._tools.get(name)

    def task_support(self, name: str, arguments: object) -> str:
        """Say whether a call may be a task; for `call-tool` that is up to the tool it names.

        "any" where it names none: the call itself says what is wrong, as a task or not.
        """
        if self.search is not None:
            meant, _ = self.search.meant(name, arguments)
            if meant == CALL_TOOL and self.search.calls:
                return "any"
            support = self._support(meant)
            return "any" if meant != name and support == "forbidden" else support
        return self._support(name)

    def _support(self, name: str) -> str:
        tool = self._tools.get(name)
        return "forbidden" if tool is None else tool.operation.task_support

    def input_schema(self, name: str) -> Mapping[str, Any] | None:
        """Return a tool's schema for the SDK's header check: only where headers mirror it."""
        tool = self._tools.get(name)
        return tool.input_schema if tool is not None and tool.mirrored else None

    def unknown(self, name: str) -> str:
        """Return the sentence for a name that no tool has."""
        shown = name if len(name) <= MAX_SHOWN else name[:MAX_SHOWN] + "..."
        hint = did_you_mean(name[:MAX_NAME], self._tools)
        return f"unknown tool `{shown}`" + (f"; {hint}" if hint else "")


def _search(plan: McpAdapterPlan, masker: Masker) -> ToolSearch | None:
    """Return the search over the tools, where the file wants one; most want none."""
    if plan.options.tool_search is None:
        return None
    from naftiko.exposes.mcp.tool_search import ToolSearch

    return ToolSearch(plan, plan.options.tool_search, masker)


def _free_name(name: str, taken: Mapping[str, object]) -> str:
    number = 2
    candidate = name
    while candidate in taken:
        suffix = f"-{number}"
        candidate = name[: MAX_NAME - len(suffix)] + suffix
        number += 1
    return candidate


def _publish(name: str, namespace: str, operation: OperationPlan) -> PublishedTool:
    schema = input_object_schema(operation.inputs.schema)
    fault = find_invalid_x_mcp_header(schema)
    if fault is not None:
        logger.warning("tool `%s`: clients drop it, its input schema is not valid: %s", name, fault)
    output_schema, wraps = output_object_schema(operation.output_schema)
    return PublishedTool(
        name=name,
        namespace=namespace,
        operation=operation,
        input_schema=schema,
        output_schema=output_schema,
        wraps=wraps,
        mirrored=fault is None and _mentions(schema, X_MCP_HEADER_KEY),
    )


def _definition(tool: PublishedTool, masker: Masker) -> Tool:
    """Describe a tool to clients; a default or an example in the file may hold a secret."""
    operation = tool.operation
    description = operation.description or operation.label or f"Runs `{operation.name}`."
    return Tool(
        name=tool.name,
        title=masker(operation.label) or None,
        description=masker(description),
        input_schema=cast("dict[str, Any]", mask_json(dict(tool.input_schema), masker)),
        output_schema=cast("dict[str, Any] | None", mask_json(tool.output_schema, masker)),
        annotations=_masked(tool_annotations(operation), masker),
        execution=_execution(operation),
    )


def _masked(annotations: ToolAnnotations | None, masker: Masker) -> ToolAnnotations | None:
    if annotations is None or annotations.title is None:
        return annotations
    return annotations.model_copy(update={"title": masker(annotations.title)})


def _execution(operation: OperationPlan) -> ToolExecution | None:
    """Say that a tool may be called as a task; who is told nothing knows that it may not."""
    support = operation.task_support
    if support == "forbidden":
        return None
    return ToolExecution(task_support="required" if support == "required" else "optional")


def tool_annotations(operation: OperationPlan) -> ToolAnnotations | None:
    """Return the file's hints and label; where it gives no hint, that the call only reads.

    The last comes from the consumed operation: it is said only when it is sure, and never against
    the author.
    """
    hints = operation.hints
    if hints == Hints() and operation.effect is Effect.READ:
        hints = Hints(read_only=True)
    if hints == Hints() and not operation.label:
        return None
    return ToolAnnotations(
        title=operation.label or None,
        read_only_hint=hints.read_only,
        destructive_hint=hints.destructive,
        idempotent_hint=hints.idempotent,
        open_world_hint=hints.open_world,
    )


def input_object_schema(schema: JsonSchema) -> JsonObject:
    """Return the schema with `type: object` at its root, which the protocol requires."""
    return {**schema, "type": "object"}


def output_object_schema(schema: JsonSchema | None) -> tuple[JsonObject | None, bool]:
    """Return a schema whose root is `type: object`, and whether it was wrapped for that.

    {"type": "array"} -> ({"type": "object", "properties": {"result": {"type": "array"}},
    "required": ["result"]}, True). An empty schema says nothing and is not published. References
    that would lead elsewhere once wrapped make the schema unpublishable.
    """
    if not schema:
        return None, False
    if schema.get("type") == "object":
        return dict(schema), False
    inner = {key: value for key, value in schema.items() if key not in ("$defs", "$schema", "$id")}
    if "$id" in schema or _escapes(inner) or _escapes(schema.get("$defs")):
        return None, False
    wrapped: JsonObject = {
        "type": "object",
        "properties": {WRAPPER: inner},
        "required": [WRAPPER],
    }
    if "$defs" in schema:
        wrapped["$defs"] = schema["$defs"]
    return wrapped, True


def _escapes(node: JsonValue) -> bool:
    """Say whether a `$ref` in it would point elsewhere after the root moved."""
    if isinstance(node, dict):
        ref = node.get("$ref")
        if isinstance(ref, str) and not ref.startswith("#/$defs/"):
            return True
        return any(map(_escapes, node.values()))
    return isinstance(node, list) and any(map(_escapes, node))


def _mentions(node: JsonValue, key: str) -> bool:
    if isinstance(node, dict):
        return key in node or any(_mentions(child, key) for child in node.values())
    return isinstance(node, list) and any(_mentions(child, key) for child in node)
