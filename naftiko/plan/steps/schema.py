"""`schema` steps: a JSON Schema that was found while running, made one that tools can have."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from naftiko.errors import ShapingError
from naftiko.expressions.text import type_name, value_text
from naftiko.plan.found_schema.conversion import convert_schema
from naftiko.plan.steps.execution import At, CallsNothing, Execution
from naftiko.plan.steps.weight import weigh
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonObject, JsonValue, Missing

MAX_HERE = 50_000
"""A text that is longer, or in which parts may multiply or cost more than others, is no work for
the event loop; nor is an object that takes more than a tenth of that in memory."""
_COSTLY = ("$ref", "$dynamicRef", "$recursiveRef", "attern")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SchemaAction(CallsNothing):
    """Converts a schema. `format_` and `root` may lead nowhere, which is as if they were not there.

    `shown` is the value as written.
    """

    value: ValueTemplate
    format_: ValueTemplate | None
    root: ValueTemplate | None
    shown: str
    silent: ClassVar[bool] = False

    async def run(self, execution: Execution, at: At) -> JsonValue | Missing:
        """Return the schema.

        Raises: ShapingError[unreadable-schema, schema-too-large].
        """
        source = self.value.render(at.scope)
        if not isinstance(source, str | dict | bool):
            found = "nothing" if source is MISSING else type_name(source)
            raise ShapingError(
                code="unreadable-schema",
                message=f"the `value` of the step `{at.path}` is to be a schema, found {found}",
            )
        format_, root = _text(self.format_, at), _text(self.root, at)
        if _is_work(source):
            return await asyncio.to_thread(convert_schema, source, format_=format_, root=root)
        return convert_schema(source, format_=format_, root=root)

    def explain(self) -> Sequence[str]:
        """Return where the schema comes from."""
        return [f"read the schema {self.shown}"]


def _text(value: ValueTemplate | None, at: At) -> str:
    return "" if value is None else value_text(value.render(at.scope))


def _is_work(source: str | JsonObject | bool) -> bool:
    if isinstance(source, str):
        return len(source) > MAX_HERE or any(keyword in source for keyword in _COSTLY)
    return not isinstance(source, bool) and weigh(source) > MAX_HERE // 10
