"""CapabilityPlan -> tables, as `inspect` prints them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from naftiko.cli.plan_json import hints_of
from naftiko.model.capability import Info
from naftiko.plan.capability import (
    AdapterPlan,
    CapabilityPlan,
    ControlAdapterPlan,
    McpAdapterPlan,
    OperationPlan,
    RestAdapterPlan,
    SkillAdapterPlan,
    discovered_of,
)
from naftiko.plan.forward import FORWARD_METHODS

MAX_INPUTS_SHOWN = 6
MAX_PROSE = 100
"""Columns of a description, however wide the terminal is."""


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
    counted = _count(len(rows), {"rest": "route", "skill": "skill"}.get(adapter.kind, "tool"))
    if isinstance(adapter, McpAdapterPlan) and adapter.options.tool_search is not None:
        counted += ", which agents search"
    table = _fitting(header, rows, width, heads=2 if is_rest else 1)
    only_discovered = not rows and discovered_of(adapter) is not None
    lines = [f"{_title(adapter)}: {counted}", *([] if only_discovered else table)]
    if isinstance(adapter, McpAdapterPlan):
        lines += _more(adapter, width)
    return [*lines, *_discovered_lines(adapter, width)]


def _discovered_lines(adapter: AdapterPlan, width: int | None) -> list[str]:
    """Return what an adapter discovers, and what of it, if somebody has looked."""
    found = discovered_of(adapter)
    if found is None:
        return []
    lines: list[str] = []
    for template in found.templates:
        finder, plan = template.finder, template.finder.plan
        calls = ", ".join(plan.calls) or "(no call)"
        lines += ["", f"  discovers {template.discovery} every {plan.refresh_s:g} s: {calls}"]
        rows = [
            (
                item.operation.name,
                finder.voice.shown(f"{item.method} {item.path}" if item.path else item.key),
            )
            for item in found.operations_of(template)
        ]
        if rows:
            lines += [f"  {line}" for line in _fitting(["NAME", "STANDS FOR"], rows, None, heads=1)]
        error = finder.error
        said = [] if error is None else [f"the list cannot be had: {error['message']}"]
        said += [*finder.notes, *found.problems(template.discovery)]
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
    where = "stdio" if adapter.port is None else f"{adapter.address or '127.0.0.1'}:{adapter.port}"
    auth = f", {adapter.auth.type_} authentication" if adapter.auth else ""
    return f"{adapter.kind} {adapter.namespace} on {where}{auth}"


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
    return [name if value else f"not {name}" for name, value in hints_of(operation).items()]


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
