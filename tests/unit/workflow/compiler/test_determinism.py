"""The same source gives the same bytes: in every process, whatever its hashes, on every Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]

COMPILE = """
import hashlib, sys
from pathlib import Path
from naftiko.workflow.catalog import Catalog
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.library import CatalogLibrary
shipped = Path("capabilities/workflow-catalog")
data = load_data(library=CatalogLibrary(Catalog.open([shipped])))
paths = [*shipped.glob("workflows/*/*/*/source.yaml"),
         *Path("tests/cases/workflow").glob("*/*.yaml"),
         *Path("tests/unit/workflow/front/valid").glob("*.yaml")]
for path in sorted(paths):
    found = compile_source(path.read_bytes(), path.as_posix(), data)
    said = [(one.code, one.message, one.hint, str(one.location)) for one in found.problems]
    plan = found.data if found.plan is not None else b""
    print(path.as_posix(), hashlib.sha256(plan).hexdigest() if plan else "-",
          hashlib.sha256(repr(said).encode()).hexdigest())
"""


def start(seed: str, python: str = sys.executable) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": f"UTC-{len(seed)}"}
    return subprocess.Popen(
        [python, "-c", COMPILE], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )


def test_two_processes_write_the_same_plans() -> None:
    started = [start("1"), start("4242")]
    first, second = (process.communicate(timeout=100)[0] for process in started)
    assert [process.returncode for process in started] == [0, 0]
    assert first == second
    plans = [line for line in first.splitlines() if line.split(" ")[1] != "-"]
    assert any("rds_backup_with_retention" in line for line in plans)
