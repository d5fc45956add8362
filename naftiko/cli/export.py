"""`naftiko export skill FILE`: an Agent Skill, a folder that tells agents what a file is for."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.cli import arguments as common
from naftiko.cli.console import Console, clean

if TYPE_CHECKING:
    from naftiko.cli.setup.skill_text import SkillFacts, ToolLine
    from naftiko.cli.setup.variables import ReadVariable
    from naftiko.plan.capability import CapabilityPlan, McpAdapterPlan, SkillPlan
    from naftiko.plan.masking import Masker
    from naftiko.values import JsonObject

SKILL_FILE = "SKILL.md"
SCRIPT_FILE = "scripts/configure_mcp.py"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "kind", choices=("skill",), help="what to write: an Agent Skill, SKILL.md and its files"
    )
    common.add_file(parser)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="the folder (default: ./<the skill's name>)"
    )
    parser.add_argument(
        "--force", action="store_true", help="overwrite files in a folder that is not empty"
    )
    parser.add_argument("--skill", metavar="NAME", help="the skill, where the file has several")
    parser.add_argument(
        "--capability",
        metavar="FILE|NAME",
        help="what the skill calls the file (default: its name, if it comes with naftiko, else "
        "its path)",
    )
    common.add_loading(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Write the folder, and say what is in it."""
    from naftiko.cli.loading import load_options, show_warnings
    from naftiko.cli.setup.checking import check_anywhere
    from naftiko.cli.setup.skill_folder import read_folder, write_folder
    from naftiko.cli.setup.skill_text import skill_text
    from naftiko.cli.setup.variables import variables_of
    from naftiko.errors import ExitCode
    from naftiko.resolve.files import workspace_root
    from naftiko.resources import find_capability

    path = find_capability(arguments.file)
    variables = variables_of(path, arguments.workspace or workspace_root(path))
    # Without an environment nothing of this machine's gets into what others read.
    served = check_anywhere(path, load_options(arguments), {}, variables, console)
    show_warnings(served.checked, console, verbose=arguments.verbose)
    plan = served.plan
    skill = _skill(plan, arguments.skill)
    files = read_folder(skill.folder) if skill is not None and skill.folder is not None else {}
    facts = _facts(plan, skill, path, arguments.capability, variables)
    written = files.pop(SKILL_FILE, None)
    text, unknown = skill_text(facts, _decoded(written, path))
    for marker in unknown:
        console.note(f"warning: nothing is generated for the marker `naftiko:{marker}`")
    script = _script(facts.capability)
    contents = {SKILL_FILE: text.encode("utf-8"), SCRIPT_FILE: script.encode("utf-8"), **files}
    folder: Path = arguments.output or Path(facts.name)
    write_folder(folder, contents, force=arguments.force)
    _report(console, folder, facts, sorted(contents))
    return ExitCode.OK


def _report(console: Console, folder: Path, facts: SkillFacts, names: list[str]) -> None:
    for name in names:
        console.data(str(folder / name))
    if folder.resolve().name != facts.name:
        console.note(f"note: agents look for this skill in a folder called `{facts.name}`")
    if Path(facts.capability).is_absolute():
        console.show(
            clean(f"note: the skill names its capability by a path: {facts.capability}"),
            to_stdout=False,
        )


def _skill(plan: CapabilityPlan, name: str | None) -> SkillPlan | None:
    """Return the skill that the file exposes, None where it exposes none.

    Raises: StartError where it is not clear which.
    """
    from naftiko.errors import StartError, did_you_mean
    from naftiko.plan.capability import SkillAdapterPlan

    found = [
        skill
        for adapter in plan.adapters
        if isinstance(adapter, SkillAdapterPlan)
        for skill in adapter.skills.values()
    ]
    known = [skill.name for skill in found]
    if name is not None:
        for skill in found:
            if skill.name == name:
                return skill
        raise StartError(f"{plan.path} exposes no skill `{name}`", hint=did_you_mean(name, known))
    if len(found) > 1:
        raise StartError(
            f"{plan.path} exposes {len(found)} skills: {', '.join(known)}",
            hint=f"write `--skill {known[0]}`",
        )
    return found[0] if found else None


def _facts(
    plan: CapabilityPlan,
    skill: SkillPlan | None,
    path: Path,
    capability: str | None,
    variables: tuple[ReadVariable, ...],
) -> SkillFacts:
    from naftiko.cli.setup.clients import CLIENT_NAMES
    from naftiko.cli.setup.entries import shipped_name
    from naftiko.cli.setup.skill_text import SkillFacts, checked_name, own_description, slug

    info = plan.info
    mask = plan.masker
    named = capability or shipped_name(path) or str(path.resolve())
    prefix = _prefix(variables)
    adapters = _mcp_adapters(plan)
    return SkillFacts(
        name=checked_name(skill.name if skill else slug(path.stem)),
        description=mask(skill.description if skill else own_description(info.description)),
        title=mask(info.label or (skill.name if skill else path.stem)),
        capability=named,
        variables=variables,
        tools=tuple(_tools(adapters, mask)),
        finds=any(adapter.discovered is not None for adapter in adapters),
        prefix=prefix,
        server={item.namespace: _server(item, named, prefix) for item in adapters},
        clients=tuple(name for name in CLIENT_NAMES if name != "json"),
        further=_further(skill),
        metadata=_metadata(skill),
    )


def _server(adapter: McpAdapterPlan, capability: str, prefix: str) -> JsonObject:
    """Return an entry as it is on any machine on which naftiko is found."""
    entry: JsonObject = {
        "command": "naftiko",
        "args": ["run", capability, "--stdio", adapter.namespace],
    }
    return {**entry, "env": {prefix: "VALUE"}} if prefix else entry


def _prefix(variables: tuple[ReadVariable, ...]) -> str:
    from naftiko.cli.setup.variables import prefix_variable
    from naftiko.errors import StartError

    try:
        return prefix_variable(variables)
    except StartError:
        return ""


def _mcp_adapters(plan: CapabilityPlan) -> list[McpAdapterPlan]:
    from naftiko.plan.capability import McpAdapterPlan

    return [item for item in plan.adapters if isinstance(item, McpAdapterPlan)]


def _tools(adapters: list[McpAdapterPlan], mask: Masker) -> Iterator[ToolLine]:
    from naftiko.cli.setup.skill_text import ToolLine
    from naftiko.plan.ports import Effect

    for adapter in adapters:
        for tool in adapter.tools:
            reads = tool.hints.read_only
            if reads is None and tool.effect is not Effect.UNKNOWN:
                reads = tool.effect is Effect.READ
            effect = {True: "reads", False: "changes", None: ""}[reads]
            yield ToolLine(
                name=tool.name, description=mask(tool.description or tool.label), effect=effect
            )


def _further(skill: SkillPlan | None) -> dict[str, str]:
    """Return the further members of the front matter that the file gives."""
    if skill is None:
        return {}
    names = ("license", "compatibility", "allowed-tools")
    return {name: str(skill.details[name]) for name in names if skill.details.get(name)}


def _metadata(skill: SkillPlan | None) -> dict[str, str]:
    found = skill.details.get("metadata") if skill else None
    return {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _decoded(written: bytes | None, path: Path) -> str | None:
    from naftiko.errors import StartError

    if written is None:
        return None
    try:
        return written.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StartError(f"the {SKILL_FILE} of the skill of {path} is not UTF-8") from error


def _script(capability: str) -> str:
    """Return the script that sets up a client for the skill."""
    template = Path(__file__).parent / "setup" / "configure_mcp.py.txt"
    return template.read_text(encoding="utf-8").replace("@CAPABILITY@", ascii(capability))
