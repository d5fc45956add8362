"""`list` of a resource -> ResourceListPlan: the resources that a template of URIs leads to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from naftiko.document.nodes import Scalar
from naftiko.errors import Problem, Problems, RunError, Severity, did_you_mean
from naftiko.expressions.conditions import Condition
from naftiko.expressions.jsonpath import Path, compile_path
from naftiko.expressions.template import Reference, Template
from naftiko.expressions.text import type_name
from naftiko.model.mcp import ResourceList
from naftiko.model.parameters import InputParameter
from naftiko.plan.aggregates import Body
from naftiko.plan.called import Setting
from naftiko.plan.clients import LeftOut, leave_out
from naftiko.plan.inputs import InputTable
from naftiko.plan.operations import OperationCompiler
from naftiko.plan.ports import Effect, Plan
from naftiko.plan.run import Run
from naftiko.plan.settled import Member, SettledMembers
from naftiko.plan.templates import unbound
from naftiko.source import Location
from naftiko.values import MISSING, JsonObject, JsonValue

CURSOR = "cursor"
"""What templates of the call see of what `next` found in the answer before."""
REFRESH_S, MIN_REFRESH_S, MAX_REFRESH_S = 5.0, 0.1, 86_400.0
MAX_PAGES = 200
"""Calls for one list: an API that gives one item at a time would be asked for ever."""
MAX_ITEMS, MOST_ITEMS = 1_000, 10_000
"""What holds where a file does not say, and how far it may go."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ListedItem:
    """A resource as it is listed: the variables of its URI, and what the file says of it."""

    variables: Mapping[str, str]
    name: str
    label: str
    description: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ResourceListPlan:
    """How the resources are found: `listing` gives them, at `items` in its answer.

    `next_` finds what asks for the page after it. A list may grow `refresh_s` old.
    """

    as_: str
    location: Location
    listing: Plan
    inputs: InputTable
    items: Path | None
    next_: Path | None
    filter_: Condition | None
    variables: Mapping[str, Template]
    optional: Collection[str]
    name: Template | None
    label: Template | None
    description: Template | None
    media_type: Template | None
    max_items: int
    refresh_s: float

    async def pages(self) -> AsyncIterator[tuple[list[JsonValue], bool]]:
        """Yield the items page by page, at most `max_items`, and whether any are left behind.

        Nothing of a page is kept: what is large is so in what is not shown.

        Raises: RunError where the list cannot be had, or is none.
        """
        count = 0
        cursor: JsonValue = None
        for number in range(1, MAX_PAGES + 1):
            answer = await self._page(cursor)
            page = answer if self.items is None else self.items.find(answer)
            if page is MISSING or not isinstance(page, list):
                raise self._no_list(None if page is MISSING else page)
            room = self.max_items - count
            count += len(page)
            following = MISSING if self.next_ is None else self.next_.find(answer)
            is_last = following in (MISSING, None, "", cursor) or not page
            is_full = len(page) >= room or number == MAX_PAGES
            yield page[:room], len(page) > room or (not is_last and is_full)
            if is_last or is_full:
                return
            cursor = None if following is MISSING else following

    async def _page(self, cursor: JsonValue) -> JsonValue:
        run = Run(inputs=self.inputs.check({} if cursor is None else {CURSOR: cursor}))
        result = await self.listing.run(run)
        value = await result.decoded()
        if result.failed:
            raise RunError(
                code="listing-failed",
                message=f"{', '.join(self.listing.calls)} answered with a failure "
                f"(status {result.status})",
            )
        return None if value is MISSING else value

    def _no_list(self, found: JsonValue) -> RunError:
        where = self.items.text if self.items is not None else "the answer"
        return RunError(
            code="not-a-list",
            message=f"`{where}` is to be the list of resources, found {type_name(found)}",
            hint="`items` is the path of a list in the answer: `items: $.books`",
        )

    def show(self, item: JsonValue) -> ListedItem | None:
        """Return an item as it is listed; None where `filter` refuses it, or it gives no URI.

        Raises: ShapingError where a template fails on it.
        """
        scope: JsonObject = {self.as_: item}
        if self.filter_ is not None and not self.filter_.test(scope):
            return None
        variables = {name: text.render_text(scope) for name, text in self.variables.items()}
        if not all(text or name in self.optional for name, text in variables.items()):
            return None
        return ListedItem(
            variables={name: text for name, text in variables.items() if text},
            name=_text(self.name, scope),
            label=_text(self.label, scope),
            description=_text(self.description, scope),
            media_type=_text(self.media_type, scope),
        )


def _text(template: Template | None, scope: JsonObject) -> str:
    if template is None:
        return ""
    # Half of a surrogate pair cannot be sent, and would take the whole list with it.
    return template.render_text(scope).encode("utf-8", "replace").decode("utf-8")


@dataclass(slots=True, kw_only=True)
class ResourceListCompiler:
    """Compiles the `list` of one resource, which is called unasked by clients: it may only read."""

    adapter: str
    owner: str
    operations: OperationCompiler
    problems: Problems

    def compile(
        self, entry: ResourceList, variables: Sequence[str], optional: Collection[str]
    ) -> ResourceListPlan:
        """Compile it for a URI of these variables.

        Raises: LeftOut, ExpressionError.
        """
        self._check_variables(entry, variables, optional)
        templates = self.operations.templates
        body = self._listing(entry)
        settled = SettledMembers(templates)
        filter_ = templates.condition(entry.filter_) if entry.filter_ else None
        if filter_ is not None:
            self._check_names(entry, filter_.references, is_choice=True)
        return ResourceListPlan(
            as_=entry.as_,
            location=entry.location,
            listing=body.plan,
            inputs=body.inputs,
            items=_path(entry.items),
            next_=_path(entry.next_),
            filter_=filter_,
            variables={key.text: self._template(entry, text) for key, text in entry.variables},
            optional=optional,
            name=self._maybe(entry, entry.name),
            label=self._maybe(entry, entry.label),
            description=self._maybe(entry, entry.description),
            media_type=self._maybe(entry, entry.mime_type),
            max_items=settled.count(
                Member(name="maxItems", of=self._shown, node=entry.max_items), MAX_ITEMS, MOST_ITEMS
            ),
            refresh_s=settled.duration_within_s(
                Member(name="refresh", of=self._shown, node=entry.refresh),
                REFRESH_S,
                MIN_REFRESH_S,
                MAX_REFRESH_S,
            ),
        )

    @property
    def _shown(self) -> str:
        return f"`list` of the resource `{self.owner}`"

    def _listing(self, entry: ResourceList) -> Body:
        operation = replace(
            entry.operation, input_parameters=_inputs(entry), label="", description=""
        )
        if operation.call is None and not operation.steps:
            raise leave_out(
                "missing-member", f"{self._shown} needs `call` or `steps`", entry.location
            )
        body = self.operations.body(operation, Setting(self.adapter))
        self._check_effect(entry, body.effect, body.plan.calls)
        needed = [item.name for item in body.inputs.inputs if item.required]
        if needed:
            names = ", ".join(f"`{name}`" for name in needed)
            raise leave_out(
                "missing-argument",
                f"{self._shown} gives no value for {names}",
                entry.location,
                "add it to `with`",
            )
        body.inputs.prepare()
        return body

    def _check_variables(
        self, entry: ResourceList, variables: Sequence[str], optional: Collection[str]
    ) -> None:
        if not variables:
            raise leave_out(
                "list-without-variables",
                f"{self._shown} lists what a `uri` with variables leads to, and this one has none",
                entry.location,
                "write a `uri` such as `books://{id}`, or leave `list` out",
            )
        given = {key.text: key for key, _ in entry.variables}
        for name, key in given.items():
            if name not in variables:
                raise leave_out(
                    "unknown-variable",
                    f"`{name}` is no variable of the `uri` of `{self.owner}`",
                    key.location,
                    did_you_mean(name, variables),
                )
        missing = [name for name in variables if name not in given and name not in optional]
        if missing:
            names = ", ".join(f"`{name}`" for name in missing)
            raise leave_out(
                "unfilled-variable",
                f"{self._shown} gives no value for {names} of the `uri`",
                entry.location,
                f'add `variables: {{{missing[0]}: "{{{{{entry.as_}.{missing[0]}}}}}"}}`',
            )

    def _check_effect(self, entry: ResourceList, effect: Effect, calls: Sequence[str]) -> None:
        if effect in (Effect.WRITE, Effect.DESTRUCTIVE):
            raise leave_out(
                "list-changes-something",
                f"{self._shown} calls {', '.join(f'`{call}`' for call in calls)}, which changes "
                "what it is called on; clients list unasked, so it may only read",
                entry.location,
            )

    def _maybe(self, entry: ResourceList, scalar: Scalar | None) -> Template | None:
        return None if scalar is None else self._template(entry, scalar)

    def _template(self, entry: ResourceList, scalar: Scalar) -> Template:
        template = self.operations.templates.scalar(scalar)
        self._check_names(entry, template.references, is_choice=False)
        return template

    def _check_names(
        self, entry: ResourceList, references: Collection[Reference], *, is_choice: bool
    ) -> None:
        """Say which names mean nothing: a `filter` that reads one would let everything through."""
        for name, reference in unbound(references, self.operations.templates):
            root = name.partition(".")[0]
            if root == entry.as_:
                continue
            problem = Problem(
                code="unknown-name",
                message=f"`{reference.name}` in {self._shown} is not the item, so it has no value",
                location=reference.location,
                hint=did_you_mean(root, [entry.as_]),
                severity=Severity.WARNING,
            )
            if is_choice:
                raise LeftOut(problem)
            self.problems.add(problem)


def _inputs(entry: ResourceList) -> tuple[InputParameter, ...] | None:
    if entry.next_ is None:
        return None
    return (InputParameter(name=CURSOR, location=entry.location, type_="string", required=False),)


def _path(scalar: Scalar | None) -> Path | None:
    return compile_path(scalar.text, scalar.at) if scalar is not None else None
