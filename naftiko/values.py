"""The values that cross the wire, and the mark for a value that is not there."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, Literal, TypeAlias, Union

JsonValue: TypeAlias = Union[bool, int, float, str, "list[JsonValue]", "dict[str, JsonValue]", None]
JsonObject: TypeAlias = "dict[str, JsonValue]"
JsonSchema: TypeAlias = "Mapping[str, JsonValue]"


class Missing(Enum):
    """The type of MISSING: absent, as opposed to null."""

    MISSING = "missing"

    def __repr__(self) -> str:
        """Return `MISSING`."""
        return "MISSING"

    def __bool__(self) -> Literal[False]:
        """An absent value is false."""
        return False


MISSING: Final = Missing.MISSING
"""Absent. `{"a": null}` has an `a`, `{}` has not."""
