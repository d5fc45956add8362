"""A catalog of signed workflows, and the shipped capability serving it on the sandbox."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from naftiko.sandbox import Sandbox
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.plan.canonical import canonical
from naftiko.workflow.plan.keys import add, generate, read_private
from naftiko.workflow.plan.signing import sign
from tests.case_files import CASES, ROOT
from tests.live.serving import Answer, Served, serving

FILE = ROOT / "capabilities/workflow-system.yaml"
SOURCES = CASES / "workflow-catalog"
API, TOOLS = "workflow-api", "workflow-tools"
STATE_KEY = base64.b64encode(bytes(range(32))).decode()
MODES = ("legacy", "2026-07-28")

Json = dict[str, Any]


def make_catalog(folder: Path) -> Path:
    """Compile and sign the sources for a catalog in this folder; return the catalog."""
    catalog, keys = folder / "catalog", folder / "keys"
    keys.mkdir(parents=True)
    made = generate(keys, "tester")
    (catalog / "trust").mkdir(parents=True)
    add(
        catalog / "trust",
        made.public,
        roles=("publisher",),
        tiers=("community", "verified"),
        not_before=datetime(2020, 1, 1, tzinfo=UTC),
    )
    key, data = read_private(made.private_path), load_data()
    for source in sorted(SOURCES.glob("*.yaml")):
        compiled = compile_source(source.read_bytes(), source.name, data)
        assert compiled.plan is not None, compiled.problems
        tier = compiled.plan["metadata"]["tier"]  # type: ignore[index, call-overload]
        home = catalog / "workflows" / str(tier) / source.stem / "1.0"
        home.mkdir(parents=True)
        (home / "source.yaml").write_bytes(source.read_bytes())
        signed = sign(compiled.plan, key, "publisher", str(tier))
        (home / "plan.json").write_bytes(canonical(signed) + b"\n")
    return catalog


def plan_file(catalog: Path, name: str, tier: str = "verified") -> Path:
    """Return where a workflow's plan lies."""
    return catalog / "workflows" / tier / name / "1.0" / "plan.json"


@dataclass(frozen=True)
class Stage:
    """A catalog before a sandbox; `workspace` is where state lies."""

    sandbox: Sandbox = field(repr=False)
    catalog: Path
    workspace: Path

    def environment(self, **settings: str) -> dict[str, str]:
        """Return what the capability is started with."""
        return {
            **self.sandbox.environment(),
            "WORKFLOW_CATALOG": str(self.catalog),
            "WORKFLOW_STATE_FOLDER": str(self.workspace / "state"),
            **settings,
        }

    @contextlib.contextmanager
    def serving(self, *, read_only: bool = False, **settings: str) -> Iterator[House]:
        """Serve the capability over HTTP, in this process."""
        environment = self.environment(**settings)
        with serving(FILE, environment=environment, sandbox=True, read_only=read_only) as served:
            yield House(served)


@dataclass(frozen=True)
class House:
    """The capability while it serves."""

    served: Served

    @property
    def tools(self) -> str:
        """Where the tools are."""
        return self.served.urls[TOOLS] + "/mcp"

    def get(self, path: str) -> Answer:
        """Get what must be there."""
        found = self.served.request(API, "GET", path)
        assert found.status == 200, found
        return found

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send any request."""
        return self.served.request(API, method, path, body)

    def execute(self, name: str, query: str = "", **body: Any) -> Answer:
        """Execute a workflow."""
        return self.ask("POST", f"/v1/workflows/{name}/executions{query}", body)

    def confirm(self, execution: Json, token: str | None = None, query: str = "") -> Answer:
        """Confirm what an execution waits for."""
        given = {"confirm_token": token or execution["next"]["confirm_token"]}
        return self.ask("POST", f"/v1/executions/{execution['execution_id']}/confirm{query}", given)


def flip(path: Path) -> None:
    """Change a byte in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def without_signatures(path: Path) -> None:
    """Make an unsigned plan of a plan."""
    plan = json.loads(path.read_bytes())
    path.write_bytes(canonical({**plan, "signatures": []}) + b"\n")
