"""Cases that are data: YAML files under tests/cases, one parametrised test for each entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

CASES = Path(__file__).parent / "cases"
ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
"""Material beside the project; tests that use it skip where it is absent."""


def load_cases(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a case file's own members and its `cases`."""
    content = yaml.safe_load((CASES / name).read_text(encoding="utf-8"))
    return content, content["cases"]


def case_name(case: object) -> str | None:
    """Name a parametrised test after its case."""
    return case["name"] if isinstance(case, dict) else None
