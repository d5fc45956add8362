"""A capability -> the SKILL.md of an agent skill: what the author wrote, and what is generated.

Format: https://agentskills.io/specification
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from naftiko.cli.setup.variables import ReadVariable
from naftiko.errors import StartError
from naftiko.values import JsonObject

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_NAME, MAX_DESCRIPTION, MAX_COMPATIBILITY = 64, 1024, 500
MAX_CELL = 300
MAX_TOOLS = 100
"""Tools of the table; a skill is read whole, so it is kept short."""

_MARKER = re.compile(r"\s*<!--\s*naftiko:([A-Za-z0-9_-]+)\s*-->\s*")
_FENCE = re.compile(r"\s*(```+|~~~+)")
_FRONT = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolLine:
    """A row of the table of tools."""

    name: str
    description: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillFacts:
    """What a skill says of its capability.

    `capability` is how it is named on the command line; `prefix` the variable of `--prefix`, ""
    where it has none; `server` an entry for any client. `finds` says that tools come while it runs.
    """

    name: str
    description: str
    title: str
    capability: str
    variables: tuple[ReadVariable, ...]
    tools: tuple[ToolLine, ...]
    finds: bool
    prefix: str
    server: JsonObject
    clients: tuple[str, ...]
    further: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


def skill_text(facts: SkillFacts, written: str | None) -> tuple[str, list[str]]:
    """Return the SKILL.md, and the markers in it that mean nothing.

    Lines such as `<!-- naftiko:setup -->` of the author's text are replaced by a generated section.

    Raises: StartError where the name or the description is none.
    """
    front, body = _split(written or "")
    if written is None:
        body = _generated(facts)
    head = _front_matter(facts, front)
    text, unknown = _filled(body, facts)
    return f"---\n{head}---\n\n{text.strip()}\n", unknown


def checked_name(name: str) -> str:
    """Return a skill's name.

    Raises: StartError where the specification does not allow it.
    """
    if NAME.fullmatch(name) and len(name) <= MAX_NAME:
        return name
    raise StartError(
        f"`{name[:80]}` is no name of a skill: lower-case letters and digits, in words joined by "
        f"single hyphens, at most {MAX_NAME} characters",
        hint=f"call it `{slug(name)}`",
    )


def slug(text: str) -> str:
    """Return a name made of a text: "Order_Desk 2" -> "order-desk-2"."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return "-".join(words)[:MAX_NAME].strip("-") or "skill"


def shortened(text: str, limit: int) -> str:
    """Return a text on one line, cut between words."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    return f"{line[: limit - 3].rsplit(' ', 1)[0]}..."


def own_description(text: str) -> str:
    """Return a description within the limits of a skill's."""
    return shortened(text.replace("<", "(").replace(">", ")"), MAX_DESCRIPTION)


def _split(text: str) -> tuple[str, str]:
    """Return the front matter and the rest."""
    match = _FRONT.match(text.removeprefix("\ufeff"))
    if match is None:
        return "", text.removeprefix("\ufeff")
    return match[1], text.removeprefix("\ufeff")[match.end() :]


def _front_matter(facts: SkillFacts, front: str) -> str:
    """Return the author's front matter with a name and a description, else one of our own."""
    import yaml

    given = _parsed(front)
    name = checked_name(str(given.get("name") or facts.name))
    if name != facts.name:
        raise StartError(
            f"SKILL.md calls the skill `{name}`, the capability calls it `{facts.name}`",
            hint="give both one name",
        )
    description = str(given.get("description") or facts.description).strip()
    if not description or len(description) > MAX_DESCRIPTION:
        raise StartError(
            f"the description of the skill `{name}` has {len(description)} characters, from 1 to "
            f"{MAX_DESCRIPTION} are allowed",
            hint="say what it does, and when to use it",
        )
    own: dict[str, object] = {"name": name, "description": description}
    if not given:
        own |= facts.further
        own |= {"metadata": dict(facts.metadata)} if facts.metadata else {}
    added = {key: value for key, value in own.items() if not given.get(key)}
    dumped = yaml.safe_dump(added, sort_keys=False, allow_unicode=True, width=100) if added else ""
    if not front.strip():
        return dumped
    return f"{dumped}{front if front.endswith(chr(10)) else front + chr(10)}"


def _parsed(front: str) -> dict[str, object]:
    from naftiko.document.nodes import Scalar
    from naftiko.document.reader import parse_document
    from naftiko.errors import SpecError

    if not front.strip():
        return {}
    try:
        root = parse_document(front, "SKILL.md").root
    except SpecError as error:
        raise StartError(
            f"the front matter of SKILL.md is not YAML: {error}", hint="correct it first"
        ) from error
    # Members that are no text count as given; an empty one does not.
    return {key.text: node.text if isinstance(node, Scalar) else True for key, node in root.entries}


def _filled(body: str, facts: SkillFacts) -> tuple[str, list[str]]:
    """Put the sections in the place of their markers. In a block of code a marker is text."""
    lines: list[str] = []
    unknown: list[str] = []
    fence = ""
    for line in body.splitlines():
        opened = _FENCE.match(line)
        if opened and not fence:
            fence = opened[1]
        elif opened and opened[1].startswith(fence) and line.strip() == opened[1]:
            fence = ""
        marker = None if fence else _MARKER.fullmatch(line)
        section = SECTIONS.get(marker[1]) if marker else None
        if marker and section is None:
            unknown.append(marker[1])
        lines += section(facts) if section else [line]
    return "\n".join(lines), unknown


def _generated(facts: SkillFacts) -> str:
    parts = [f"# {_line(facts.title)}", _line(facts.description)]
    for name, title in _TITLES.items():
        parts += [f"## {title}", f"<!-- naftiko:{name} -->"]
    return "\n\n".join(parts)


def _setup(facts: SkillFacts) -> list[str]:
    option = " --prefix VALUE" if facts.prefix else ""
    lines = [
        "Install naftiko (`uv tool install naftiko` or `pip install naftiko`), then run the script "
        "in this skill's folder:",
        "",
        "```bash",
        f"python scripts/configure_mcp.py{option}",
        "```",
        "",
        "It writes the server into `.mcp.json` of the current folder, keeps what else is there, "
        "and leaves a backup. Options:",
        "",
        f"- `--client NAME` sets up another client: {', '.join(f'`{n}`' for n in facts.clients)}.",
        "- `--env NAME=VALUE` sets a variable of the table of variables; may be repeated.",
    ]
    if facts.prefix:
        lines.append(f"- `--prefix VALUE` is short for `--env {facts.prefix}=VALUE`.")
    return [
        *lines,
        "- `--read-only` leaves out every tool that changes something.",
        "",
        "By hand, in the settings of a client that starts its servers itself:",
        "",
        "```json",
        *json.dumps({"mcpServers": facts.server}, indent=2, ensure_ascii=False).splitlines(),
        "```",
    ]


def _configuration(facts: SkillFacts) -> list[str]:
    if not facts.variables:
        return ["It reads no variables."]
    lines = ["| Variable | Default | Description |", "| --- | --- | --- |"]
    for item in facts.variables:
        default = "" if not item.default else f"`{_cell(item.default)}`"
        words = _cell(item.description)
        if item.is_secret:
            words = f"{words} Keep its value out of files." if words else "A secret."
        lines.append(f"| `{_cell(item.name)}` | {default} | {words} |")
    return lines


def _tools(facts: SkillFacts) -> list[str]:
    lines: list[str] = []
    if facts.tools:
        lines = ["| Tool | Effect | Description |", "| --- | --- | --- |"]
        lines += [
            f"| `{_cell(tool.name)}` | {tool.effect} | {_cell(tool.description)} |"
            for tool in facts.tools[:MAX_TOOLS]
        ]
        if len(facts.tools) > MAX_TOOLS:
            lines.append(f"| ... | | and {len(facts.tools) - MAX_TOOLS} more |")
    if facts.finds:
        lines += [""] if lines else []
        lines.append("Further tools are found while it runs: the client's list of tools has them.")
    return lines or ["It has no tools."]


def _line(text: str) -> str:
    """Return a text that stays text in Markdown: on one line, without comments and tags."""
    return " ".join(text.split()).replace("<", "&lt;")


def _cell(text: str) -> str:
    return _line(shortened(text, MAX_CELL)).replace("|", "\\|").replace("`", "'")


SECTIONS: Mapping[str, Callable[[SkillFacts], Sequence[str]]] = {
    "setup": _setup,
    "configuration": _configuration,
    "tools": _tools,
}
_TITLES = {"setup": "Set-up", "configuration": "Configuration", "tools": "Tools"}
