"""A compiled `discover` block: how items are listed and enriched, within which bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from naftiko.errors import RunError
from naftiko.expressions.conditions import Condition
from naftiko.expressions.jsonpath import Path
from naftiko.expressions.template import Template
from naftiko.expressions.text import json_text, type_name
from naftiko.plan.ports import Plan
from naftiko.plan.run import Log, Run
from naftiko.plan.values import ValueTemplate
from naftiko.source import Location
from naftiko.values import MISSING, JsonObject, JsonValue

ALL = "items"
"""What reports see of the whole list."""
MAX_KEY = 2_048
"""Characters that are kept of a key; what is longer is told apart by its digest."""
MAX_REPORTED = 50
"""Messages of one report: an entry each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ReportPlan:
    """A warning about what was found: where `when` holds, for each entry of `entries` if given."""

    message: Template
    when: Condition | None
    entries: ValueTemplate | None
    as_: str

    def messages(self, scope: JsonObject) -> list[str]:
        """Return what is to be said.

        Raises: ShapingError where a template fails on the values that it gets.
        """
        if self.entries is None:
            return [self.message.render_text(scope)] if self._holds(scope) else []
        entries = self.entries.render(scope)
        found: list[str] = []
        for entry in entries if isinstance(entries, list) else []:
            inner = {**scope, self.as_: entry}
            if self._holds(inner):
                found.append(self.message.render_text(inner))
                if len(found) >= MAX_REPORTED:
                    break
        return found

    def _holds(self, scope: JsonObject) -> bool:
        return self.when is None or self.when.test(scope)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DiscoveryPlan:
    """How the items of one `discover` entry are found.

    `listing` gives the list, at `items` in its answer (in the outputs of its steps where `by_steps`
    says so). `enrichment` runs for each item that `filter_` lets through, `parallel` of them at a
    time; `outputs` are the names that it gives. Durations are in seconds.
    """

    name: str
    as_: str
    location: Location
    listing: Plan
    by_steps: bool
    items: Path | None
    key: Template | None
    filter_: Condition | None
    enrichment: Plan | None
    outputs: tuple[str, ...]
    parallel: int
    refresh_s: float
    enrich_refresh_s: float | None
    wait_s: float
    max_items: int
    reports: tuple[ReportPlan, ...] = field(default=())

    @property
    def calls(self) -> Sequence[str]:
        """Return the addresses that listing and enrichment may call, each once."""
        enriching = self.enrichment.calls if self.enrichment is not None else ()
        return tuple(dict.fromkeys((*self.listing.calls, *enriching)))

    async def fetch(self) -> list[JsonValue]:
        """Return every item there is.

        Raises: RunError where the list cannot be had, or is none.
        """
        run = Run(inputs={})
        result = await self.listing.run(run)
        value: JsonValue = dict(run.outputs)
        if not self.by_steps:
            decoded = await result.decoded()
            value = None if decoded is MISSING else decoded
        if result.failed:
            raise RunError(
                code="listing-failed",
                message=f"{', '.join(self.listing.calls)} answered with a failure "
                f"(status {result.status})",
            )
        found = value if self.items is None else self.items.find(value)
        if isinstance(found, list):
            return found
        where = self.items.text if self.items is not None else "the answer"
        shown = "nothing" if found is MISSING else type_name(found)
        raise RunError(
            code="not-a-list",
            message=f"`{where}` is to be the list of items, found {shown}",
            hint="`items` is the path of a list in the answer: `items: $.functions`",
        )

    def key_of(self, item: JsonValue) -> str:
        """Return what tells an item from the others.

        Raises: ShapingError where the template fails on the item.
        """
        key = json_text(item) if self.key is None else self.key.render_text({self.as_: item})
        if len(key) <= MAX_KEY:
            return key
        digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{key[:MAX_KEY]}…{digest}"

    def is_wanted(self, item: JsonValue) -> bool:
        """Tell whether `filter` lets an item through.

        Raises: ShapingError where it fails on the item.
        """
        return self.filter_ is None or self.filter_.test({self.as_: item})

    async def enrich(self, item: JsonValue, log: Log | None = None) -> JsonObject:
        """Return what the enrichment steps give for an item, by their names.

        `log` hears what `log` steps say.

        Raises: RunError of a step that ends the run.
        """
        if self.enrichment is None:
            return {}
        run = Run(inputs={self.as_: item}, log=log)
        await self.enrichment.run(run)
        return dict(run.outputs)

    def messages(self, items: list[JsonValue]) -> list[str]:
        """Return what the reports say about a list.

        Raises: ShapingError where a template fails.
        """
        scope: JsonObject = {ALL: items}
        return [text for report in self.reports for text in report.messages(scope)]

    def explain(self) -> list[str]:
        """Say what is asked, and how often; no secrets."""
        lines = [f"discovered again every {self.refresh_s:g} s, at most {self.max_items:,} items"]
        lines += [f"  {line}" for line in self.listing.explain()]
        if self.filter_ is not None:
            lines.append(f"  of which only: {self.filter_.text}")
        if self.enrichment is not None:
            again = (
                ""
                if self.enrich_refresh_s is None
                else f", again after {self.enrich_refresh_s:g} s"
            )
            lines.append(f"  for each item, {self.parallel} at a time{again}:")
            lines += [f"    {line}" for line in self.enrichment.explain()]
        return lines
