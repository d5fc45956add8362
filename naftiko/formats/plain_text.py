"""Text -> a JSON string, in the charset that the answer names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.formats.charset import decode_text
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from naftiko.formats.limits import Budget
    from naftiko.formats.reader import Convert


def compile_converter(_schema: str, _file: Path | None) -> Convert:
    """Return what decodes text."""
    return _convert


def _convert(body: bytes, media_type: str, _budget: Budget) -> JsonValue:
    return decode_text(body, media_type)
