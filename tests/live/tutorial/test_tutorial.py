"""The reference tutorial, steps 1 to 11, against a ship registry made from its outputs.

The documents lie beside the project; the tests skip where they are absent.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from naftiko.plan.capability import McpAdapterPlan
from tests.case_files import CASES, SHARED
from tests.live.corpus_calls import META, VERSION
from tests.live.serving import Served, serving
from tests.live.tutorial.registry import LEGACY, Registry, running_registry

TUTORIAL = SHARED / "corpus/naftiko+framework/src/main/resources/tutorial"
CALLS: list[dict[str, Any]] = yaml.safe_load((CASES / "tutorial/calls.yaml").read_text("utf-8"))
STEPS = range(1, 12)
NEEDS = {"authorization": "Bearer dummy-token", "registry-version": "1.0.0-alpha2"}
UNBRACED = {"authorization": "Bearer REGISTRY_TOKEN", "registry-version": "REGISTRY_VERSION"}
"""Step 11's file writes the names without braces, which makes them texts; a warning says so."""
BASE_URI = re.compile(r"https://mocks\.naftiko\.net")

pytestmark = pytest.mark.skipif(
    not TUTORIAL.is_dir(), reason="the tutorial does not lie beside the project"
)


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with running_registry() as running:
        yield running


@pytest.mark.parametrize("step", STEPS)
def test_every_call_answers_as_the_reference_says(
    step: int, registry: Registry, tmp_path: Path
) -> None:
    shutil.copytree(TUTORIAL, tmp_path / "tutorial")
    for file in (tmp_path / "tutorial").glob("**/*.y*ml"):
        file.write_text(BASE_URI.sub(registry.url, file.read_text("utf-8")), "utf-8")
    (path,) = (tmp_path / "tutorial").glob(f"step-{step}-*.yml")
    registry.needs = {} if step == 2 else UNBRACED if step == 11 else NEEDS
    wanted = [item for item in CALLS if step in item["in"]]
    assert wanted

    with serving(path, workspace=tmp_path, host="127.0.0.1") as served:
        assert not served.capability.plan.disabled
        found = [_call(served, item) for item in wanted]

    assert found == [_expected(item) for item in wanted]


def _expected(item: dict[str, Any]) -> tuple[Any, ...]:
    is_route = " " in item["call"]
    outcome = item.get("status", 200) if is_route else item.get("failed", False)
    answer = LEGACY.encode() if item.get("unmapped") else item["answer"]
    return item["call"], outcome, answer


def _call(served: Served, item: dict[str, Any]) -> tuple[Any, ...]:
    method, _, path = item["call"].partition(" ")
    if not path:
        return _tool(served, method, item["arguments"])
    namespace = "shipyard-skills" if path.startswith("/skills") else "shipyard-api"
    answer = served.request(namespace, method, path, item.get("body"))
    return item["call"], answer.status, answer.body


def _tool(served: Served, name: str, arguments: dict[str, Any]) -> tuple[Any, ...]:
    (adapter,) = (
        item for item in served.capability.plan.adapters if isinstance(item, McpAdapterPlan)
    )
    token = adapter.auth.fields["token"] if adapter.auth else ""
    headers = {
        **({"authorization": f"Bearer {token}"} if token else {}),
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": name,
    }
    params = {"name": name, "arguments": arguments, "_meta": META}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = served.request(adapter.namespace, "POST", "/mcp", message, **headers)
    assert answer.status == 200, answer.body
    result = answer.body["result"]
    return name, bool(result.get("isError")), json.loads(result["content"][0]["text"])
