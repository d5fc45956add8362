"""`naftiko inspect FILE`: routes, tools, calls and inputs, as a table or as JSON."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterable, Sequence

from naftiko.capability import Capability, operations_of
from naftiko.cli import arguments as common
from naftiko.cli.console import Console
from naftiko.cli.loading import (
    check,
    load_options,
    maybe_sandbox,
    open_capability,
    refuse,
    show_warnings,
)
from naftiko.errors import ExitCode, RunError
from naftiko.model.capability import Info
from naftiko.plan.capability import (
    AdapterPlan,
    CapabilityPlan,
    ControlAdapterPlan,
    McpAdapterPlan,
    OperationPlan,
    RestAdapterPlan,
    SkillAdapterPlan,
)
from naftiko.plan.forward import FORWARD_METHODS
from naftiko.values import JsonObject, JsonValue

MAX_INPUTS_SHOWN = 6
MAX_PROSE = 100
"""Columns of a description, however wide the terminal is."""

_HINT_NAMES = {
    "read_only": "readOnly",
    "destructive": "destructive",
    "idempotent": "idempotent",
    "open_world": "openWorld",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_file(parser)
    common.add_loading(parser)
    common.add_read_only(parser)
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="a table or JSON (default: text)"
    )
    parser.add_argument(
        "--discover",
        action="store_true",
        help="look for what adapters `discover` (this calls APIs), and show what each item became",
    )
    common.add_sandbox(parser)
    parser.set_defaults(parser=parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print what the file serves. Variables without a value hinder nothing but `--discover`."""
    common.check_sandbox(arguments.parser, arguments)
    if arguments.discover:
        return _discover(arguments, console)
    options = load_options(arguments)
    checked = check(arguments.file, options, console)
    refuse(checked, strict=options.strict)
    show_warnings(checked, console, verbose=arguments.verbose)
    assert checked.plan is not None
    _print(checked.plan, arguments, console)
    return ExitCode.OK


def _print(plan: CapabilityPlan, arguments: argparse.Namespace, console: Console) -> None:
    if arguments.format == "json":
        console.data(json.dumps(to_json(plan), indent=2, ensure_ascii=False))
    else:
        console.data("\n".join(to_lines(plan, console.width())))


def _discover(arguments: argparse.Namespace, console: Console) -> int:
    """Print what the file serves now. 1 if something could not be found out."""
    from naftiko.serving import run_async

    with maybe_sandbox(arguments) as sandbox:
        options = load_options(arguments, sandbox)
        capability = open_capability(arguments.file, options, console, verbose=arguments.verbose)
        failed = False
        try:
            run_async(_found(capability))
        except RunError as error:
            failed = True
            console.error(f"not all was discovered: {error.message} [{error.code}]", error.hint)
    _print(capability.plan, arguments, console)
    failed = failed or any(finder.failures for finder in capability.plan.discoveries)
    left_out = (
        adapter.discovered.problems(template.discovery)
        for adapter in capability.plan.adapters
        if isinstance(adapter, RestAdapterPlan | McpAdapterPlan) and adapter.discovered is not None
        for template in adapter.discovered.templates
    )
    return ExitCode.PROBLEMS if failed or any(left_out) else ExitCode.OK


async def _found(capability: Capability) -> None:
    try:
        await capability.discover()
    finally:
        await capability.close()


def to_lines(plan: CapabilityPlan, width: int | None = None) -> list[str]:
    """Return the plan as tables; what is wider than `width` as paragraphs of labelled lines."""
    lines = [f"{plan.info.label or 'capability'} ({plan.path})", *_info_lines(plan.info, width)]
    clients = [
        (namespace, client.type_, _count(len(client.operation_names()), "operation"))
        for namespace, client in plan.clients.items()
    ]
    if clients:
        lines += ["", "consumes", *_table([], clients)]
    for adapter in plan.adapters:
        lines += ["", *_adapter_lines(adapter, width)]
    if plan.disabled:
        rows = [(item.adapter, item.name, item.problem.message) for item in plan.disabled]
        lines += ["", "not served", *_fitting(["", "", ""], rows, width, heads=2)]
    return [*lines, "", "* required"]


def _info_lines(info: Info, width: int | None) -> list[str]:
    """Return what a capability says about itself, as far as it does."""
    dates = [f"created {info.created}"] if info.created else []
    dates += [f"modified {info.modified}"] if info.modified else []
    version = [f"version {info.version}"] if info.version else []
    people = [
        f"{person.full_name} ({person.role}{f', {person.email}' if person.email else ''})"
        for person in info.stakeholders
    ]
    found = [
        " ".join(info.description.split()),
        ", ".join((*version, *dates)),
        f"tags: {', '.join(info.tags)}" if info.tags else "",
        f"stakeholders: {'; '.join(people)}" if people else "",
    ]
    columns = max(40, min(width or MAX_PROSE, MAX_PROSE) - 2)
    return [f"  {line}" for text in found for line in textwrap.wrap(text, columns)]


def _adapter_lines(adapter: AdapterPlan, width: int | None) -> list[str]:
    if isinstance(adapter, RestAdapterPlan):
        header = ["METHOD", "PATH", "NAME", "CALLS", "INPUTS"]
        rows: list[Sequence[str]] = [
            (
                item.method,
                route.path,
                item.operation.name,
                _call(item.operation),
                _inputs(item.operation),
            )
            for route in adapter.routes
            for item in route.operations
        ]
        rows += [
            (
                "*"
                if route.forward.methods == FORWARD_METHODS
                else "/".join(route.forward.methods),
                route.path,
                route.forward.name,
                f"forward to {route.forward.namespace}",
                "",
            )
            for route in adapter.routes
            if route.forward is not None
        ]
    elif isinstance(adapter, SkillAdapterPlan):
        header = ["SKILL", "TOOLS", "FILES"]
        rows = [
            (skill.name, ", ".join(skill.tools), str(skill.folder or "(none)"))
            for skill in adapter.skills.values()
        ]
    elif isinstance(adapter, ControlAdapterPlan):
        return [f"{_title(adapter)}: {', '.join(adapter.endpoints) or 'nothing'}"]
    else:
        header = ["TOOL", "CALLS", "HINTS", "INPUTS"]
        rows = [
            (tool.name, _call(tool), ", ".join(_hints(tool)), _inputs(tool))
            for tool in adapter.tools
        ]
    is_rest = isinstance(adapter, RestAdapterPlan)
    counted = _count(len(rows), {"rest": "route", "skill": "skill"}.get(kind_of(adapter), "tool"))
    table = _fitting(header, rows, width, heads=2 if is_rest else 1)
    only_discovered = not rows and getattr(adapter, "discovered", None) is not None
    lines = [f"{_title(adapter)}: {counted}", *([] if only_discovered else table)]
    if isinstance(adapter, McpAdapterPlan):
        lines += _more(adapter, width)
    return [*lines, *_discovered_lines(adapter, width)]


def _discovered_lines(adapter: AdapterPlan, width: int | None) -> list[str]:
    """Return what an adapter discovers, and what of it, if somebody has looked."""
    found = adapter.discovered if isinstance(adapter, RestAdapterPlan | McpAdapterPlan) else None
    lines: list[str] = []
    for template in found.templates if found is not None else ():
        finder, plan = template.finder, template.finder.plan
        calls = ", ".join(plan.calls) or "(no call)"
        lines += ["", f"  discovers {template.discovery} every {plan.refresh_s:g} s: {calls}"]
        rows = [
            (
                item.operation.name,
                finder.voice.shown(f"{item.method} {item.path}" if item.path else item.key),
            )
            for item in (found.operations_of(template) if found is not None else ())
        ]
        if rows:
            lines += [f"  {line}" for line in _fitting(["NAME", "STANDS FOR"], rows, None, heads=1)]
        error = finder.error
        said = [] if error is None else [f"the list cannot be had: {error['message']}"]
        said += [*finder.notes, *(found.problems(template.discovery) if found is not None else ())]
        said += [f"{item['key']} is not served: {item['message']}" for item in finder.failures]
        lines += [f"    ! {text}" for text in said]
    return lines


def _more(adapter: McpAdapterPlan, width: int | None) -> list[str]:
    """Return the resources and prompts of an MCP adapter."""
    lines: list[str] = []
    if adapter.resources:
        rows = [
            (item.uri, item.name, _call(item.operation) if item.operation else "(files)")
            for item in adapter.resources
        ]
        lines += ["", *_fitting(["RESOURCE", "NAME", "CALLS"], rows, width, heads=2)]
    if adapter.prompts:
        prompts = [
            (
                item.name,
                _call(item.operation) if item.operation else "(no call)",
                ", ".join(f"{one.name}{'*' if one.required else ''}" for one in item.arguments),
            )
            for item in adapter.prompts
        ]
        lines += ["", *_fitting(["PROMPT", "CALLS", "ARGUMENTS"], prompts, width, heads=1)]
    return lines


def _title(adapter: AdapterPlan) -> str:
    kind = kind_of(adapter)
    where = "stdio" if adapter.port is None else f"{adapter.address or '127.0.0.1'}:{adapter.port}"
    auth = f", {adapter.auth.type_} authentication" if adapter.auth else ""
    return f"{kind} {adapter.namespace} on {where}{auth}"


def _call(operation: OperationPlan) -> str:
    return ", ".join(operation.plan.calls) or "(no call)"


def _inputs(operation: OperationPlan) -> str:
    inputs = sorted(operation.inputs.inputs, key=lambda item: not item.required)
    names = [f"{item.name}{'*' if item.required else ''}" for item in inputs]
    more = len(names) - MAX_INPUTS_SHOWN
    if more > 1:
        names = [*names[:MAX_INPUTS_SHOWN], f"{more} more"]
    return ", ".join(names)


def _hints(operation: OperationPlan) -> list[str]:
    return [
        name if getattr(operation.hints, field) else f"not {name}"
        for field, name in _HINT_NAMES.items()
        if getattr(operation.hints, field) is not None
    ]


def _fitting(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, *, heads: int
) -> list[str]:
    """Return a table; paragraphs that start with the first `heads` cells where it is too wide."""
    lines = _table(header if any(header) else [], rows)
    if width is None or max(map(len, lines)) <= width:
        return lines
    first = max(len(row[0]) for row in rows) if heads > 1 else 0
    labels = [f"{name.lower()}: " if name else "" for name in header[heads:]]
    paragraphs: list[str] = []
    for row in rows:
        paragraphs.append(f"  {row[0].ljust(first)}  {row[1]}" if heads > 1 else f"  {row[0]}")
        for label, cell in zip(labels, row[heads:], strict=True):
            if cell:
                paragraphs += textwrap.wrap(
                    label + cell,
                    max(width, 40),
                    initial_indent="      ",
                    subsequent_indent="        ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
    return paragraphs


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows with their columns aligned, the last one as long as it is."""
    listed = [*([header] if header else []), *rows]
    if not listed:
        return ["  (none)"]
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    return [f"  {'  '.join(map(str.ljust, row, widths))}".rstrip() for row in listed]


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def to_json(plan: CapabilityPlan) -> JsonObject:
    """Return the plan as JSON: the same as the tables, with schemas."""
    consumes: list[JsonValue] = [
        {
            "namespace": namespace,
            "type": client.type_,
            "operations": list[JsonValue](client.operation_names()),
        }
        for namespace, client in plan.clients.items()
    ]
    disabled: list[JsonValue] = [
        {
            "adapter": item.adapter,
            "name": item.name,
            "code": item.problem.code,
            "message": item.problem.message,
        }
        for item in plan.disabled
    ]
    return {
        "path": plan.path,
        "label": plan.info.label,
        "description": plan.info.description,
        "info": _info_json(plan.info),
        "consumes": consumes,
        "exposes": [_adapter_json(adapter) for adapter in plan.adapters],
        "disabled": disabled,
    }


def _info_json(info: Info) -> JsonObject:
    """Return `info` in the file's words, `label` for either generation's name."""
    people: list[JsonValue] = [
        {"role": person.role, "fullName": person.full_name, "email": person.email}
        for person in info.stakeholders
    ]
    members: JsonObject = {
        "version": info.version,
        "created": info.created,
        "modified": info.modified,
        "tags": list[JsonValue](info.tags),
        "stakeholders": people,
    }
    return {name: value for name, value in members.items() if value}


def _adapter_json(adapter: AdapterPlan) -> JsonObject:
    out: JsonObject = {
        "type": kind_of(adapter),
        "namespace": adapter.namespace,
        "address": adapter.address,
        "port": adapter.port,
        "authentication": adapter.auth.type_ if adapter.auth else None,
    }
    if isinstance(adapter, McpAdapterPlan):
        out["transport"] = adapter.transport
        out["discovers"] = _discovered_json(adapter)
        out["tools"] = [_operation_json(tool) for tool in operations_of(adapter)]
        out["resources"] = [
            {"uri": item.uri, "name": item.name, "description": item.description}
            for item in adapter.resources
        ]
        out["prompts"] = [
            {
                "name": item.name,
                "description": item.description,
                "arguments": [
                    {"name": one.name, "required": one.required} for one in item.arguments
                ],
            }
            for item in adapter.prompts
        ]
        return out
    if isinstance(adapter, ControlAdapterPlan):
        out["endpoints"] = list[JsonValue](adapter.endpoints)
        return out
    if isinstance(adapter, SkillAdapterPlan):
        out["skills"] = [dict(skill.details) for skill in adapter.skills.values()]
        return out
    out["discovers"] = _discovered_json(adapter)
    out["routes"] = [
        {"method": item.method, "path": route.path, **_operation_json(item.operation)}
        for route in adapter.routes
        for item in route.operations
    ]
    out["forwards"] = [
        {
            "path": route.path,
            "name": route.forward.name,
            "namespace": route.forward.namespace,
            "methods": list(route.forward.methods),
        }
        for route in adapter.routes
        if route.forward is not None
    ]
    return out


def _discovered_json(adapter: McpAdapterPlan | RestAdapterPlan) -> list[JsonValue]:
    found = adapter.discovered
    return [
        {
            **template.finder.status(),
            "name": template.discovery,
            "calls": list[JsonValue](template.finder.plan.calls),
            "problems": [
                *template.finder.notes,
                *(found.problems(template.discovery) if found is not None else ()),
            ],
            "entries": [
                {
                    "name": item.operation.name,
                    "key": item.key,
                    "method": item.method or None,
                    "path": item.path,
                }
                for item in (found.operations_of(template) if found is not None else ())
            ],
        }
        for template in (found.templates if found is not None else ())
    ]


def kind_of(adapter: AdapterPlan) -> str:
    """Return the type that the file gives the adapter."""
    if isinstance(adapter, McpAdapterPlan):
        return "mcp"
    if isinstance(adapter, ControlAdapterPlan):
        return "control"
    return "rest" if isinstance(adapter, RestAdapterPlan) else "skill"


def _operation_json(operation: OperationPlan) -> JsonObject:
    calls = operation.plan.calls
    hints: JsonObject = {
        name: getattr(operation.hints, field)
        for field, name in _HINT_NAMES.items()
        if getattr(operation.hints, field) is not None
    }
    return {
        "name": operation.name,
        "description": operation.description,
        "calls": list(calls),
        "effect": operation.effect.value,
        "hints": hints,
        "inputs": dict(operation.inputs.schema),
        "output": dict(operation.output_schema) if operation.output_schema else None,
        "location": str(operation.location),
    }
