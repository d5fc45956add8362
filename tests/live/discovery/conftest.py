"""A command line run in this process, its streams caught."""

from __future__ import annotations

from tests.unit.cli.conftest import cli

__all__ = ["cli"]
