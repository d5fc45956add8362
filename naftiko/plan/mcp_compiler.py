"""ExposesMcp -> McpAdapterPlan: tools."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from naftiko.errors import Problems
from naftiko.model.exposes import ExposesMcp
from naftiko.plan.capability import McpAdapterPlan, OperationPlan
from naftiko.plan.operations import OperationCompiler, Setting
from naftiko.plan.settings import AdapterSettings
from naftiko.source import Location


@dataclass(slots=True, kw_only=True)
class McpCompiler:
    """Compiles MCP adapters."""

    operations: OperationCompiler
    settings: AdapterSettings
    problems: Problems

    def compile(self, exposes: ExposesMcp) -> McpAdapterPlan:
        """Compile an adapter."""
        stdio = exposes.transport == "stdio"
        return McpAdapterPlan(
            namespace=exposes.namespace,
            transport="stdio" if stdio else "http",
            address=self.settings.address(exposes.address),
            port=None if stdio else self.settings.port(exposes.port, "mcp", exposes.location),
            description=exposes.description,
            auth=self.settings.auth(exposes.authentication),
            tools=tuple(self._tools(exposes)),
            location=exposes.location,
        )

    def _tools(self, exposes: ExposesMcp) -> Iterable[OperationPlan]:
        taken: dict[str, Location] = {}
        for tool in exposes.tools:
            if not tool.name:
                self.problems.warn("missing-name", "this tool has no `name`", tool.location)
                continue
            earlier = taken.setdefault(tool.name, tool.location)
            if earlier is not tool.location:
                self.problems.error(
                    "duplicate-operation",
                    f"two tools are called `{tool.name}`",
                    tool.location,
                    f"the other one stands at {earlier}; rename one",
                )
                continue
            plan = self.operations.compile(tool, Setting(exposes.namespace))
            if plan is not None:
                yield plan
