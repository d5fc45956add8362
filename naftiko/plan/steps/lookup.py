"""`lookup` steps: the entries of an earlier output whose field has a value. Section 5.5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from naftiko.expressions.lookup import Getter
from naftiko.expressions.text import value_text
from naftiko.plan.steps.execution import At, CallsNothing, Execution
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonValue, Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupAction(CallsNothing):
    """Finds entries in the output of the step `index`, compared by their text: 5 is "5".

    A list of values gives the list of their first matches, in its order, without those that have
    none. `fields` are what is kept of an entry: all of it where there are none.
    """

    index: str
    match: str
    get_match: Getter
    value: ValueTemplate
    fields: tuple[tuple[str, Getter], ...]
    silent: ClassVar[bool] = False

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Return the entry, or the list of entries; MISSING where nothing matches."""
        wanted = self.value.render(at.scope)
        entries = self._entries(at)
        if wanted is MISSING or wanted is None or not entries:
            return MISSING
        if not isinstance(wanted, list):
            text = value_text(wanted)
            found = next((entry for key, entry in entries if key == text), None)
            return MISSING if found is None else self._kept(found)
        first: dict[str, JsonObject] = {}
        for key, entry in entries:
            first.setdefault(key, entry)
        texts = [value_text(item) for item in wanted if item is not None]
        return [self._kept(first[text]) for text in texts if text in first] or MISSING

    def _entries(self, at: At) -> list[tuple[str, JsonObject]]:
        """Return the entries that have the field, with its text; one object is a list of one."""
        output = at.frame.values.get(self.index, MISSING)
        entries = output if isinstance(output, list) else [output]
        found: list[tuple[str, JsonObject]] = []
        for entry in entries:
            if isinstance(entry, dict):
                key = self.get_match(entry)
                if key is not MISSING and key is not None:
                    found.append((value_text(key), entry))
        return found

    def _kept(self, entry: JsonObject) -> JsonValue:
        if not self.fields:
            return entry
        found = ((name, get(entry)) for name, get in self.fields)
        return {name: None if value is MISSING else value for name, value in found}

    def explain(self) -> Sequence[str]:
        """Return what is looked for where."""
        kept = ", ".join(name for name, _ in self.fields) or "the whole entry"
        return [f"look up in {self.index} by {self.match}; keeps {kept}"]
