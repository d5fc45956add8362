"""A plan as a picture's text: Mermaid. The drawing of its own is in `svg`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from naftiko.values import JsonObject
from naftiko.workflow.disassembler import headline, printable, render_tree
from naftiko.workflow.plan import walk
from naftiko.workflow.svg import svg

__all__ = ["mermaid", "svg"]

_SHAPES = {
    "AWS_CALL": ('["', '"]'),
    "POLL": ('(["', '"])'),
    "CONDITION": ('{"', '"}'),
    "ASSERT": ('{{"', '"}}'),
    "WAIT": ('("', '")'),
    "FILTER": ('[/"', '"/]'),
    "SET": ('[/"', '"/]'),
}
_ENTITIES = {'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
_MAX_LABEL = 120
START, END = "start_", "end_"
"""Ids of nodes that no step has: ids of steps get a number before them."""


def mermaid(plan: JsonObject) -> str:
    """Return a Mermaid flowchart of a plan."""
    return "\n".join(_Chart(plan).lines()) + "\n"


class _Chart:
    def __init__(self, plan: JsonObject) -> None:
        self._plan = plan
        ids = (str(operation["step_id"]) for operation in walk.all_operations(plan))
        self._nodes = {id_: f"n{number}" for number, id_ in enumerate(ids)}

    def lines(self) -> Iterator[str]:
        plan = self._plan
        steps = walk.objects(plan["execution_plan"])
        yield "flowchart TD"
        yield f'  {START}(("{_escaped(str(plan["name"]))}"))'
        yield from self._declare(steps, "  ")
        yield f'  {END}(("end"))'
        yield from self._edges(steps, START, END)
        for number, handler in enumerate(walk.objects(plan["rollback"])):
            yield from self._handler(f"r{number}", handler)
        changing = [self._nodes[id_] for id_ in _mutating(plan)]
        yield "  classDef changes stroke-width:3px"
        if changing:
            yield f"  class {','.join(changing)} changes"

    def _declare(self, operations: Sequence[JsonObject], indent: str) -> Iterator[str]:
        for operation in operations:
            id_ = str(operation["step_id"])
            label = _label(operation)
            body = walk.objects(operation.get("body"))
            if body:
                yield f'{indent}subgraph {self._nodes[id_]}["{label}"]'
                yield from self._declare(body, indent + "  ")
                yield from (f"  {line}" for line in self._edges(body, None, None))
                yield f"{indent}end"
                continue
            before, after = _SHAPES[str(operation["op"])]
            yield f"{indent}{self._nodes[id_]}{before}{label}{after}"

    def _edges(
        self, operations: Sequence[JsonObject], start: str | None, end: str | None
    ) -> Iterator[str]:
        """Yield arrows: straight on, and around what a CONDITION lets be skipped."""
        before, guard = start, None
        for index, operation in enumerate(operations):
            node = self._nodes[str(operation["step_id"])]
            if before is not None:
                entered = operation["guard"] is not None and operation["guard"] != guard
                yield f"  {before} -->{'|yes|' if entered else ''} {node}"
            before, guard = node, operation["guard"]
            if operation["op"] == "CONDITION":
                after = self._beyond(operations[index + 1 :], str(operation["dest"]), end)
                if after is not None:
                    yield f"  {node} -.->|no| {after}"
        if before is not None and end is not None:
            yield f"  {before} --> {end}"

    def _beyond(
        self, following: Sequence[JsonObject], register: str, end: str | None
    ) -> str | None:
        for operation in following:
            if operation["guard"] != register:
                return self._nodes[str(operation["step_id"])]
        return end

    def _handler(self, id_: str, handler: JsonObject) -> Iterator[str]:
        yield f'  subgraph {id_}["rollback: {_escaped(str(handler["handler"]))}"]'
        operations = walk.objects(handler["ops"])
        yield from self._declare(operations, "    ")
        yield from (f"  {line}" for line in self._edges(operations, None, None))
        yield "  end"
        for step in walk.texts(handler["steps"]):
            yield f"  {self._nodes[step]} -. fails .-> {id_}"


def _label(operation: JsonObject) -> str:
    parts = [str(operation["step_id"]), headline(operation)]
    if operation["op"] == "CONDITION":
        parts = [f"{render_tree(operation['expr'])}?"]
    return "<br/>".join(_escaped(part) for part in parts)


def _escaped(text: str) -> str:
    text = printable(text)
    if len(text) > _MAX_LABEL:
        text = text[: _MAX_LABEL - 1] + "…"
    return "".join(_ENTITIES.get(char, char) for char in text)


def _mutating(plan: JsonObject) -> Iterator[str]:
    for operation in walk.all_operations(plan):
        if operation["op"] == "AWS_CALL" and operation["mutating"]:
            yield str(operation["step_id"])
