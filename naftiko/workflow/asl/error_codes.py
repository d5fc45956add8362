"""The error codes that a plan reads, and whether a state machine can know them.

A Catch gets the name of an error of the service's model, and one name for all others: which code
those had is not said. So a code can be compared with constants that the model names, which is
what most ask, and for nothing else: that would be another answer than the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.asl.literals import NotMappable, literal, wrapped
from naftiko.workflow.asl.names import error_codes
from naftiko.workflow.own_fields import ERROR_CODE, Hidden, is_own

if TYPE_CHECKING:
    from naftiko.workflow.asl.calls import Call


class Codes:
    """By step, what its error code is compared with; None, where something else is asked."""

    def __init__(self, plan: JsonObject, hidden: Hidden) -> None:
        """Look through all trees of a plan."""
        self._hidden = hidden
        self._asked: dict[str, set[str] | None] = {}
        for name in ("execution_plan", "rollback", "outputs"):
            self._read(plan[name])

    @property
    def asked(self) -> Mapping[str, set[str] | None]:
        """The steps whose code is read."""
        return self._asked

    def _read(self, value: JsonValue) -> None:
        if isinstance(value, list):
            for item in value:
                self._read(item)
        if not isinstance(value, dict) or "lit" in value:
            return
        step_id = self._step_of(value)
        if step_id is not None:
            self._asked[step_id] = None
        elif not self._compared(value):
            for item in value.values():
                self._read(item)

    def _step_of(self, tree: JsonValue) -> str | None:
        """Return the step whose error code a tree is."""
        path = tree.get("ref") if isinstance(tree, dict) else None
        if not isinstance(path, list) or not is_own(path, self._hidden):
            return None
        return str(path[1]) if path[2] == ERROR_CODE else None

    def _compared(self, tree: JsonObject) -> bool:
        """Note a code that is compared with constants; False where a tree is something else."""
        op, left, right = tree.get("op"), tree.get("a"), tree.get("b")
        step_id, other = self._step_of(left), right
        if step_id is None and op != "in":
            step_id, other = self._step_of(right), left
        if step_id is None or op not in {"==", "!=", "in"}:
            return False
        whole = left if other is right else right
        texts = _constants(other, many=op == "in")
        if texts is None or "default" in cast("JsonObject", whole):
            return False
        known = self._asked.setdefault(step_id, set())
        if known is not None:
            known |= texts
        return True


def _constants(tree: JsonValue, *, many: bool) -> set[str] | None:
    """Return the texts that a tree is; None where it is something else, or null."""
    if not isinstance(tree, dict):
        return None
    items = tree.get("list") if many else [tree]
    if many and isinstance(tree.get("lit"), list):
        items = [{"lit": item} for item in cast("list[JsonValue]", tree["lit"])]
    if not isinstance(items, list):
        return None
    found = [item.get("lit") if isinstance(item, dict) else None for item in items]
    return {text for text in found if isinstance(text, str)} if _are_texts(found) else None


def _are_texts(values: list[JsonValue]) -> bool:
    return all(isinstance(value, str) for value in values)


def check_codes(call: Call, asked: set[str] | None) -> None:
    """See that what is asked of a call's error code can be known.

    Raises: NotMappable.
    """
    if asked is None:
        raise NotMappable("comparisons of an error code with anything but constants")
    unknown = sorted(asked - set(error_codes(call.model).values()))
    if unknown:
        raise NotMappable(
            f"the error code `{unknown[0]}`, which the model of {call.model.name} does not name"
        )


def failed_with(call: Call) -> str:
    """Return the outcome of a step for what its Task's Catch got."""
    codes = literal(dict(error_codes(call.model)))
    return wrapped(
        f"($code := $lookup({codes}, $states.errorOutput.Error); "
        f'$merge([{{"status": "failed"}}, $exists($code) ? {{"{ERROR_CODE}": $code}} : {{}}]))'
    )
