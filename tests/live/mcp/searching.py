"""Files that turn searching on."""

from __future__ import annotations

import re
from pathlib import Path

from tests.case_files import ROOT


def searching(source: str, folder: Path, value: str = "true") -> Path:
    """Write a copy of a file of the project whose first MCP adapter has `toolSearch`."""
    text = (ROOT / source).read_text("utf-8")
    found = re.sub(
        r"^( +)- type: mcp$", rf"\1- type: mcp\n\1  toolSearch: {value}", text, count=1, flags=re.M
    )
    assert found != text
    path = folder / "searching.yaml"
    path.write_text(found, "utf-8")
    return path
