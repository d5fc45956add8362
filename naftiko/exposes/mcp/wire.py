"""The shape of a result on its way out."""

from __future__ import annotations

from typing import Any, TypeAlias

Wire: TypeAlias = "dict[str, Any]"
"""A JSON object on its way to the SDK, which takes `dict[str, Any]`."""
