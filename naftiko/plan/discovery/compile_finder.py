"""A `discover` entry of the model -> DiscoveryPlan: how items are listed, chosen and enriched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from naftiko.document.nodes import Scalar
from naftiko.expressions.jsonpath import compile_path
from naftiko.expressions.template import Template
from naftiko.model.build_steps import nested_steps
from naftiko.model.discovery import Discovery, Enrichment, Report
from naftiko.model.exposes import ExposedOperation
from naftiko.model.steps import Step
from naftiko.plan.aggregates import Body
from naftiko.plan.called import Setting
from naftiko.plan.clients import leave_out
from naftiko.plan.discovery.members import Members
from naftiko.plan.discovery.plan import ALL, DiscoveryPlan, ReportPlan
from naftiko.plan.operations import OperationCompiler
from naftiko.plan.ports import Effect

REFRESH_S, MIN_REFRESH_S, MAX_REFRESH_S = 300.0, 1.0, 30 * 86_400.0
WAIT_S, MAX_WAIT_S = 5.0, 60.0
PARALLEL, MAX_PARALLEL = 4, 64
MAX_ITEMS, MOST_ITEMS = 1_000, 10_000
"""What holds where a file does not say, and how far it may go."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinderCompiler:
    """Compiles what finds the items of one entry. It may only read."""

    adapter: str
    entry: Discovery
    members: Members
    operations: OperationCompiler

    def plan(self) -> DiscoveryPlan:
        """Return the plan.

        Raises: LeftOut, ExpressionError.
        """
        entry = self.entry
        if self.members.means_something(entry.as_):
            raise leave_out(
                "reserved-name",
                f"`as: {entry.as_}` means something else in templates already",
                entry.as_at or entry.location,
                "call the items something else, such as `as: item`",
            )
        listing = self._listing()
        enrichment = self._enrichment(entry.enrich) if entry.enrich is not None else None
        enrich = entry.enrich
        refresh_s = self.members.seconds(
            entry.refresh, "refresh", REFRESH_S, MIN_REFRESH_S, MAX_REFRESH_S
        )
        return DiscoveryPlan(
            name=entry.name,
            as_=entry.as_,
            location=entry.location,
            listing=listing.plan,
            by_steps=bool(entry.operation.steps),
            items=compile_path(entry.items.text, entry.items.at) if entry.items else None,
            key=self._key(entry.key),
            filter_=self.members.choice(entry.filter_, (entry.as_,)),
            enrichment=enrichment.plan if enrichment is not None else None,
            outputs=tuple(_outputs(enrich.operation.steps)) if enrich is not None else (),
            parallel=self.members.count(
                enrich.parallel if enrich else None, "parallel", PARALLEL, MAX_PARALLEL
            ),
            refresh_s=refresh_s,
            enrich_refresh_s=self.members.seconds(
                enrich.refresh, "enrich.refresh", refresh_s, MIN_REFRESH_S, MAX_REFRESH_S
            )
            if enrich is not None
            else None,
            wait_s=self.members.seconds(entry.wait, "wait", WAIT_S, 0.0, MAX_WAIT_S),
            max_items=self.members.count(entry.max_items, "maxItems", MAX_ITEMS, MOST_ITEMS),
            reports=tuple(self._report(report) for report in entry.reports),
        )

    def _key(self, scalar: Scalar | None) -> Template | None:
        """Compile the key, which has to read something of the item, or all have the same."""
        key = self.members.text(scalar, (self.entry.as_,))
        if key is None or scalar is None:
            return None
        if any(item.name.partition(".")[0] == self.entry.as_ for item in key.references):
            return key
        raise leave_out(
            "constant-key",
            f"`key` of the `discover` entry `{self.entry.name}` reads nothing of the item, so that "
            "all items would count as the same one",
            scalar.location,
            f'write `key: "{{{{{self.entry.as_}.id}}}}"`, or leave it out',
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
            if name == self.entry.as_ or self.members.means_something(name):
                raise leave_out(
                    "reserved-step-name",
                    f"a step of `enrich` cannot be called `{name}`, which means something else in "
                    "templates",
                    enrich.location,
                    "rename the step",
                )
        return self._read_only(enrich.operation, (self.entry.as_,))

    def _read_only(self, operation: ExposedOperation, given: tuple[str, ...]) -> Body:
        """Compile what is called unasked, again and again: it must change nothing."""
        body = self.operations.body(operation, Setting(self.adapter, given=given))
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
        entries = self.members.value(report.for_each, known)
        if entries is not None:
            known.append(report.as_)
        message = self.members.text(report.message, known)
        assert message is not None
        return ReportPlan(
            message=message,
            when=self.members.condition(report.when, known),
            entries=entries,
            as_=report.as_,
        )


def _outputs(steps: Sequence[Step]) -> Iterator[str]:
    """Yield the names that steps leave behind: those in loops and branches are seen there only."""
    for step in steps:
        if step.name:
            yield step.name
        if step.type_ not in ("forEach", "parallel"):
            for inner in nested_steps(step):
                yield from _outputs(inner)
