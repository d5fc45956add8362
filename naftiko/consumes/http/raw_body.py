"""A body of bytes that a caller gives: as text, or written in base64."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from naftiko.consumes.http.encoding import base64_bytes, plain_text, utf8
from naftiko.consumes.http.paths import Scope
from naftiko.plan.values import ValueTemplate
from naftiko.values import MISSING, JsonValue


@dataclass(frozen=True, slots=True)
class RawBody:
    """The bytes that a value stands for."""

    value: ValueTemplate
    is_base64: bool
    media_type: str
    takes_rest: bool = False

    def render(self, scope: Scope, rest: Mapping[str, JsonValue]) -> bytes | None:
        """Return the bytes, None if it is one placeholder that is absent.

        Raises: InputError for what is no base64.
        """
        value = self.value.render(scope)
        if value is MISSING or value is None:
            return None
        if self.is_base64:
            return base64_bytes("body", value)
        return utf8("body", plain_text(value))

    def explain(self) -> str:
        """Return the media type."""
        return f"{self.media_type} bytes" + (", from base64" if self.is_base64 else "")
