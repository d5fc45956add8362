"""`naftiko explain FILE [OPERATION]`: plans as text."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from naftiko.capability import find_consumed, operations_of
from naftiko.cli import arguments as common
from naftiko.cli.console import Console
from naftiko.cli.loading import check, load_options, refuse, show_warnings
from naftiko.errors import ExitCode, StartError, did_you_mean, nearest
from naftiko.plan.capability import (
    AdapterPlan,
    CapabilityPlan,
    ControlAdapterPlan,
    OperationPlan,
    RestAdapterPlan,
    SkillAdapterPlan,
    discovered_of,
)
from naftiko.plan.inputs import Input

_ANY = frozenset({"array", "boolean", "number", "object", "string"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_file(parser)
    parser.add_argument(
        "operation",
        nargs="?",
        metavar="OPERATION",
        help="`namespace.operation` of what is exposed or consumed, or a bare name (default: all "
        "that is exposed)",
    )
    common.add_loading(parser)
    common.add_read_only(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print the plans.

    Raises: StartError for an unknown operation.
    """
    options = load_options(arguments)
    checked = check(arguments.file, options, console)
    refuse(checked, strict=options.strict)
    show_warnings(checked, console, verbose=arguments.verbose)
    assert checked.plan is not None
    blocks = list(explain(checked.plan, arguments.operation))
    if not blocks:
        raise _unknown(checked.plan, arguments.operation)
    console.data("\n\n".join(blocks))
    return ExitCode.OK


def explain(plan: CapabilityPlan, wanted: str | None) -> Iterator[str]:
    """Yield a text for each operation of that name; for all without one."""
    for adapter in plan.adapters:
        for title, operation in _titled(adapter):
            address = f"{adapter.namespace}.{operation.name}"
            if wanted in (None, operation.name, address):
                yield "\n".join(_lines(address, title, operation))
        yield from _forwards(adapter, wanted)
        yield from _discovered(adapter, wanted)
    yield from _consumed(plan, wanted)


def _consumed(plan: CapabilityPlan, wanted: str | None) -> Iterator[str]:
    """Yield what one consumed operation sends, by its `namespace.operation`.

    Raises: StartError.
    """
    operation = find_consumed(plan, wanted or "")
    if operation is not None:
        lines = [f"effect: {operation.effect.value}", *operation.explain()]
        yield "\n".join([f"{wanted}: consumed", *(f"  {line}" for line in lines)])


def _discovered(adapter: AdapterPlan, wanted: str | None) -> Iterator[str]:
    found = discovered_of(adapter)
    for template in found.templates if found is not None else ():
        address = f"{adapter.namespace}.{template.discovery}"
        if wanted in (None, template.discovery, address):
            plan = template.finder.plan
            title = f"{address}: discovered ({plan.location})"
            becomes = template.name.text
            if template.path is not None:
                becomes += f", {template.method} {template.path.text}"
            what = [f"each item becomes {becomes}:", *template.operation.plan.explain()]
            yield "\n".join([title, *(f"  {line}" for line in (*plan.explain(), *what))])


def _forwards(adapter: AdapterPlan, wanted: str | None) -> Iterator[str]:
    for route in adapter.routes if isinstance(adapter, RestAdapterPlan) else ():
        forward = route.forward
        if forward is None:
            continue
        address = f"{adapter.namespace}.{forward.name}"
        if wanted in (None, forward.name, address):
            lines = [f"  {line}" for line in forward.explain()]
            yield "\n".join([f"{address}: * {route.path} ({forward.location})", *lines])


def _titled(adapter: AdapterPlan) -> Iterator[tuple[str, OperationPlan]]:
    if isinstance(adapter, SkillAdapterPlan | ControlAdapterPlan):
        return
    if not isinstance(adapter, RestAdapterPlan):
        yield from (("tool", tool) for tool in adapter.tools)
        yield from (("resource", item.operation) for item in adapter.resources if item.operation)
        yield from (("prompt", item.operation) for item in adapter.prompts if item.operation)
        return
    for route in adapter.routes:
        for item in route.operations:
            yield f"{item.method} {route.path}", item.operation


def _lines(address: str, title: str, operation: OperationPlan) -> Iterator[str]:
    yield f"{address}: {title} ({operation.location})"
    yield f"  effect: {operation.effect.value}"
    for item in operation.inputs.inputs:
        yield f"  input {_input(item)}"
    if not operation.inputs.closed:
        yield "  further inputs are taken as they come"
    for line in operation.plan.explain():
        yield f"  {line}"


def _input(item: Input) -> str:
    """Return "stateMachineArn: string, required, from body or query"."""
    words = ["any" if item.types >= _ANY else " or ".join(sorted(item.types)) or "any"]
    words += ["required"] if item.required else []
    words += [f"default {item.default!r}"] if item.has_default else []
    choices = item.schema.get("enum")
    if isinstance(choices, list):
        words.append("one of " + " ".join(map(str, choices)))
    if item.sources:
        words.append("from " + " or ".join(item.sources))
    items = item.schema.get("items")
    if isinstance(items, Mapping) and "type" in items:
        words[0] = f"{words[0]} of {items['type']}"
    return f"{item.name}: {', '.join(words)}"


def _unknown(plan: CapabilityPlan, wanted: str | None) -> StartError:
    names = {
        f"{adapter.namespace}.{operation.name}": operation.name
        for adapter in plan.adapters
        for operation in operations_of(adapter)
    }
    entries = [
        template.discovery
        for adapter in plan.adapters
        if (found := discovered_of(adapter)) is not None
        for template in found.templates
    ]
    if wanted is None:
        return StartError("the capability exposes no operation")
    left_out = next((item for item in plan.disabled if item.name == wanted), None)
    if left_out is not None:
        return StartError(f"`{wanted}` is not served: {left_out.problem.message}")
    known = [*names, *names.values(), *entries]
    found_later = " or ".join(f"`{name}`" for name in entries)
    return StartError(
        f"the capability exposes no operation `{wanted}`",
        hint=f"what is discovered is explained by its entry: {found_later}"
        if entries and nearest(wanted, known) is None
        else did_you_mean(wanted, known) or f"`naftiko inspect {plan.path}` lists them",
    )
