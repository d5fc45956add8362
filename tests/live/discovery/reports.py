"""The reporting service of docs/examples/discovery.yaml, on a loopback port."""

from __future__ import annotations

from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[3] / "docs/examples/discovery.yaml"
REPORTS = [
    {"id": "7", "title": "Sales"},
    {"id": "costs by team", "title": "Costs"},
    {"id": "9", "title": "Secret", "hidden": True},
    {"id": "10", "title": "Draft"},
    {"id": "11", "title": "Broken"},
]
DETAILS: dict[str, Any] = {
    "7": {
        "runnable": True,
        "about": "By month.",
        "readOnly": True,
        "parameters": {"month": {"type": "integer", "minimum": 1, "maximum": 12}},
        "required": ["month"],
    },
    "costs%20by%20team": {"runnable": True},
    "10": {"runnable": False},
}


def listing(*reports: dict[str, Any]) -> dict[str, Any]:
    """Return what the service lists."""
    return {"reports": [{"hidden": False, **report} for report in reports]}


def answers(*reports: dict[str, Any]) -> dict[str, Any]:
    """Return a script of the whole service."""
    return {
        "GET /reports": listing(*(reports or REPORTS)),
        **{f"GET /reports/{key}": value for key, value in DETAILS.items()},
        "GET /reports/11": {"status": 500, "json": {"error": "broken"}},
        "POST /reports/7/runs": {"rows": 3},
        "POST /reports/costs%20by%20team/runs": {"rows": 0},
    }
