"""What steps call and answer, by example: tests/cases/steps/*.yaml.

A case gives what the API `api` answers, an operation with `steps`, its `inputs`, and expects the
requests that go out, and the answer: `result`, `status`, or `error` (code, status, message).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import naftiko
from naftiko.capability import value_of
from naftiko.errors import RunError
from tests.case_files import CASES, case_name
from tests.live.scripted import ScriptedApi, scripted_api

CONSUMED = [
    {"name": "get-user", "path": "/users/{{id}}", "method": "GET"},
    {"name": "list-users", "path": "/users", "method": "GET"},
    {"name": "get-job", "path": "/jobs/{{id}}", "method": "GET"},
    {"name": "get-page", "path": "/page", "method": "GET"},
    {"name": "delete-user", "path": "/users/{{id}}", "method": "DELETE"},
    {"name": "post-order", "path": "/orders", "method": "POST"},
    {
        "name": "get-account",
        "path": "/users/{{id}}",
        "method": "GET",
        "outputParameters": [
            {"name": "userid", "type": "string", "value": "$.id"},
            {"name": "home", "type": "string", "mapping": "$.address.city"},
        ],
    },
    {
        "name": "list-accounts",
        "path": "/users",
        "method": "GET",
        "outputParameters": [{"name": "userid", "type": "string", "value": "$.id"}],
    },
]


def cases() -> list[Any]:
    found = []
    for path in sorted((CASES / "steps").glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [{**case, "name": f"{path.stem}: {case['name']}"} for case in content["cases"]]
    return found


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as running:
        yield running


def document(case: dict[str, Any], url: str) -> dict[str, Any]:
    operation = {
        key: case[key]
        for key in ("steps", "mappings", "outputParameters", "inputParameters", "onError")
        if key in case
    }
    ikanos = case.get("ikanos", False)
    return {
        ("ikanos" if ikanos else "naftiko"): "1.0.0-beta5" if ikanos else "1.0.0-alpha3",
        "info": {("display" if ikanos else "label"): "Case", "description": case["name"]},
        "capability": {
            "consumes": [
                {
                    "type": "http",
                    "namespace": "api",
                    "baseUri": url,
                    "resources": [
                        {"name": item["name"], "path": item["path"], "operations": [
                            {key: value for key, value in item.items() if key != "path"}
                        ]}
                        for item in CONSUMED
                    ],
                }
            ],
            "exposes": [
                {
                    "type": "mcp",
                    "transport": "stdio",
                    "namespace": "tools",
                    "tools": [{"name": "run", "description": "Runs the case", **operation}],
                }
            ],
        },
    }  # fmt: skip


async def run(path: Path, inputs: dict[str, Any]) -> naftiko.Result:
    async with naftiko.load(path, workspace=path.parent) as capability:
        assert [item.message for item in capability.problems] == []
        return await capability.run("tools.run", inputs)


@pytest.mark.parametrize("case", cases(), ids=case_name)
def test_case(case: dict[str, Any], api: ScriptedApi, tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump(document(case, api.url)), encoding="utf-8")
    api.play(case.get("answers", {}))

    if "error" in case:
        with pytest.raises(RunError) as caught:
            asyncio.run(run(path, case.get("inputs", {})))
        found = {name: getattr(caught.value, name) for name in case["error"]}
        assert found == case["error"]
    else:
        result = asyncio.run(run(path, case.get("inputs", {})))
        assert value_of(result) == case.get("result")
        assert result.status == case.get("status", 200)
        assert result.failed is case.get("failed", False)
    if "requests" in case:
        asked = api.requests if case.get("ordered", True) else sorted(api.requests)
        assert asked == case["requests"]
    if "bodies" in case:
        assert api.bodies == case["bodies"]
