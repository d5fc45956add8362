"""Answers in other formats than JSON -> JSON values: a module a format, compiled at load."""

from __future__ import annotations

from naftiko.formats.limits import FormatError
from naftiko.formats.reader import FORMATS, PASSED_THROUGH, Reader, SchemaKind, compile_format

__all__ = ["FORMATS", "PASSED_THROUGH", "FormatError", "Reader", "SchemaKind", "compile_format"]
