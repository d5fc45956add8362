"""ResolvedCapability -> CapabilityPlan: every adapter with its routes and tools.

What could make the engine do something the author did not mean (two operations on one method and
path, one namespace twice, a server secret without value) is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from naftiko.errors import Problems, did_you_mean
from naftiko.model.capability import Capability
from naftiko.model.control import ExposesControl
from naftiko.model.exposes import Exposes, ExposesMcp, ExposesRest, UnknownExposes
from naftiko.model.skills import ExposesSkill
from naftiko.plan.capability import AdapterPlan, CapabilityPlan, ControlAdapterPlan
from naftiko.plan.masking import Masker
from naftiko.plan.mcp_compiler import McpCompiler
from naftiko.plan.operations import OperationCompiler
from naftiko.plan.rest_compiler import RestCompiler
from naftiko.plan.settings import AdapterSettings
from naftiko.plan.templates import PlanTemplates
from naftiko.source import Location

if TYPE_CHECKING:
    from naftiko.plan.discovery.compiler import DiscoveryCompiler
    from naftiko.plan.meter import Meter


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
        discovery = self._discovery()
        rest = RestCompiler(
            operations=self.operations,
            settings=settings,
            problems=self.problems,
            discovery=discovery,
        )
        mcp = McpCompiler(
            operations=self.operations,
            settings=settings,
            problems=self.problems,
            discovery=discovery,
        )
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
                case ExposesControl():
                    adapters += self._control(exposes, settings, adapters)
        self._check_ports(adapters)
        meter = self.operations.clients.context.meter
        return CapabilityPlan(
            path=self.capability.document.path,
            info=self.capability.info,
            adapters=tuple(adapters if meter is None else _metered(adapters, meter)),
            clients=self.operations.clients.compiled,
            masker=self.masker,
            disabled=tuple(self.operations.disabled),
            aftermath=self.operations.aftermath,
            discoveries=discovery.finders if discovery is not None else (),
            meter=meter,
        )

    def _discovery(self) -> DiscoveryCompiler | None:
        """Return what compiles `discover` entries, whose names all templates may use from now on.

        None where there are none: most files have none, and the import costs.
        """
        names = [
            entry.name
            for exposes in self.exposes
            if isinstance(exposes, ExposesRest | ExposesMcp)
            for entry in exposes.discover
            if entry.name
        ]
        if not names:
            return None
        from naftiko.plan.discovery.compiler import DiscoveryCompiler

        compiler = DiscoveryCompiler(operations=self.operations, problems=self.problems)
        self.templates.discovered.update({name: compiler.reader(name) for name in names})
        return compiler

    def _skill(self, exposes: ExposesSkill, settings: AdapterSettings) -> AdapterPlan:
        from naftiko.plan.skill_compiler import SkillCompiler

        compiler = SkillCompiler(
            exposes=self.exposes,
            settings=settings,
            problems=self.problems,
            workspace_root=self.operations.clients.context.workspace_root,
        )
        return compiler.compile(exposes)

    def _control(
        self, exposes: ExposesControl, settings: AdapterSettings, others: Sequence[AdapterPlan]
    ) -> list[AdapterPlan]:
        from naftiko.plan.control_compiler import compile_control

        earlier = next((item for item in others if isinstance(item, ControlAdapterPlan)), None)
        if earlier is not None:
            self.problems.error(
                "duplicate-control",
                "a capability has one control adapter at most",
                exposes.location,
                f"the other one stands at {earlier.location}; remove one",
            )
            return []
        return [
            compile_control(
                exposes, capability=self.capability, settings=settings, problems=self.problems
            )
        ]

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
            did_you_mean(exposes.type_, ("rest", "mcp", "skill", "control")),
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


def _metered(adapters: Sequence[AdapterPlan], meter: Meter) -> list[AdapterPlan]:
    return [
        item if isinstance(item, ControlAdapterPlan) else replace(item, meter=meter)
        for item in adapters
    ]
