"""ResolvedCapability -> CapabilityPlan: every adapter with its routes and tools.

What could make the engine do something the author did not mean (two operations on one method and
path, one namespace twice, a server secret without value) is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from naftiko.errors import Problems, did_you_mean
from naftiko.model.capability import Capability
from naftiko.model.exposes import Exposes, ExposesMcp, ExposesRest, UnknownExposes
from naftiko.model.skills import ExposesSkill
from naftiko.plan.capability import AdapterPlan, CapabilityPlan
from naftiko.plan.masking import Masker
from naftiko.plan.mcp_compiler import McpCompiler
from naftiko.plan.operations import OperationCompiler
from naftiko.plan.rest_compiler import RestCompiler
from naftiko.plan.settings import AdapterSettings
from naftiko.plan.templates import PlanTemplates
from naftiko.source import Location


@dataclass(slots=True, kw_only=True)
class CapabilityCompiler:
    """Compiles the adapters of one capability: `exposes`, imported ones among them."""

    capability: Capability
    exposes: Sequence[Exposes]
    operations: OperationCompiler
    templates: PlanTemplates
    problems: Problems
    masker: Masker

    def compile(self) -> CapabilityPlan:
        """Compile every adapter. Problems are collected, not raised."""
        self.operations.check_functions()
        adapters: list[AdapterPlan] = []
        seen: dict[str, Location] = {}
        settings = AdapterSettings(
            templates=self.templates, problems=self.problems, masker=self.masker
        )
        rest = RestCompiler(operations=self.operations, settings=settings, problems=self.problems)
        mcp = McpCompiler(operations=self.operations, settings=settings, problems=self.problems)
        for exposes in self.exposes:
            if isinstance(exposes, UnknownExposes):
                self._unknown(exposes)
                continue
            if not self._is_new_namespace(exposes, seen):
                continue
            match exposes:
                case ExposesRest():
                    adapters.append(rest.compile(exposes))
                case ExposesMcp():
                    adapters.append(mcp.compile(exposes))
                case ExposesSkill():
                    adapters.append(self._skill(exposes, settings))
        self._check_ports(adapters)
        return CapabilityPlan(
            path=self.capability.document.path,
            info=self.capability.info,
            adapters=tuple(adapters),
            clients=self.operations.clients.compiled,
            masker=self.masker,
            disabled=tuple(self.operations.disabled),
        )

    def _skill(self, exposes: ExposesSkill, settings: AdapterSettings) -> AdapterPlan:
        from naftiko.plan.skill_compiler import SkillCompiler

        compiler = SkillCompiler(
            exposes=self.exposes,
            settings=settings,
            problems=self.problems,
            workspace_root=self.operations.clients.context.workspace_root,
        )
        return compiler.compile(exposes)

    def _is_new_namespace(self, exposes: Exposes, seen: dict[str, Location]) -> bool:
        if not exposes.namespace:
            return True
        earlier = seen.setdefault(exposes.namespace, exposes.location)
        if earlier is exposes.location:
            return True
        self.problems.error(
            "duplicate-namespace",
            f"two adapters expose the namespace `{exposes.namespace}`",
            exposes.location,
            f"the other one stands at {earlier}; rename one",
        )
        return False

    def _unknown(self, exposes: UnknownExposes) -> None:
        self.problems.warn(
            "unsupported-adapter",
            f"`exposes` of type `{exposes.type_}` is not served by this version"
            if exposes.type_
            else "this `exposes` entry has no `type`",
            exposes.location,
            did_you_mean(exposes.type_, ("rest", "mcp", "skill")),
        )

    def _check_ports(self, adapters: Sequence[AdapterPlan]) -> None:
        taken: dict[int, AdapterPlan] = {}
        for adapter in adapters:
            if not adapter.port:
                continue
            earlier = taken.setdefault(adapter.port, adapter)
            if earlier is not adapter:
                self.problems.error(
                    "duplicate-port",
                    f"`{earlier.namespace}` and `{adapter.namespace}` both listen on port "
                    f"{adapter.port}",
                    adapter.location,
                    "give one of them another `port`",
                )
