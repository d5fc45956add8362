"""ExposesSkill -> SkillAdapterPlan: skills, their tools held against the sibling adapters.

Behaviour reference, section 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from naftiko.errors import Problems, Severity, did_you_mean
from naftiko.model.exposes import Exposes, ExposesMcp, ExposesRest
from naftiko.model.skills import ExposesSkill, Skill, SkillTool
from naftiko.plan.capability import SkillAdapterPlan, SkillPlan
from naftiko.plan.clients import LeftOut
from naftiko.plan.content_files import FileRefusedError, Files, is_plain_path, read_below
from naftiko.plan.settings import AdapterSettings
from naftiko.source import Location
from naftiko.values import JsonObject, JsonValue

MAX_INSTRUCTION_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Sibling:
    """A server of the same capability: its type and what it offers."""

    mode: str
    actions: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class SkillCompiler:
    """Compiles skill adapters. `exposes` are all adapters of the capability."""

    exposes: Sequence[Exposes]
    settings: AdapterSettings
    problems: Problems
    workspace_root: Path

    def compile(self, exposes: ExposesSkill) -> SkillAdapterPlan:
        """Compile an adapter."""
        siblings = _siblings(self.exposes)
        skills: dict[str, SkillPlan] = {}
        taken: dict[str, Location] = {}
        for skill in exposes.skills:
            if not skill.name:
                self.problems.warn("missing-name", "this skill has no `name`", skill.location)
                continue
            if self._is_new(skill.name, "skills", skill.location, taken):
                skills[skill.name] = self._skill(skill, siblings)
        return SkillAdapterPlan(
            namespace=exposes.namespace,
            address=self.settings.address(exposes.address),
            port=self.settings.port(exposes.port, "skill", exposes.location),
            description=exposes.description,
            auth=self.settings.auth(exposes.authentication),
            cors=self.settings.cors(exposes.cors),
            skills=skills,
            location=exposes.location,
        )

    def _is_new(self, name: str, kind: str, location: Location, taken: dict[str, Location]) -> bool:
        earlier = taken.setdefault(name, location)
        if earlier is location:
            return True
        self.problems.error(
            "duplicate-operation",
            f"two {kind} are called `{name}`",
            location,
            f"the other one stands at {earlier}; rename one",
        )
        return False

    def _skill(self, skill: Skill, siblings: Mapping[str, _Sibling]) -> SkillPlan:
        folder = self._folder(skill)
        tools: list[JsonObject] = []
        taken: dict[str, Location] = {}
        for tool in skill.tools:
            if self._is_new(tool.name, "tools of a skill", tool.location, taken):
                described = self._tool(tool, skill, folder, siblings)
                tools += [described] if described is not None else []
        return SkillPlan(
            name=skill.name,
            description=skill.description,
            license=skill.license,
            details=_details(skill, tools),
            tools=tuple(tool.name for tool in skill.tools),
            folder=folder,
            location=skill.location,
        )

    def _folder(self, skill: Skill) -> Path | None:
        """Return the folder of a skill's files. One that is not there may come later."""
        if skill.folder is None:
            return None
        try:
            found = Files(self.workspace_root).find(skill.folder, folder=True)
        except LeftOut as left:
            # Nothing of a folder that is not there, or not ours to show, is served.
            unread = left.problem.code in ("file-not-found", "outside-workspace")
            severity = Severity.WARNING if unread else Severity.ERROR
            message = left.problem.message.replace("the file", "the folder", 1)
            missing = left.problem.code == "file-not-found"
            hint = "its files are served once it is there" if missing else left.problem.hint
            self.problems.add(replace(left.problem, severity=severity, message=message, hint=hint))
            return None
        if not found.is_dir():
            self.problems.error(
                "invalid-location",
                f"`location` of the skill `{skill.name}` must be a folder, found a file",
                skill.folder.location,
                "name the folder that the file stands in",
            )
            return None
        return found

    def _tool(
        self,
        tool: SkillTool,
        skill: Skill,
        folder: Path | None,
        siblings: Mapping[str, _Sibling],
    ) -> JsonObject | None:
        both = tool.has_from and tool.instruction is not None
        if both or not (tool.has_from or tool.instruction is not None):
            found = "both" if both else "neither"
            self.problems.error(
                "invalid-skill-tool",
                f"the tool `{tool.name}` must have `from` or `instruction`, found {found}",
                tool.location,
                "keep one" if both else "add `from: {sourceNamespace: ..., action: ...}`",
            )
            return None
        if tool.instruction is not None:
            return self._instruction(tool, skill, folder)
        return self._derived(tool, siblings)

    def _instruction(self, tool: SkillTool, skill: Skill, folder: Path | None) -> JsonObject | None:
        assert tool.instruction is not None
        text, place = tool.instruction.text, tool.instruction.location
        if skill.folder is None:
            self.problems.error(
                "invalid-skill-tool",
                f"the tool `{tool.name}` names a file, but the skill `{skill.name}` has no "
                "`location`",
                place,
                "add `location: file:///./<folder>` to the skill",
            )
            return None
        if not is_plain_path(text):
            self.problems.error(
                "invalid-skill-tool",
                f"`instruction: {text}` is no file within the skill's `location`",
                place,
                "write it relative to it, such as `guide.md`",
            )
            return None
        if folder is not None:
            try:
                read_below(folder, text, MAX_INSTRUCTION_BYTES)
            except FileRefusedError as error:
                self.problems.warn("file-not-found", f"`instruction`: {error}", place)
        return {
            "name": tool.name,
            "description": tool.description,
            "type": "instruction",
            "instruction": text,
        }

    def _derived(self, tool: SkillTool, siblings: Mapping[str, _Sibling]) -> JsonObject | None:
        if tool.source is None or tool.action is None:
            self.problems.error(
                "invalid-skill-tool",
                f"`from` of the tool `{tool.name}` needs `sourceNamespace` and `action`",
                tool.location,
            )
            return None
        sibling = siblings.get(tool.source.text)
        if sibling is None:
            known = ", ".join(f"`{name}`" for name in siblings) or "none"
            self.problems.error(
                "unknown-source-namespace",
                f"the tool `{tool.name}` references the unknown namespace `{tool.source.text}`; "
                f"expected one of: {known}",
                tool.source.location,
                did_you_mean(tool.source.text, siblings),
            )
            return None
        action = tool.action.text
        if action not in sibling.actions:
            self.problems.warn(
                "unknown-action",
                f"`{tool.source.text}` has nothing that is called `{action}`",
                tool.action.location,
                did_you_mean(action, sibling.actions),
            )
        reference: JsonObject = {
            "targetNamespace": tool.source.text,
            "action": action,
            "mode": sibling.mode,
        }
        return {
            "name": tool.name,
            "description": tool.description,
            "type": "derived",
            "invocationRef": reference,
        }


def _siblings(exposes: Sequence[Exposes]) -> dict[str, _Sibling]:
    found: dict[str, _Sibling] = {}
    for entry in exposes:
        if isinstance(entry, ExposesMcp):
            found[entry.namespace] = _Sibling("mcp", tuple(tool.name for tool in entry.tools))
        elif isinstance(entry, ExposesRest):
            names = [
                item.operation.name for resource in entry.resources for item in resource.operations
            ]
            names += [item.name for item in entry.resources if item.forward and item.name]
            found[entry.namespace] = _Sibling("rest", tuple(names))
    return found


def _details(skill: Skill, tools: Sequence[JsonObject]) -> JsonObject:
    """Return what `/skills/{name}` answers."""
    out: JsonObject = {"name": skill.name, "description": skill.description}
    texts = {
        "license": skill.license,
        "compatibility": skill.compatibility,
        "argument-hint": skill.argument_hint,
        "allowed-tools": skill.allowed_tools,
    }
    out.update({name: text for name, text in texts.items() if text})
    flags = {
        "user-invocable": skill.user_invocable,
        "disable-model-invocation": skill.disable_model_invocation,
    }
    out.update({name: flag for name, flag in flags.items() if flag is not None})
    if skill.metadata:
        out["metadata"] = dict(skill.metadata)
    listed: list[JsonValue] = list(tools)
    out["tools"] = listed
    return out
