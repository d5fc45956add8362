"""The command line, `schemas/` and the workflow catalog -> the pages of `docs` made from them.

`python docs/generate.py` writes them; with `--check` it fails where one is not as it would be.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from catalog_page import catalog_page

from naftiko.cli.main import COMMANDS, build_parser
from naftiko.cli.workflow import LaterParser
from naftiko.workflow.contribution.codes import CODES as PIPELINE_CODES
from naftiko.workflow.diagnostics import CODES, STAGES, Code

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs"
SCHEMA = ROOT / "schemas" / "capability.schema.json"
WORKFLOW_SCHEMA = ROOT / "schemas" / "workflow.schema.json"
NOTE = "<!-- Written by docs/generate.py (make docs). Do not edit. -->"

EXIT_CODES = """\
## Exit codes

| code | means |
|---|---|
| 0 | fine; a server that SIGTERM stopped |
| 1 | the file has errors (with `--strict`: warnings); `call`: the call failed |
| 2 | wrong usage; `call`: wrong arguments |
| 3 | cannot start: a port is taken, a variable has no value; `naftiko workflow`: a gate refuses |
| 70 | a bug in naftiko |
| 130 | interrupted with Ctrl-C |

Data goes to stdout, the rest to stderr. `NO_COLOR` turns colours off."""


DIAGNOSTICS = """\
What `naftiko workflow check` finds, by the stage of the compiler that finds it. An error ends the
compilation after its stage; a message may be milder than its code."""


PIPELINE = """\
What [the pipeline](../workflows/contributing.md) says of contributions: of gates, reviews,
publication."""


def main() -> int:
    """Write or check the pages."""
    pages = {
        "reference/cli.md": cli_page(),
        "reference/capability-file.md": schema_page("Capability file", SCHEMA),
        "reference/workflow-file.md": schema_page("Workflow file", WORKFLOW_SCHEMA),
        "reference/workflow-diagnostics.md": diagnostics_page(),
        "workflows/catalog.md": catalog_page(NOTE),
    }
    if "--check" not in sys.argv[1:]:
        for name, text in pages.items():
            (FOLDER / name).parent.mkdir(exist_ok=True)
            (FOLDER / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in pages.items() if _current(name) != text]
    for name in stale:
        print(f"docs/{name} is out of date: run `make docs`", file=sys.stderr)
    return 1 if stale else 0


def _current(name: str) -> str | None:
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def cli_page() -> str:
    """Return the page of the command line."""
    parts = ["# Command line", NOTE, *(_command(name) for name in COMMANDS), EXIT_CODES]
    return "\n\n".join(parts) + "\n"


def _command(name: str) -> str:
    return "\n\n".join(_sections(f"naftiko {name}", COMMANDS[name], _parser_of(name), "##"))


def _sections(
    command: str, text: str, parser: argparse.ArgumentParser, heading: str
) -> Iterator[str]:
    """Yield the section of a command, then those of its subcommands."""
    subcommands: list[tuple[str, str, argparse.ArgumentParser]] = []
    actions = []
    for action in parser._actions:  # argparse has no public list of them
        if isinstance(action, argparse._SubParsersAction):
            texts = {choice.dest: choice.help or "" for choice in action._choices_actions}
            subcommands += [(name, texts[name], sub) for name, sub in action.choices.items()]
        elif not isinstance(action, argparse._HelpAction):
            actions.append(action)
    rows = [f"| {_spelling(action)} | {_cell(_help(action))} |" for action in actions]
    usages = [_usage(action) for action in sorted(actions, key=_is_option)]
    usage = " ".join([command, *usages, *(["COMMAND"] if subcommands else [])])
    yield f"{heading} {command}"
    yield f"{text[0].upper()}{text[1:]}."
    yield f"```\n{usage}\n```"
    if rows:
        yield "\n".join(["| argument | means |", "|---|---|", *rows])
    for name, words, sub in subcommands:
        if isinstance(sub, LaterParser):
            sub.declare()
        yield from _sections(f"{command} {name}", words, sub, heading + "#")


def _parser_of(name: str) -> argparse.ArgumentParser:
    for action in build_parser(name)._actions:
        if isinstance(action, argparse._SubParsersAction):
            parser: argparse.ArgumentParser = action.choices[name]
            return parser
    raise LookupError(name)


def _is_option(action: argparse.Action) -> bool:
    return bool(action.option_strings)


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest.upper())


def _spelling(action: argparse.Action) -> str:
    value = _value(action)
    names = action.option_strings or [value]
    shown = f"{', '.join(names)} {value}" if action.option_strings else value
    return _cell(f"`{shown.strip()}`")


def _usage(action: argparse.Action) -> str:
    value = _value(action)
    more = "..." if action.nargs == "+" or isinstance(action, argparse._AppendAction) else ""
    if action.option_strings:
        return f"[{f'{action.option_strings[0]} {value}'.strip()}]{more}"
    return f"[{value}]" if action.nargs == "?" else f"{value}{more}"


def _help(action: argparse.Action) -> str:
    text = action.help or ""
    if action.choices and not text:
        return f"(default: {action.default})"
    return text


def diagnostics_page() -> str:
    """Return the page of what the compiler of workflows says, by stage."""
    parts = ["# Diagnostics of workflows", NOTE, DIAGNOSTICS]
    for stage, name in STAGES.items():
        found = (code for code in CODES.values() if code.stage == stage)
        parts += [f"## {stage}. {name[0].upper()}{name[1:]}", _codes(found)]
    parts += ["## Contributions", PIPELINE, _codes(PIPELINE_CODES.values())]
    return "\n\n".join(parts) + "\n"


def _codes(codes: Iterable[Code]) -> str:
    rows = [
        f"| {code.code} | {code.severity.label} | {_cell(code.title)} | {_cell(code.explanation)} |"
        for code in codes
    ]
    return "\n".join(["| code | severity | title | means |", "|---|---|---|---|", *rows])


def schema_page(title: str, path: Path) -> str:
    """Return the page of a schema: a table for each of its objects."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    parts = [f"# {title}", NOTE, schema["description"], _members(schema)]
    for name, definition in schema["$defs"].items():
        parts += _definition(name, definition)
    return "\n\n".join(part for part in parts if part) + "\n"


def _definition(name: str, definition: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}"
    yield definition.get("description", "")
    if "properties" in definition:
        yield _members(definition)
    else:
        yield "; ".join(_constraints(definition))


def _members(definition: dict[str, Any]) -> str:
    required = set(definition.get("required", ()))
    rows = [
        f"| `{name}`{' *' if name in required else ''} | {_cell(_type(member))} "
        f"| {_cell(_text(member))} |"
        for name, member in definition["properties"].items()
        if isinstance(member, dict)
    ]
    foot = ["", "\\* required"] if required else []
    return "\n".join(["| member | is | means |", "|---|---|---|", *rows, *foot])


def _type(member: dict[str, Any]) -> str:
    if "$ref" in member:
        name = member["$ref"].split("/")[2]
        shown = f"[{name}](#{name.lower()})"
        return f"as in {shown}" if "/properties/" in member["$ref"] else shown
    if "const" in member:
        return f"`{member['const']}`"
    if "enum" in member:
        return " or ".join(f"`{item}`" for item in member["enum"])
    if "anyOf" in member or "oneOf" in member:
        return " or ".join(dict.fromkeys(map(_type, member.get("anyOf", member.get("oneOf")))))
    types = member.get("type", "any")
    shown = " or ".join(types) if isinstance(types, list) else str(types)
    items = member.get("items")
    return f"{shown} of {_type(items)}" if isinstance(items, dict) and items else shown


def _text(member: dict[str, Any]) -> str:
    notes = [member["description"]] if "description" in member else []
    if "default" in member:
        notes.append(f"Default: `{json.dumps(member['default'], ensure_ascii=False)}`.")
    if member.get("deprecated"):
        notes.append("Deprecated.")
    return " ".join(notes)


def _constraints(definition: dict[str, Any]) -> Iterator[str]:
    yield _type(definition)
    if "pattern" in definition:
        yield f"matches `{definition['pattern']}`"
    examples: Iterable[object] = definition.get("examples", ())
    shown = ", ".join(f"`{json.dumps(item, ensure_ascii=False)}`" for item in examples)
    if shown:
        yield f"such as {shown}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
