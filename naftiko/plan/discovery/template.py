"""EntryTemplate: what becomes of each item, compiled once and bound to items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from naftiko.model.parameters import Hints
from naftiko.plan.capability import OperationPlan
from naftiko.plan.discovery.schemas import INPUT_SCHEMA, render_schema
from naftiko.plan.inputs import Input, InputTable
from naftiko.plan.ports import Plan, Result
from naftiko.plan.properties import properties_of
from naftiko.values import JsonObject, JsonSchema, JsonValue

if TYPE_CHECKING:
    from naftiko.expressions.conditions import Condition
    from naftiko.expressions.template import Template
    from naftiko.plan.discovery.finder import Finder
    from naftiko.plan.discovery.items import Entry
    from naftiko.plan.run import Run
    from naftiko.plan.values import ValueTemplate

ARGUMENTS = "arguments"
"""What templates of a discovered operation see of everything that its caller gave."""
NAME = "name"
"""What the path of a discovered route sees of the name that its item was given."""
MAX_DESCRIPTION = 100_000
MAX_LABEL = 200


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
        schema = render_schema(self.input_schema, scope, INPUT_SCHEMA)
        if self.path is None:
            inputs = tuple(
                Input(name=name, schema=inner, required=is_required)
                for name, inner, is_required in properties_of(schema)
            )
            table = InputTable(inputs=inputs, verbatim=schema)
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
        return render_schema(self.output_schema, scope, "outputSchema")

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


def _text(template: Template | None, scope: JsonObject, default: str) -> str:
    if template is None:
        return default
    # Half of a surrogate pair cannot be sent, and would take the list of all tools with it.
    return template.render_text(scope).encode("utf-8", "replace").decode("utf-8")


def _flag(values: JsonObject, name: str) -> bool | None:
    value = values.get(name)
    return value if isinstance(value, bool) else None
