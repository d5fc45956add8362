"""`search-tools` and `call-tool`: an agent finds the tool it needs instead of reading hundreds.

Both are operations like any other in the table of tools. What is found is shown as `tools/list`
would show it, from the same definitions: what is left out or masked there is so here.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from naftiko.errors import InputError, RunError, did_you_mean
from naftiko.exposes.mcp.tool_search_texts import (
    SEARCH_OUTPUT,
    call_description,
    found_text,
    search_description,
)
from naftiko.model.parameters import Hints
from naftiko.plan.capability import McpAdapterPlan, OperationPlan, ToolSearchServing
from naftiko.plan.finding import RANKS, document, parameter_words
from naftiko.plan.inputs import Input, InputTable
from naftiko.plan.ports import Effect, Result
from naftiko.plan.tool_names import CALL_TOOL, SEARCH_TOOLS, safe_name
from naftiko.plan.tool_search import MAX_RESULTS
from naftiko.search.gate import LENIENT

if TYPE_CHECKING:
    from mcp_types import Tool

    from naftiko.expressions.template import Scope
    from naftiko.plan.content import Content
    from naftiko.plan.masking import Masker
    from naftiko.plan.run import Run
    from naftiko.search.index import Index
    from naftiko.search.ports import Document, Hit
    from naftiko.values import JsonObject, JsonValue

MAX_QUERY = 500
MAX_HITS = 200

logger = logging.getLogger("naftiko.exposes.mcp")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Edition:
    """The tools of one moment, and the index over them once it is built."""

    tools: Mapping[str, Tool]
    index: Future[Index | None]


class ToolSearch:
    """The search over the tools of one adapter.

    A table that is published asks for the two operations, and says what it holds now; the index
    is built in a thread and takes the place of the one before when it is asked for next.
    """

    def __init__(self, plan: McpAdapterPlan, serving: ToolSearchServing, masker: Masker) -> None:
        """Start without any tools."""
        self._masker = masker
        self._plan = plan
        self._serving = serving
        self._edition: _Edition | None = None
        self._swapping = threading.Lock()
        self._tags: dict[str, tuple[str, ...]] = {}
        self._ranks: dict[str, float] = {}
        self._search = self._search_operation()
        self._call: OperationPlan | None = None
        self.calls = serving.listed is not None
        """Whether there is a `call-tool`; where all tools are listed none is needed."""

    # ----------------------------------------------------------------- the pair

    def with_pair(self, operations: Sequence[OperationPlan]) -> tuple[OperationPlan, ...]:
        """Return the operations with the search's own before them."""
        masked = self._masker  # tags are not listed, but a reason may quote them
        self._tags = {safe_name(item.name): tuple(map(masked, item.tags)) for item in operations}
        self._ranks = {safe_name(item.name): RANKS[item.effect] for item in operations}
        if not self.calls:
            return (self._search, *operations)
        hints = _union([*operations, *self._discoverable()])
        support = "optional" if self._plan.options.tasks is not None else "forbidden"
        if self._call is None or self._call.hints != hints:
            self._call = self._call_operation(hints, support)
        return (self._search, self._call, *operations)

    def _discoverable(self) -> list[OperationPlan]:
        """Return what discovered tools will be like, so that the hints hold for all of them."""
        found = self._plan.discovered
        templates = found.templates if found is not None else ()
        return [item.operation for item in templates if item.served]

    def _search_operation(self) -> OperationPlan:
        serving, plan = self._serving, self._plan
        inputs = (
            Input(
                name="query",
                schema={"type": "string", "minLength": 1, "maxLength": MAX_QUERY},
                required=True,
                description="What you want to do, in a few words",
            ),
            Input(
                name="max_results",
                schema={"type": "integer", "minimum": 1, "maximum": MAX_RESULTS},
                description="How many tools the answer may hold",
                default=serving.max_results,
                has_default=True,
            ),
            Input(
                name="output_schemas",
                schema={"type": "boolean"},
                description="Whether to show what each tool answers with as well",
                default=False,
                has_default=True,
            ),
        )
        return OperationPlan(
            name=SEARCH_TOOLS,
            label="Search tools",
            description=search_description(
                count=len(plan.tools),
                discovers=plan.discovered is not None,
                about=serving.description or plan.description,
                calls=serving.listed is not None,
            ),
            inputs=InputTable(inputs=inputs),
            plan=_SearchPlan(self.found),
            output_schema=SEARCH_OUTPUT,
            effect=Effect.READ,
            hints=Hints(read_only=True, destructive=False, idempotent=True, open_world=False),
            location=plan.location,
            content=cast(
                "Content", _FoundText(total=self._count, calls=serving.listed is not None)
            ),
        )

    def _call_operation(self, hints: Hints, task_support: str) -> OperationPlan:
        inputs = (
            Input(
                name="name",
                schema={"type": "string", "minLength": 1},
                required=True,
                description=f"Name of a tool, as {SEARCH_TOOLS} gives it",
            ),
            Input(
                name="arguments",
                schema={"type": "object"},
                description="Its arguments, by its inputSchema",
            ),
        )
        return OperationPlan(
            name=CALL_TOOL,
            label="Call a tool",
            description=call_description(),
            inputs=InputTable(inputs=inputs),
            plan=_NothingToCall(self._names),
            output_schema=None,
            effect=Effect.UNKNOWN,
            hints=hints,
            location=self._plan.location,
            task_support=task_support,
        )

    # ----------------------------------------------------------------- what there is

    def listed(self, definitions: Sequence[Tool]) -> list[Tool]:
        """Take the tools of a table from now on; return those that `tools/list` shows."""
        own = 2 if self.calls else 1
        tools = {tool.name: tool for tool in definitions[own:]}
        with self._swapping:
            before = self._edition
            if before is None or not _same(before.tools, tools):
                index = _builder().submit(_build, tools, self._tags, self._ranks, before)
                self._edition = _Edition(tools=tools, index=index)
        wanted = self._serving.listed
        if wanted is None:
            return list(definitions)
        shown = {safe_name(name) for name in wanted}
        return [*definitions[:own], *(tool for tool in definitions[own:] if tool.name in shown)]

    def _count(self) -> int:
        return len(self._edition.tools) if self._edition is not None else 0

    def _names(self) -> Sequence[str]:
        return tuple(self._edition.tools) if self._edition is not None else ()

    # ----------------------------------------------------------------- searching

    async def found(self, query: str, most: int, *, output_schemas: bool) -> JsonObject:
        """Return the tools that answer a query, as `search-tools` gives them."""
        edition = self._edition
        assert edition is not None  # a table that serves has been published
        # `wait` cancels nothing: a caller who leaves takes the index away from nobody.
        await asyncio.wait([asyncio.wrap_future(edition.index)])
        index = edition.index.result()
        if index is None:
            raise RunError(
                code="search-unavailable",
                message="the tools cannot be searched because of an error inside the server",
                hint="its log has the details; tools can be called by their names",
            )
        hits = await asyncio.to_thread(index.search, query, limit=MAX_HITS, gate=LENIENT)
        return {
            "tools": [
                _shown(edition.tools[hit.id], hit, output_schema=output_schemas)
                for hit in hits[:most]
            ],
            "total": len(hits),
            "index_digest": index.digest,
        }

    def meant(self, name: str, arguments: object) -> tuple[str, JsonObject | None]:
        """Return the tool and arguments that a call stands for: those inside of `call-tool`.

        What `call-tool` cannot call stays a call of `call-tool`, which says why.
        """
        if name != CALL_TOOL or self._call is None or not isinstance(arguments, Mapping):
            return name, cast("JsonObject | None", arguments)
        try:
            given = self._call.inputs.check(dict(arguments), reads_texts=True)
        except InputError:
            return name, dict(arguments)
        edition = self._edition
        inner = given["name"]
        if edition is None or not isinstance(inner, str) or inner not in edition.tools:
            return name, dict(arguments)
        return inner, cast("JsonObject | None", given.get("arguments"))


@dataclass(frozen=True, slots=True, eq=False)
class _SearchPlan:
    """Runs `search-tools`."""

    find: Callable[..., Any]
    calls: Sequence[str] = ()

    async def run(self, run: Run) -> Result:
        """Search; nothing found is an empty list."""
        given = run.inputs
        most = int(cast("float", given["max_results"]))  # 2.0 is an integer of JSON Schema
        found: JsonObject = await self.find(
            given["query"], most, output_schemas=given["output_schemas"]
        )
        return Result(value=found)

    def explain(self) -> Sequence[str]:
        """Say what it does."""
        return ("searches the tools of this adapter",)


@dataclass(frozen=True, slots=True, eq=False)
class _NothingToCall:
    """What is left of `call-tool` where no tool is meant: the answer that says so."""

    names: Callable[[], Sequence[str]]
    calls: Sequence[str] = ()

    async def run(self, run: Run) -> Result:
        """Refuse.

        Raises: InputError.
        """
        name = str(run.inputs["name"])
        if name in (CALL_TOOL, SEARCH_TOOLS):
            message = f"`{CALL_TOOL}` runs the tools behind it, and `{name}` is none of them"
            hint = f"call `{SEARCH_TOOLS}` directly, and give the name of a tool that it finds"
            raise InputError(code="unknown-tool", message=message, hint=hint)
        shown = name if len(name) <= 80 else name[:80] + "..."
        near = did_you_mean(name[:128], self.names())
        raise InputError(
            code="unknown-tool",
            message=f"unknown tool `{shown}`",
            hint=near or f"`{SEARCH_TOOLS}` finds the tools there are",
        )

    def explain(self) -> Sequence[str]:
        """Say what it does."""
        return ("runs a tool of this adapter by its name",)


@dataclass(frozen=True, slots=True, eq=False)
class _FoundText:
    """The text of an answer: enough to call a tool for hosts that pass on nothing else."""

    total: Callable[[], int]
    calls: bool

    def render(self, scope: Scope) -> list[JsonValue]:
        """Return one text block."""
        found = cast("JsonObject", scope["result"])
        text = found_text(found, self.total(), calls=self.calls)
        return [{"type": "text", "text": text}]


def _build(
    tools: Mapping[str, Tool],
    tags: Mapping[str, tuple[str, ...]],
    ranks: Mapping[str, float],
    before: _Edition | None,
) -> Index | None:
    """Build the index over what is listed; vectors of texts that stayed the same are kept.

    None, with a line in the log, where it fails: the tools themselves do not depend on it.
    """
    try:
        from naftiko.search.embedders import find_embedder
        from naftiko.search.index import Index

        previous = before.index.result() if before is not None and before.index.done() else None
        return Index.build(_documents(tools, tags, ranks), find_embedder("auto"), previous=previous)
    except Exception:  # whatever it is, callers must not wait for ever
        logger.exception("the tools cannot be searched")
        return None


def _documents(
    tools: Mapping[str, Tool], tags: Mapping[str, tuple[str, ...]], ranks: Mapping[str, float]
) -> list[Document]:
    return [
        document(
            tool.name,
            name=tool.name,
            title=tool.title or "",
            description=tool.description or "",
            parameters=parameter_words(tool.input_schema),
            tags=tags.get(tool.name, ()),
            rank=ranks.get(tool.name, 1.0),
        )
        for tool in tools.values()
    ]


def _shown(tool: Tool, hit: Hit, *, output_schema: bool) -> JsonObject:
    """Return a tool as `tools/list` shows it, and how well it answers."""
    shown: JsonObject = {"name": tool.name}
    if tool.title:
        shown["title"] = tool.title
    shown["description"] = tool.description or ""
    shown["inputSchema"] = tool.input_schema
    if output_schema and tool.output_schema is not None:
        shown["outputSchema"] = tool.output_schema
    annotations = tool.annotations
    shown["annotations"] = (
        annotations.model_dump(by_alias=True, exclude_none=True) if annotations else {}
    )
    if tool.execution is not None:
        shown["execution"] = tool.execution.model_dump(by_alias=True, exclude_none=True)
    shown["score"] = round(hit.score, 4)
    shown["confidence"] = hit.confidence
    shown["reasons"] = list(hit.reasons)
    return shown


def _union(operations: Sequence[OperationPlan]) -> Hints:
    """Return hints that hold for every one of them: what is not known counts as the worst."""
    read_only = [
        item.hints.read_only is True or (item.hints == Hints() and item.effect is Effect.READ)
        for item in operations
    ]
    pairs = list(zip(operations, read_only, strict=True))
    return Hints(
        read_only=all(read_only),
        destructive=any(not reads and item.hints.destructive is not False for item, reads in pairs),
        idempotent=all(reads or item.hints.idempotent is True for item, reads in pairs),
        open_world=any(item.hints.open_world is not False for item in operations),
    )


def _same(before: Mapping[str, Tool], now: Mapping[str, Tool]) -> bool:
    """Tell whether the definitions are the same objects, which tables keep for the same tools."""
    return before.keys() == now.keys() and all(before[name] is now[name] for name in now)


@lru_cache(maxsize=1)
def _builder() -> ThreadPoolExecutor:
    """Return the thread that builds indexes, one after the other."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="naftiko-tool-index")
