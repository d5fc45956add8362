"""The stage of the workflow tests, with its sandbox and catalog."""

from __future__ import annotations

from tests.live.workflows.conftest import catalog, house, own, sandbox, stage

__all__ = ["catalog", "house", "own", "sandbox", "stage"]
