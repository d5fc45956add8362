"""Discovered items -> operations, each under a name of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from naftiko.errors import RunError
from naftiko.model.parameters import Hints
from naftiko.plan.capability import OperationPlan
from naftiko.plan.discovery.names import assign_names
from naftiko.plan.inputs import Input, InputTable, compile_validator
from naftiko.plan.ports import Plan, Result
from naftiko.plan.schema_bounds import refuse_explosion
from naftiko.values import MISSING, JsonObject, JsonSchema, JsonValue

if TYPE_CHECKING:
    from naftiko.expressions.conditions import Condition
    from naftiko.expressions.template import Template
    from naftiko.plan.discovery.finder import Finder
    from naftiko.plan.discovery.items import Entry
    from naftiko.plan.discovery.routes import OwnRoutes
    from naftiko.plan.run import Run
    from naftiko.plan.values import ValueTemplate

ARGUMENTS = "arguments"
"""What templates of a discovered operation see of everything that its caller gave."""
NAME = "name"
"""What the path of a discovered route sees of the name that its item was given."""
INPUT_SCHEMA = "inputSchema"
MAX_DESCRIPTION = 100_000
MAX_LABEL = 200
MAX_SCHEMA_BYTES = 256 * 1024
MAX_PATTERNS = 100
"""Patterns of a schema that was found: compiling one may take 20 ms, and the event loop waits."""
MAX_PROBLEMS = 50
"""Items whose problems are said one by one."""
AT_A_TIME = 20
"""Items that are made operations of before others on the event loop have their turn."""

logger = logging.getLogger("naftiko.discovery")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class BoundPlan:
    """The plan of a template, run for one item.

    `given` is what templates see of the item. With `spread` they see the caller's arguments by
    their names as well, else only as a whole, so that an argument's name can clash with nothing.
    `variables` are those of a route's path, which they see by their names in any case; `beside`
    are those of them that are no arguments.
    """

    plan: Plan
    given: Mapping[str, JsonValue]
    spread: bool
    variables: tuple[str, ...] = ()
    beside: frozenset[str] = frozenset()

    @property
    def calls(self) -> Sequence[str]:
        """Return what the template calls."""
        return self.plan.calls

    async def run(self, run: Run) -> Result:
        """Run it.

        Raises: RunError; Suspended.
        """
        inputs = run.inputs
        arguments = {name: value for name, value in inputs.items() if name not in self.beside}
        named = inputs if self.spread else {name: inputs.get(name) for name in self.variables}
        # In place: content that is rendered after the run sees the same.
        run.inputs = {**named, **self.given, ARGUMENTS: arguments}
        return await self.plan.run(run)

    def explain(self) -> Sequence[str]:
        """Return what the template does."""
        return self.plan.explain()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EntryTemplate:
    """What becomes of each item: the operation once compiled, and texts over the item.

    `discovery` is the name of the `discover` entry, which may take its items `from` another one's
    finder. `select` lets items through, with what their enrichment gave. `operation` is what all of
    them share; its inputs hold where there is no `input_schema`. Where it may not be `served`, for
    it changes something, its items are listed all the same (`alwaysListed`).
    """

    discovery: str
    finder: Finder
    operation: OperationPlan
    select: Condition | None
    name: Template
    label: Template | None
    description: Template | None
    input_schema: ValueTemplate | None
    output_schema: ValueTemplate | None
    hints: ValueTemplate | None
    method: str = ""
    path: Template | None = None
    served: bool = True

    def scope(self, entry: Entry) -> JsonObject:
        """Return what its templates see of an item."""
        return {**entry.outputs, self.finder.plan.as_: entry.item}

    def wanted(self, entry: Entry) -> bool:
        """Tell whether `select` lets an item through.

        Raises: ShapingError.
        """
        return self.select is None or self.select.test(self.scope(entry))

    def named(self, entry: Entry) -> str:
        """Return the name that the file gives an item, safe or not.

        Raises: ShapingError.
        """
        return self.name.render_text(self.scope(entry))

    def build(self, entry: Entry, name: str) -> DiscoveredOperation:
        """Return the operation of an item.

        Raises: ShapingError; RunError[invalid-input-schema] where its schema is none.
        """
        scope = self.scope(entry)
        inputs, variables, beside = self._inputs(scope)
        operation = replace(
            self.operation,
            name=name,
            label=_text(self.label, scope, self.operation.label)[:MAX_LABEL],
            description=_text(self.description, scope, self.operation.description)[
                :MAX_DESCRIPTION
            ],
            inputs=inputs,
            output_schema=self._output_schema(scope),
            hints=self._hints(scope),
            plan=BoundPlan(
                plan=self.operation.plan,
                given=scope,
                spread=self.input_schema is None,
                variables=variables,
                beside=beside,
            ),
        )
        path = None
        if self.path is not None:
            from naftiko.plan.discovery.routes import render_path

            path = render_path(self.path, {**scope, NAME: name})
        return DiscoveredOperation(
            key=entry.key,
            item=entry.item,
            operation=operation,
            method=self.method,
            path=path,
            discovery=self.discovery,
        )

    def _inputs(self, scope: JsonObject) -> tuple[InputTable, tuple[str, ...], frozenset[str]]:
        """Return the inputs, the variables of the path, and those that are no arguments."""
        if self.input_schema is None:
            return self.operation.inputs, (), frozenset()
        schema = _schema(self.input_schema, scope, INPUT_SCHEMA)
        if self.path is None:
            table = InputTable(inputs=tuple(_listed(schema)), verbatim=schema)
            table.prepare()
            return table, (), frozenset()
        from naftiko.plan.discovery.routes import route_inputs

        in_path = [item for item in self.operation.inputs.inputs if "path" in item.sources]
        names = tuple(item.name for item in in_path)
        declared = schema.get("properties")
        beside = frozenset(names) - (declared.keys() if isinstance(declared, dict) else set())
        return route_inputs(schema, self.method, in_path), names, beside

    def _output_schema(self, scope: JsonObject) -> JsonSchema | None:
        if self.output_schema is None:
            return self.operation.output_schema
        return _schema(self.output_schema, scope, "outputSchema")

    def _hints(self, scope: JsonObject) -> Hints:
        if self.hints is None:
            return self.operation.hints
        found = self.hints.render(scope)
        given = found if isinstance(found, dict) else {}
        return Hints(
            read_only=_flag(given, "readOnly"),
            destructive=_flag(given, "destructive"),
            idempotent=_flag(given, "idempotent"),
            open_world=_flag(given, "openWorld"),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DiscoveredOperation:
    """What one item of the `discover` entry `discovery` became.

    `method` and `path` are those of a route; the path is percent-encoded but for its `{variables}`.
    """

    key: str
    item: JsonValue
    operation: OperationPlan
    method: str = ""
    path: str | None = None
    discovery: str = ""


@dataclass(slots=True, eq=False, repr=False)
class _Place:
    """One template of an adapter, and the entries that its finder last had."""

    template: EntryTemplate
    entries: tuple[Entry, ...] = ()
    built: tuple[DiscoveredOperation, ...] = ()
    listed: list[JsonValue] = field(default_factory=list)
    problems: tuple[str, ...] = ()


class Discovered:
    """All discovered operations of one adapter, kept up to date.

    `operations` is swapped as a whole. Who listens is called on the event loop afterwards.
    """

    def __init__(self, taken: Collection[str] = (), own: OwnRoutes | None = None) -> None:
        """Start empty; `taken` are the names of the operations that the file itself holds.

        `own` are its routes, where the adapter has any.
        """
        self.operations: tuple[DiscoveredOperation, ...] = ()
        self._taken = tuple(taken)
        self._own = own
        self._places: list[_Place] = []
        self._listeners: list[Callable[[], None]] = []
        self._cache: dict[tuple[int, str, str], tuple[Entry, DiscoveredOperation]] = {}
        self._rebuilds = 0

    def add(self, template: EntryTemplate) -> None:
        """Make operations of what a finder finds, from now on."""
        place = _Place(template)
        self._places.append(place)

        async def update(entries: tuple[Entry, ...]) -> None:
            place.entries = entries
            await self._rebuild()

        template.finder.subscribe(update)

    def start(self) -> None:
        """Start looking, on the running loop, where the capability has not done so itself."""
        for place in self._places:
            place.template.finder.start()

    @property
    def templates(self) -> tuple[EntryTemplate, ...]:
        """The templates, in the file's order."""
        return tuple(place.template for place in self._places)

    def operations_of(self, template: EntryTemplate) -> tuple[DiscoveredOperation, ...]:
        """Return what one template has given that is served."""
        found = (place.built for place in self._places if place.template is template)
        return next(found, ()) if template.served else ()

    def listen(self, listener: Callable[[], None]) -> None:
        """Have this called, on the event loop, whenever `operations` is another one."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Call this no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def listed(self, name: str) -> list[JsonValue]:
        """Return `[{name, key, item}]` of one `discover` entry. It is shared: not to be changed.

        Routes have their `method` and `path` as well.
        """
        for place in self._places:
            if place.template.discovery == name:
                return place.listed
        return []

    def problems(self, name: str) -> tuple[str, ...]:
        """Return why items of one `discover` entry became no operations."""
        for place in self._places:
            if place.template.discovery == name:
                return place.problems
        return ()

    async def _rebuild(self) -> None:
        self._rebuilds += 1
        current = self._rebuilds
        taken = set(self._taken)
        cache: dict[tuple[int, str, str], tuple[Entry, DiscoveredOperation]] = {}
        claimed: dict[tuple[str, str], str] = {}
        count = 0
        for number, place in enumerate(self._places):
            problems: list[str] = []
            wanted = await self._wanted(place, problems)
            if current != self._rebuilds:
                return  # another finder has found something: that turn sees this as well
            names = assign_names(
                {entry.key: raw for entry, raw in wanted},
                taken,
                fallback=place.template.discovery,
            )
            taken.update(names.values())
            built: list[DiscoveredOperation] = []
            for entry, _ in wanted:
                name = names[entry.key]
                count += 1
                if count % AT_A_TIME == 0:
                    await asyncio.sleep(0)
                    if current != self._rebuilds:
                        return
                made = self._made(number, place.template, entry, name, problems)
                if made is not None:
                    cache[number, entry.key, name] = (entry, made)
                    if self._is_free(place, made, claimed, problems):
                        built.append(made)
            place.built = tuple(built)
            place.listed = [_shown(item) for item in built]
            self._say(place, problems)
        self._cache = cache
        operations = tuple(
            item for place in self._places if place.template.served for item in place.built
        )
        if len(operations) == len(self.operations) and all(
            left is right for left, right in zip(operations, self.operations, strict=True)
        ):
            return
        self.operations = operations
        for listener in list(self._listeners):
            listener()

    async def _wanted(self, place: _Place, problems: list[str]) -> list[tuple[Entry, str]]:
        found: list[tuple[Entry, str]] = []
        template = place.template
        for number, entry in enumerate(place.entries, 1):
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
            try:
                if template.wanted(entry):
                    found.append((entry, template.named(entry)))
            except RunError as error:
                problems.append(_problem(template.finder, entry, error))
            except Exception:  # noqa: BLE001  # a bug of ours, or what only this item can do to us
                problems.append(_bug(template.finder, entry))
        return found

    def _made(
        self,
        number: int,
        template: EntryTemplate,
        entry: Entry,
        name: str,
        problems: list[str],
    ) -> DiscoveredOperation | None:
        kept = self._cache.get((number, entry.key, name))
        if kept is not None and kept[0] is entry:
            return kept[1]
        try:
            return template.build(entry, name)
        except RunError as error:
            problems.append(_problem(template.finder, entry, error))
        except Exception:  # noqa: BLE001  # as above: the other items are served all the same
            problems.append(_bug(template.finder, entry))
        return None

    def _is_free(
        self,
        place: _Place,
        made: DiscoveredOperation,
        claimed: dict[tuple[str, str], str],
        problems: list[str],
    ) -> bool:
        """Tell whether nobody else answers the route of an item."""
        if self._own is None or made.path is None:
            return True
        key = place.template.finder.voice.shown(made.key)
        objection = self._own.objection(made.method, made.path, claimed, key)
        if objection is not None:
            problems.append(f"{key} is not served: {place.template.finder.voice.shown(objection)}")
        return objection is None

    def _say(self, place: _Place, problems: list[str]) -> None:
        found = tuple(problems[:MAX_PROBLEMS])
        if len(problems) > MAX_PROBLEMS:
            found = (*found, f"{len(problems):,} items are not served in all")
        for text in found:
            if text not in place.problems:
                logger.warning("discovery %s: %s", place.template.discovery, text)
        place.problems = found


def _problem(finder: Finder, entry: Entry, error: RunError) -> str:
    return f"{finder.voice.shown(entry.key)} is not served: {finder.voice.shown(error.message)}"


def _bug(finder: Finder, entry: Entry) -> str:
    return _problem(finder, entry, finder.voice.bug(finder.voice.shown(entry.key)))


def _shown(item: DiscoveredOperation) -> JsonObject:
    shown: JsonObject = {"name": item.operation.name, "key": item.key, "item": item.item}
    if item.path is not None:
        shown |= {"method": item.method, "path": item.path}
    return shown


def _text(template: Template | None, scope: JsonObject, default: str) -> str:
    if template is None:
        return default
    # Half of a surrogate pair cannot be sent, and would take the list of all tools with it.
    return template.render_text(scope).encode("utf-8", "replace").decode("utf-8")


def _flag(values: JsonObject, name: str) -> bool | None:
    value = values.get(name)
    return value if isinstance(value, bool) else None


def _listed(schema: JsonObject) -> Iterator[Input]:
    """Yield the inputs that a schema names, so that texts can be read by their types."""
    properties, required = schema.get("properties"), schema.get("required")
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        if isinstance(inner, dict):
            needed = isinstance(required, list) and name in required
            yield Input(name=name, schema=inner, required=needed)


def _schema(template: ValueTemplate, scope: JsonObject, member: str) -> JsonObject:
    """Render a JSON Schema.

    Raises: RunError[invalid-schema] where it is no object, too large, or no JSON Schema.
    """
    found = template.render(scope)
    if not isinstance(found, dict):
        shown = "nothing" if found is MISSING else "no object"
        raise RunError(code="invalid-schema", message=f"its `{member}` is {shown}")
    import orjson

    try:
        if len(orjson.dumps(found)) > MAX_SCHEMA_BYTES:
            raise RunError(
                code="invalid-schema",
                message=f"its `{member}` has more than {MAX_SCHEMA_BYTES // 1024} KiB",
            )
        if member == INPUT_SCHEMA and not _may_be_object(found.get("type", "object")):
            raise RunError(
                code="invalid-schema", message=f"its `{member}` does not describe an object"
            )
        if sum(_patterns(found)) > MAX_PATTERNS:
            raise RunError(
                code="invalid-schema",
                message=f"its `{member}` has more than {MAX_PATTERNS} patterns",
            )
        refuse_explosion(found)
        compile_validator(found)
    except (ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise RunError(
            code="invalid-schema", message=f"its `{member}` is no valid JSON Schema: {reason}"
        ) from error
    return found


def _may_be_object(kind: JsonValue) -> bool:
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


def _patterns(node: JsonValue) -> Iterator[int]:
    """Yield how many patterns each part of a schema has."""
    if isinstance(node, list):
        for item in node:
            yield from _patterns(item)
    if isinstance(node, dict):
        yield isinstance(node.get("pattern"), str)
        named = node.get("patternProperties")
        yield len(named) if isinstance(named, dict) else 0
        for item in node.values():
            yield from _patterns(item)
