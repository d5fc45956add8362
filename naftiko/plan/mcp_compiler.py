"""ExposesMcp -> McpAdapterPlan: tools, resources, prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.errors import Problems, Severity
from naftiko.expressions import ExpressionError
from naftiko.expressions.durations import parse_duration_s
from naftiko.expressions.sizes import parse_size_bytes
from naftiko.model.exposes import ExposedOperation, ExposesMcp
from naftiko.model.mcp import McpResource
from naftiko.plan.called import Setting
from naftiko.plan.capability import (
    Disabled,
    McpAdapterPlan,
    McpServing,
    OperationPlan,
    PromptPlan,
    ResourcePlan,
    TaskServing,
    ToolSearchServing,
)
from naftiko.plan.clients import LeftOut
from naftiko.plan.operations import OperationCompiler
from naftiko.plan.run import DEFAULT_MAX_BYTES
from naftiko.plan.settings import AdapterSettings
from naftiko.source import Location

if TYPE_CHECKING:
    from naftiko.plan.completions import CompletionCompiler
    from naftiko.plan.content import ContentCompiler
    from naftiko.plan.content_files import Files
    from naftiko.plan.discovery.compiler import DiscoveryCompiler
    from naftiko.plan.discovery.entries import Discovered

MAX_BINARY_BYTES = 256 * 1024 * 1024
"""More than this is not held in memory, whatever the file says."""
MAX_PAGE_SIZE = 10_000
SCOPES: dict[str, Literal["public", "private"]] = {"public": "public", "private": "private"}
DEFAULT_RETRY_S = 1.0

Planned = TypeVar("Planned")


class _Entry(Protocol):
    @property
    def operation(self) -> ExposedOperation: ...

    @property
    def location(self) -> Location: ...


Item = TypeVar("Item")
Entry = TypeVar("Entry", bound=_Entry)


@dataclass(slots=True, kw_only=True)
class McpCompiler:
    """Compiles MCP adapters."""

    operations: OperationCompiler
    settings: AdapterSettings
    problems: Problems
    discovery: DiscoveryCompiler | None = None

    def compile(self, exposes: ExposesMcp) -> McpAdapterPlan:
        """Compile an adapter."""
        stdio = exposes.transport == "stdio"
        options = self._serving(exposes)
        tools = tuple(self._tools(exposes, options))
        return McpAdapterPlan(
            namespace=exposes.namespace,
            transport="stdio" if stdio else "http",
            address=self.settings.address(exposes.address),
            port=None if stdio else self.settings.port(exposes.port, "mcp", exposes.location),
            description=exposes.description,
            auth=self.settings.auth(exposes.authentication),
            tools=tools,
            resources=tuple(self._resources(exposes, options)),
            prompts=tuple(self._prompts(exposes, options)),
            options=options,
            location=exposes.location,
            cors=self.settings.cors(exposes.cors),
            discovered=self._discovered(exposes, tools, options),
        )

    def _discovered(
        self, exposes: ExposesMcp, tools: Sequence[OperationPlan], options: McpServing
    ) -> Discovered | None:
        if self.discovery is None or not exposes.discover:
            return None

        def compile_entry(tool: ExposedOperation, setting: Setting) -> OperationPlan | None:
            return self._tool(tool, setting, options)

        # As they are listed: a `-` at either end goes.
        taken = {name for tool in tools for name in (tool.name, tool.name.strip("-"))}
        if options.tool_search is not None:
            from naftiko.plan.tool_search import reserved_names

            taken.update(reserved_names(options.tool_search))
        return self.discovery.compile(exposes.namespace, exposes.discover, taken, compile_entry)

    def _files(self) -> Files:
        from naftiko.plan.content_files import Files

        return Files(self.operations.clients.context.workspace_root)

    def _contents(self, options: McpServing) -> ContentCompiler:
        # Most files give no content of their own, and the import costs.
        from naftiko.plan.content import ContentCompiler

        return ContentCompiler(
            value=self.operations.templates.value,
            files=self._files(),
            max_bytes=options.max_bytes,
        )

    def _tools(self, exposes: ExposesMcp, options: McpServing) -> Iterable[OperationPlan]:
        taken: dict[str, Location] = {}

        setting = Setting(exposes.namespace)

        def compile_tool(tool: ExposedOperation) -> OperationPlan | None:
            return self._tool(tool, setting, options)

        for tool in exposes.tools:
            if self._is_new(taken, "tool", tool.name, tool.location):
                plan = self._try(exposes, tool, compile_tool, tool)
                if plan is not None:
                    yield plan

    def _tool(
        self, tool: ExposedOperation, setting: Setting, options: McpServing
    ) -> OperationPlan | None:
        plan = self._plain_tool(tool, setting, options)
        if plan is None or tool.task_support is None:
            return plan
        from naftiko.plan.tasks import task_support

        return replace(plan, task_support=task_support(tool.task_support))

    def _plain_tool(
        self, tool: ExposedOperation, setting: Setting, options: McpServing
    ) -> OperationPlan | None:
        if tool.content is None:
            return self.operations.compile(tool, setting)
        from naftiko.plan.given import GivenPlan, declares_nothing_to_run, given_operation

        content = self._contents(options).compile(tool.content)
        if declares_nothing_to_run(tool):
            return given_operation(
                tool, tool.input_parameters or (), GivenPlan(), self.operations, content
            )
        plan = self.operations.compile(tool, setting)
        return replace(plan, content=content) if plan is not None else None

    def _resources(self, exposes: ExposesMcp, options: McpServing) -> Iterator[ResourcePlan]:
        if not exposes.resources:
            return  # most files have none, and the import costs
        from naftiko.plan.resources import ResourceCompiler

        contents = self._contents(options)
        compiler = ResourceCompiler(
            adapter=exposes.namespace,
            operations=self.operations,
            completions=self._completions(exposes),
            files=self._files(),
            problems=self.problems,
            max_bytes=options.max_bytes,
        )
        uris: dict[str, Location] = {}

        def compile_(resource: McpResource) -> ResourcePlan | None:
            plan = compiler.compile(resource)
            node = resource.operation.content
            if plan is None or plan.operation is None or node is None:
                return plan
            content = contents.compile(node)
            return replace(plan, operation=replace(plan.operation, content=content))

        for plan in self._compiled(exposes, "resource", exposes.resources, compile_):
            if self._is_new(uris, "resource with the URI", plan.uri, plan.location):
                yield plan

    def _prompts(self, exposes: ExposesMcp, options: McpServing) -> Iterator[PromptPlan]:
        if not exposes.prompts:
            return
        from naftiko.plan.prompts import PromptCompiler

        compiler = PromptCompiler(
            adapter=exposes.namespace,
            operations=self.operations,
            completions=self._completions(exposes),
            files=self._files(),
            problems=self.problems,
            max_bytes=options.max_bytes,
        )
        yield from self._compiled(exposes, "prompt", exposes.prompts, compiler.compile)

    def _completions(self, exposes: ExposesMcp) -> CompletionCompiler:
        from naftiko.plan.completions import CompletionCompiler

        return CompletionCompiler(
            adapter=exposes.namespace, operations=self.operations, problems=self.problems
        )

    def _compiled(
        self,
        exposes: ExposesMcp,
        word: str,
        entries: Sequence[Entry],
        compile_: Callable[[Entry], Planned | None],
    ) -> Iterator[Planned]:
        taken: dict[str, Location] = {}
        for entry in entries:
            if not self._is_new(taken, word, entry.operation.name, entry.location):
                continue
            plan = self._try(exposes, entry.operation, compile_, entry)
            if plan is not None:
                yield plan

    def _try(
        self,
        exposes: ExposesMcp,
        operation: ExposedOperation,
        compile_: Callable[[Item], Planned | None],
        item: Item,
    ) -> Planned | None:
        """Compile one entry; what cannot be compiled is left out with a warning that names it."""
        try:
            return compile_(item)
        except ExpressionError as error:
            problem = replace(error.problem, severity=Severity.WARNING)
        except LeftOut as left:
            problem = left.problem
        self.problems.add(problem)
        self.operations.disabled.append(
            Disabled(adapter=exposes.namespace, name=operation.name, problem=problem)
        )
        return None

    def _is_new(self, taken: dict[str, Location], word: str, name: str, location: Location) -> bool:
        if not name:
            self.problems.warn("missing-name", f"this {word} has no `name`", location)
            return False
        earlier = taken.setdefault(name, location)
        if earlier is location:
            return True
        plural = "resources have the URI" if "URI" in word else f"{word}s are called"
        self.problems.error(
            "duplicate-operation",
            f"two {plural} `{name}`",
            location,
            f"the other one stands at {earlier}; rename one",
        )
        return False

    def _serving(self, exposes: ExposesMcp) -> McpServing:
        options = exposes.options
        retry_ms, close_after_s = self._resumable(options.resumable)
        max_bytes = self._read(options.max_binary_size, "max-binary-size", parse_size_bytes)
        scope = options.cache_scope.text if options.cache_scope else None
        return McpServing(
            max_bytes=min(max_bytes or DEFAULT_MAX_BYTES, MAX_BINARY_BYTES),
            page_size=min(self._whole(options.page_size, "page-size") or 1000, MAX_PAGE_SIZE),
            ttl_ms=self._whole(options.ttl_ms, "ttl"),
            cache_scope=SCOPES.get(scope or ""),
            retry_ms=retry_ms,
            close_after_s=close_after_s,
            tasks=self._tasks(exposes),
            tool_search=self._tool_search(exposes),
        )

    def _tool_search(self, exposes: ExposesMcp) -> ToolSearchServing | None:
        node = exposes.options.tool_search
        if node is None:
            return None  # most files do without, and the import costs
        from naftiko.plan.settled import SettledMembers
        from naftiko.plan.tool_search import check_names, tool_search

        serving = tool_search(node, SettledMembers(self.operations.templates), self.problems)
        if serving is not None:
            discovers = bool(exposes.discover)
            check_names(serving, node, exposes.tools, discovers=discovers, problems=self.problems)
        return serving

    def _tasks(self, exposes: ExposesMcp) -> TaskServing | None:
        """Read `tasks`; None where no tool, and none that is discovered, may become one."""
        found = [tool.task_support for tool in exposes.tools]
        found += [item.entry.operation.task_support for item in exposes.discover if item.entry]
        said = {support.text for support in found if support is not None}
        if not said and exposes.options.tasks is None:
            return None
        from naftiko.plan.tasks import task_serving

        serving = task_serving(exposes.options.tasks, self.problems)
        return serving if said.intersection(("optional", "required")) else None

    def _resumable(self, node: Node | None) -> tuple[int | None, float | None]:
        if isinstance(node, Mapping):
            retry = self._read(node.get("retry"), "resumable", parse_duration_s)
            after = self._read(node.get("closeAfter"), "resumable", parse_duration_s)
            return round((retry or DEFAULT_RETRY_S) * 1000), after
        if isinstance(node, Scalar) and node.value is True:
            return round(DEFAULT_RETRY_S * 1000), None
        return None, None

    def _whole(self, scalar: Scalar | None, code: str) -> int | None:
        return self._read(scalar, code, _whole)

    def _read(
        self, node: Node | None, code: str, read: Callable[[object], Planned]
    ) -> Planned | None:
        if not isinstance(node, Scalar):
            return None
        try:
            return read(node.value)
        except ValueError as error:
            self.problems.error(f"invalid-{code}", str(error), node.location)
            return None


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    message = f"found `{value}`, expected a whole number that is not negative"
    raise ValueError(message)
