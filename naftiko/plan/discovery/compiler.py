"""`discover` entries of the model -> finders, and templates of what they find."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from naftiko.document.nodes import Mapping, Node, Scalar
from naftiko.errors import Problem, Problems, Severity, did_you_mean
from naftiko.expressions import ExpressionError
from naftiko.expressions.conditions import Condition
from naftiko.expressions.durations import parse_duration_s
from naftiko.expressions.jsonpath import compile_path
from naftiko.expressions.template import Reference, Template
from naftiko.model.build_steps import nested_steps
from naftiko.model.discovery import DiscoveredEntry, Discovery, Enrichment, Report
from naftiko.model.exposes import ExposedOperation
from naftiko.model.steps import Step
from naftiko.plan.aggregates import Body
from naftiko.plan.capability import Disabled, OperationPlan
from naftiko.plan.clients import LeftOut, leave_out
from naftiko.plan.discovery.entries import ARGUMENTS, NAME, Discovered, EntryTemplate
from naftiko.plan.discovery.finder import Finder
from naftiko.plan.discovery.plan import ALL, DiscoveryPlan, ReportPlan
from naftiko.plan.infer import Place
from naftiko.plan.operations import OperationCompiler, Setting
from naftiko.plan.ports import Effect
from naftiko.plan.settings import AdapterSettings
from naftiko.plan.templates import DISCOVERED, unbound
from naftiko.plan.values import ValueTemplate
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from naftiko.plan.discovery.routes import OwnRoutes

REFRESH_S, MIN_REFRESH_S, MAX_REFRESH_S = 300.0, 1.0, 30 * 86_400.0
WAIT_S, MAX_WAIT_S = 5.0, 60.0
PARALLEL, MAX_PARALLEL = 4, 64
MAX_ITEMS, MOST_ITEMS = 1_000, 10_000
"""What holds where a file does not say, and how far it may go."""

Compiled = TypeVar("Compiled")
CompileEntry = Callable[[ExposedOperation, Setting], "OperationPlan | None"]


@dataclass(slots=True, kw_only=True)
class DiscoveryCompiler:
    """Compiles the `discover` entries of one capability.

    `by_name` are the finders, `found` what the adapters make of what they find, both by the names
    of the entries.
    """

    operations: OperationCompiler
    settings: AdapterSettings
    problems: Problems
    by_name: dict[str, Finder] = field(default_factory=dict)
    found: dict[str, Discovered] = field(default_factory=dict)

    @property
    def finders(self) -> tuple[Finder, ...]:
        """Those that something is made of."""
        return tuple(
            dict.fromkeys(
                template.finder
                for discovered in self.found.values()
                for template in discovered.templates
            )
        )

    def reader(self, name: str) -> Callable[[], JsonValue]:
        """Return what reads the entries of one `discover` entry as they are when it is called."""

        def read() -> JsonValue:
            discovered = self.found.get(name)
            return [] if discovered is None else discovered.listed(name)

        return read

    def compile(
        self,
        adapter: str,
        entries: Sequence[Discovery],
        taken: Collection[str],
        compile_entry: CompileEntry,
        *,
        own: OwnRoutes | None = None,
    ) -> Discovered | None:
        """Compile the entries of one adapter; `taken` are the names of its own operations.

        `own` are its own routes, where it serves routes rather than tools.
        `compile_entry` compiles what a tool or route runs. What cannot be compiled is left out with
        a problem that names it.
        """
        discovered = Discovered(taken, own)
        for entry in entries:
            if not self._is_new(entry):
                continue
            try:
                if not self.operations.is_wanted(entry.operation):
                    continue
                one = _One(self, adapter, entry)
                template = one.template(compile_entry, routes=own is not None)
            except ExpressionError as error:
                self._left(adapter, entry, replace(error.problem, severity=Severity.WARNING))
                continue
            except LeftOut as left:
                self._left(adapter, entry, left.problem)
                continue
            if template is not None:
                discovered.add(template)
                self.found[entry.name] = discovered
        return discovered if discovered.templates else None

    def _left(self, adapter: str, entry: Discovery, problem: Problem) -> None:
        self.problems.add(problem)
        self.operations.disabled.append(Disabled(adapter=adapter, name=entry.name, problem=problem))

    def _is_new(self, entry: Discovery) -> bool:
        if not entry.name:
            self.problems.warn(
                "missing-name", "this `discover` entry has no `name`", entry.location
            )
            return False
        if entry.name in self.found or entry.name in self.by_name:
            self.problems.error(
                "duplicate-discovery",
                f"two `discover` entries are called `{entry.name}`",
                entry.location,
                "rename one; to serve the same items elsewhere, write `from: " + entry.name + "`",
            )
            return False
        return True


@dataclass(slots=True)
class _One:
    """Compiles one entry."""

    parent: DiscoveryCompiler
    adapter: str
    entry: Discovery

    def template(self, compile_entry: CompileEntry, *, routes: bool) -> EntryTemplate | None:
        shape = self.entry.entry
        if shape is None:
            word = "operation" if routes else "tool"
            raise leave_out(
                "missing-member",
                f"the `discover` entry `{self.entry.name}` needs `{word}`: what each item becomes",
                self.entry.location,
            )
        finder = self._finder()
        plan = finder.plan
        known = (plan.as_, *plan.outputs)
        given = (*known, ARGUMENTS)
        path = self._path(shape, known) if routes else None
        setting = Setting(
            self.adapter,
            place=self._place(shape, path, given) if path is not None else Place(),
            given=given,
            closed=shape.input_schema is not None,
            lists=self.entry.always_listed,
        )
        bare = replace(
            shape.operation,
            name=self.entry.name,
            label="",
            description="",
            input_schema=None,
            output_schema=None,
        )
        operation = compile_entry(bare, setting)
        if operation is None:
            return None
        return EntryTemplate(
            discovery=self.entry.name,
            finder=finder,
            operation=operation,
            served=self.parent.operations.may_serve(operation.hints, operation.effect),
            select=self._choice(self.entry.select, known),
            name=self._name(shape, known),
            label=self._text(shape.label, known),
            description=self._text(shape.description, known),
            input_schema=self._value(shape.input_schema, known),
            output_schema=self._value(shape.output_schema, known),
            hints=self._value(shape.hints, known),
            method=_method(shape) if routes else "",
            path=path,
        )

    def _name(self, shape: DiscoveredEntry, known: Collection[str]) -> Template:
        template = self._text(shape.name, known)
        if template is not None:
            return template
        raise leave_out(
            "missing-member",
            f"what the items of `{self.entry.name}` become needs a `name`",
            shape.location,
            'write `name: "{{item.name}}"`',
        )

    def _place(self, shape: DiscoveredEntry, path: Template, given: Collection[str]) -> Place:
        """Return the method and what is left of the path to callers: its `{variables}`."""
        from naftiko.plan.discovery.routes import METHODS, path_variables

        method = _method(shape)
        if method not in METHODS:
            raise leave_out(
                "unknown-method",
                f"`{method}` is no method that a discovered route can have",
                shape.method.location if shape.method is not None else shape.location,
                did_you_mean(method, METHODS),
            )
        place = shape.path.location if shape.path is not None else shape.location
        try:
            variables = path_variables(path.text)
        except ValueError as error:
            raise leave_out(
                "bad-path", f"`{path.text.strip()}` is no path: {error}", place
            ) from None
        for name in variables:
            if name in given or variables.count(name) > 1:
                reason = "is there twice" if name not in given else "has a value already"
                raise leave_out(
                    "bad-path",
                    f"the variable `{{{name}}}` of the path {reason}",
                    place,
                    "rename it; for a value of the item, write `{{" + name + "}}`"
                    if name in given
                    else "rename one",
                )
        return Place(method=method, path="".join(f"/{{{name}}}" for name in variables))

    def _path(self, shape: DiscoveredEntry, known: Collection[str]) -> Template:
        template = self._text(shape.path, (*known, NAME))
        if template is not None:
            return template
        raise leave_out(
            "missing-member",
            f"the routes of `{self.entry.name}` need a `path`, a template over the item",
            shape.location,
            f'write `path: "/{self.entry.name}/{{{{{NAME}}}}}"`; `{NAME}` is the name of each item',
        )

    # ------------------------------------------------------------------ finding

    def _finder(self) -> Finder:
        finders = self.parent.by_name
        if self.entry.from_ is not None:
            name = self.entry.from_.text
            found = finders.get(name)
            if found is None:
                raise leave_out(
                    "unknown-discovery",
                    f"`from: {name}` names no `discover` entry before it",
                    self.entry.from_.location,
                    did_you_mean(name, finders),
                )
            return found
        finder = Finder(self._plan(), self.parent.operations.templates.masker, adapter=self.adapter)
        finders[self.entry.name] = finder
        return finder

    def _plan(self) -> DiscoveryPlan:
        entry = self.entry
        if self._means_something(entry.as_):
            raise leave_out(
                "reserved-name",
                f"`as: {entry.as_}` means something else in templates already",
                entry.location,
                "call the items something else, such as `as: item`",
            )
        listing = self._listing()
        enrichment = self._enrichment(entry.enrich) if entry.enrich is not None else None
        enrich = entry.enrich
        refresh_s = self._seconds(entry.refresh, "refresh", REFRESH_S, MIN_REFRESH_S, MAX_REFRESH_S)
        return DiscoveryPlan(
            name=entry.name,
            as_=entry.as_,
            location=entry.location,
            listing=listing.plan,
            by_steps=bool(entry.operation.steps),
            items=compile_path(entry.items.text, entry.items.at) if entry.items else None,
            key=self._text(entry.key, (entry.as_,)),
            filter_=self._choice(entry.filter_, (entry.as_,)),
            enrichment=enrichment.plan if enrichment is not None else None,
            outputs=tuple(_outputs(enrich.operation.steps)) if enrich is not None else (),
            parallel=self._count(
                enrich.parallel if enrich else None, "parallel", PARALLEL, MAX_PARALLEL
            ),
            refresh_s=refresh_s,
            enrich_refresh_s=self._seconds(
                enrich.refresh, "enrich.refresh", refresh_s, MIN_REFRESH_S, MAX_REFRESH_S
            )
            if enrich is not None
            else None,
            wait_s=self._seconds(entry.wait, "wait", WAIT_S, 0.0, MAX_WAIT_S),
            max_items=self._count(entry.max_items, "maxItems", MAX_ITEMS, MOST_ITEMS),
            reports=tuple(self._report(report) for report in entry.reports),
        )

    def _listing(self) -> Body:
        operation = self.entry.operation
        if operation.call is None and not operation.steps:
            raise leave_out(
                "missing-member",
                f"the `discover` entry `{self.entry.name}` needs `call` or `steps`, which list",
                self.entry.location,
                "or `from`, to take the items of another entry",
            )
        return self._read_only(operation, ())

    def _enrichment(self, enrich: Enrichment) -> Body:
        if not enrich.operation.steps:
            raise leave_out(
                "missing-member",
                f"`enrich` of `{self.entry.name}` needs `steps`, which run for each item",
                enrich.location,
            )
        for name in _outputs(enrich.operation.steps):
            if name == self.entry.as_ or self._means_something(name):
                raise leave_out(
                    "reserved-step-name",
                    f"a step of `enrich` cannot be called `{name}`, which means something else in "
                    "templates",
                    enrich.location,
                    "rename the step",
                )
        return self._read_only(enrich.operation, (self.entry.as_,))

    def _means_something(self, name: str) -> bool:
        """Tell whether `{{name.x}}` leads elsewhere: to arguments, binds, what is discovered."""
        templates = self.parent.operations.templates
        if name in (ARGUMENTS, DISCOVERED, "env") or name in templates.variables.namespaces:
            return True
        return templates.input_name(f"{name}.x") is not None or (
            templates.variables.find(name) is not None
        )

    def _read_only(self, operation: ExposedOperation, given: tuple[str, ...]) -> Body:
        """Compile what is called unasked, again and again: it must change nothing."""
        body = self.parent.operations.body(operation, Setting(self.adapter, given=given))
        place = operation.call.target.location if operation.call else operation.location
        if body.effect in (Effect.WRITE, Effect.DESTRUCTIVE):
            raise leave_out(
                "discovery-changes-something",
                f"the `discover` entry `{self.entry.name}` calls "
                f"{', '.join(f'`{call}`' for call in body.plan.calls)}, of which something changes "
                "what it is called on; discovery runs unasked and may only read",
                place,
            )
        needed = [item.name for item in body.inputs.inputs if item.required]
        if needed:
            names = ", ".join(f"`{name}`" for name in needed)
            raise leave_out(
                "missing-argument",
                f"the `discover` entry `{self.entry.name}` gives no value for {names}",
                place,
                "add it to `with`",
            )
        return body

    def _report(self, report: Report) -> ReportPlan:
        name = self.entry.name
        if report.message is None:
            raise leave_out(
                "missing-member", f"a report of `{name}` needs a `message`", report.location
            )
        known = [ALL]
        entries = self._value(report.for_each, known)
        if entries is not None:
            known.append(report.as_)
        message = self._text(report.message, known)
        assert message is not None
        return ReportPlan(
            message=message,
            when=self._condition(report.when, known),
            entries=entries,
            as_=report.as_,
        )

    # ---------------------------------------------------------------- templates

    def _text(self, scalar: Scalar | None, known: Collection[str]) -> Template | None:
        if scalar is None:
            return None
        template = self.parent.operations.templates.scalar(scalar)
        self._check(template.references, known)
        return template

    def _value(self, node: Node | Mapping | None, known: Collection[str]) -> ValueTemplate | None:
        if node is None:
            return None
        value = self.parent.operations.templates.value(node)
        self._check(value.references, known)
        return value

    def _condition(self, scalar: Scalar | None, known: Collection[str]) -> Condition | None:
        if scalar is None:
            return None
        condition = self.parent.operations.templates.condition(scalar)
        self._check(condition.references, known)
        return condition

    def _choice(self, scalar: Scalar | None, known: Collection[str]) -> Condition | None:
        """Compile what chooses items: `not itm.hidden` would let all of them through."""
        if scalar is None:
            return None
        condition = self.parent.operations.templates.condition(scalar)
        unknown = next(self._unknown(condition.references, known), None)
        if unknown is not None:
            raise LeftOut(unknown)
        return condition

    def _check(self, references: Iterable[Reference], known: Collection[str]) -> None:
        """Say which names mean nothing: no caller gives anything here."""
        for problem in self._unknown(references, known):
            self.parent.problems.add(problem)

    def _unknown(
        self, references: Iterable[Reference], known: Collection[str]
    ) -> Iterator[Problem]:
        for name, reference in unbound(references, self.parent.operations.templates):
            root = name.partition(".")[0]
            if root in known or name in known:
                continue
            yield Problem(
                code="unknown-name",
                message=f"`{reference.name}` in the `discover` entry `{self.entry.name}` is "
                "neither the item nor something that `enrich` gives, so it has no value",
                location=reference.location,
                hint=did_you_mean(root, [*known, DISCOVERED]),
                severity=Severity.WARNING,
            )

    # ----------------------------------------------------------------- settings

    def _seconds(
        self, scalar: Scalar | None, member: str, default: float, least: float, most: float
    ) -> float:
        text = self._setting(scalar)
        if scalar is None or not text:
            return default
        try:
            seconds = parse_duration_s(text)
        except ValueError as error:
            raise leave_out("invalid-duration", f"`{member}`: {error}", scalar.location) from None
        if least <= seconds <= most:
            return seconds
        raise leave_out(
            "invalid-duration",
            f"`{member}` is to be between {least:g}s and {_shown_s(most)}, found `{text[:40]}`",
            scalar.location,
        )

    def _count(self, scalar: Scalar | None, member: str, default: int, most: int) -> int:
        text = self._setting(scalar)
        if scalar is None or not text:
            return default
        if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most:
            return int(text)
        raise leave_out(
            "invalid-bound",
            f"`{member}` is to be a whole number from 1 to {most:,}, found `{text[:40]}`",
            scalar.location,
        )

    def _setting(self, scalar: Scalar | None) -> str:
        """Return the text of a setting, with bound variables filled in."""
        if scalar is None:
            return ""
        return (self.parent.settings.text(scalar) or "").strip()


def _shown_s(seconds: float) -> str:
    return f"{seconds / 3600:g}h" if seconds >= 3600 else f"{seconds:g}s"


def _method(shape: DiscoveredEntry) -> str:
    return (shape.method.text if shape.method is not None else "POST").upper()


def _outputs(steps: Sequence[Step]) -> Iterator[str]:
    """Yield the names that steps leave behind: those in loops and branches are seen there only."""
    for step in steps:
        if step.name:
            yield step.name
        if step.type_ not in ("forEach", "parallel"):
            for inner in nested_steps(step):
                yield from _outputs(inner)
