"""`discover` entries of the model -> Discovered: finders, and templates of what they find."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from naftiko.document.nodes import Scalar
from naftiko.errors import Problem, Problems, Severity, did_you_mean
from naftiko.expressions import ExpressionError
from naftiko.expressions.template import Template
from naftiko.model.build_discovery import CHOICES
from naftiko.model.discovery import DiscoveredEntry, Discovery
from naftiko.model.exposes import ExposedOperation
from naftiko.plan.called import Setting
from naftiko.plan.capability import Disabled, OperationPlan
from naftiko.plan.clients import LeftOut, leave_out
from naftiko.plan.discovery.compile_finder import FinderCompiler
from naftiko.plan.discovery.entries import Discovered
from naftiko.plan.discovery.finder import Finder
from naftiko.plan.discovery.members import Members
from naftiko.plan.discovery.template import ARGUMENTS, NAME, EntryTemplate
from naftiko.plan.infer import Place
from naftiko.plan.operations import OperationCompiler
from naftiko.source import Location
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from naftiko.plan.discovery.routes import OwnRoutes

CompileEntry = Callable[[ExposedOperation, Setting], "OperationPlan | None"]


@dataclass(slots=True, kw_only=True)
class DiscoveryCompiler:
    """Compiles the `discover` entries of one capability.

    `by_name` are the finders, `found` what the adapters make of what they find, both by the names
    of the entries.
    """

    operations: OperationCompiler
    problems: Problems
    by_name: dict[str, Finder] = field(default_factory=dict)
    found: dict[str, Discovered] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

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
                one = _EntryCompiler(self, adapter, entry)
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
        self.refused.add(entry.name)
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
class _EntryCompiler:
    """Compiles one entry."""

    parent: DiscoveryCompiler
    adapter: str
    entry: Discovery

    @property
    def members(self) -> Members:
        return Members(
            entry=self.entry.name,
            templates=self.parent.operations.templates,
            problems=self.parent.problems,
        )

    def template(self, compile_entry: CompileEntry, *, routes: bool) -> EntryTemplate | None:
        self._refuse_misspelt()
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
            select=self.members.choice(self.entry.select, known),
            name=self._name(shape, known),
            label=self.members.text(shape.label, known),
            description=self.members.text(shape.description, known),
            input_schema=self.members.value(shape.input_schema, known),
            output_schema=self.members.value(shape.output_schema, known),
            hints=self.members.value(shape.hints, known),
            method=_method(shape) if routes else "",
            path=path,
        )

    def _refuse_misspelt(self) -> None:
        """Serve nothing that a misspelt `filter` or `select` was to hold back."""
        name = self.entry.misspelt
        if name is not None:
            raise leave_out(
                "misspelt-choice",
                f"`{name.text}` chooses nothing, so that the `discover` entry `{self.entry.name}` "
                "would let all items through",
                name.location,
                did_you_mean(name.text, CHOICES),
            )

    def _name(self, shape: DiscoveredEntry, known: Collection[str]) -> Template:
        template = self.members.text(shape.name, known)
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
        template = self.members.text(shape.path, (*known, NAME))
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
            self._refuse_listing(self.entry.from_)
            return self._found_by(self.entry.from_)
        plan = FinderCompiler(
            adapter=self.adapter,
            entry=self.entry,
            members=self.members,
            operations=self.parent.operations,
        ).plan()
        finder = Finder(plan, self.parent.operations.templates.masker, adapter=self.adapter)
        finders[self.entry.name] = finder
        return finder

    def _found_by(self, from_: Scalar) -> Finder:
        name, finders = from_.text, self.parent.by_name
        found = finders.get(name)
        if found is not None:
            return found
        if name in self.parent.refused:
            raise leave_out(
                "unknown-discovery",
                f"`from: {name}` names a `discover` entry that is left out itself",
                from_.location,
            )
        raise leave_out(
            "unknown-discovery",
            f"`from: {name}` names no `discover` entry before it",
            from_.location,
            did_you_mean(name, finders),
        )

    def _refuse_listing(self, from_: Scalar) -> None:
        """Let nobody believe that an entry lists or filters anew what it takes from another one."""
        entry = self.entry
        call = entry.operation.call
        steps = entry.operation.steps
        given: dict[str, Location | None] = {
            "call": call.target.location if call is not None else None,
            "steps": steps[0].location if steps else None,
            "items": entry.items.location if entry.items is not None else None,
            "key": entry.key.location if entry.key is not None else None,
            "filter": entry.filter_.location if entry.filter_ is not None else None,
            "enrich": entry.enrich.location if entry.enrich is not None else None,
        }
        for member, location in given.items():
            if location is not None:
                raise leave_out(
                    "unused-member",
                    f"`{member}` has no effect beside `from: {from_.text}`, whose items are taken "
                    "as they were found",
                    location,
                    "write `select` to choose among them" if member == "filter" else "",
                )


def _method(shape: DiscoveredEntry) -> str:
    return (shape.method.text if shape.method is not None else "POST").upper()
