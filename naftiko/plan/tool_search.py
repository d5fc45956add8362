"""`toolSearch` of an MCP adapter, read: which tools are listed where callers search for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.errors import Problems, Severity, did_you_mean
from naftiko.model.exposes import ExposedOperation
from naftiko.plan.capability import ToolSearchServing
from naftiko.plan.clients import LeftOut
from naftiko.plan.settled import Member, SettledMembers
from naftiko.plan.tool_names import CALL_TOOL, SEARCH_TOOLS, safe_name

MAX_RESULTS = 20
DEFAULT_RESULTS = 5
_OF = "`toolSearch`"
_MEMBERS = ("list", "maxResults", "description")


def tool_search(
    node: Node | None, settled: SettledMembers, problems: Problems
) -> ToolSearchServing | None:
    """Read the option; None where it is not given, or off.

    true; "{{TOOL_SEARCH}}"; {list: none, maxResults: 5, description: ...}.
    """
    if node is None:
        return None
    try:
        if isinstance(node, Mapping):
            return _options(node, settled, problems)
        member = Member(name="toolSearch", of="the MCP adapter", node=node)
        wanted = settled.word(member, ("true", "false"), "invalid-tool-search")
    except LeftOut as left:
        problems.add(replace(left.problem, severity=Severity.ERROR))
        return None
    return ToolSearchServing() if wanted == "true" else None


def _options(node: Mapping, settled: SettledMembers, problems: Problems) -> ToolSearchServing:
    for key, _ in node.entries:
        if key.text not in _MEMBERS and not key.text.startswith("x-"):
            hint = did_you_mean(key.text, _MEMBERS)
            problems.warn("unknown-field", f"{_OF} has no `{key.text}`", key.location, hint)
    most = Member(name="maxResults", of=_OF, node=node.get("maxResults"))
    description = node.get("description")
    return ToolSearchServing(
        listed=_listed(node.get("list"), settled),
        max_results=settled.count(most, DEFAULT_RESULTS, MAX_RESULTS),
        description=description.text if isinstance(description, Scalar) else "",
    )


def _listed(node: Node | None, settled: SettledMembers) -> tuple[str, ...] | None:
    """Return the names that are always listed; None stands for all."""
    if isinstance(node, Sequence):
        return tuple(item.text for item in node.items if isinstance(item, Scalar))
    member = Member(name="list", of=_OF, node=node)
    found = settled.word(member, ("none", "all"), "invalid-tool-search")
    return None if found == "all" else ()


def reserved_names(serving: ToolSearchServing) -> tuple[str, ...]:
    """Return the names that the tools of the search itself have."""
    return (SEARCH_TOOLS,) if serving.listed is None else (SEARCH_TOOLS, CALL_TOOL)


def check_names(
    serving: ToolSearchServing,
    node: Node,
    tools: Iterable[ExposedOperation],
    *,
    discovers: bool,
    problems: Problems,
) -> None:
    """Note tools that have the search's own names, and listed ones that do not exist.

    A listed name may be one that is discovered later, where the adapter discovers tools.
    """
    tools = list(tools)
    reserved = reserved_names(serving)
    for tool in tools:
        if safe_name(tool.name) in reserved:
            problems.error(
                "reserved-tool-name",
                f"a tool is called `{tool.name}`, the name of a tool that `toolSearch` adds",
                tool.location,
                f"rename it, or remove `toolSearch` (line {node.location.line})",
            )
    if discovers or not isinstance(node, Mapping):
        return
    listed = node.get("list")
    if isinstance(listed, Sequence):
        _check_listed(listed, {tool.name for tool in tools}, problems)


def _check_listed(listed: Sequence, names: Collection[str], problems: Problems) -> None:
    for item in listed.items:
        if isinstance(item, Scalar) and item.text not in names:
            problems.error(
                "invalid-tool-search",
                f"`list` of {_OF} names `{item.text}`, which is no tool of this adapter",
                item.location,
                did_you_mean(item.text, names),
            )
