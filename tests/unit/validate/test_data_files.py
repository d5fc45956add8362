"""The capabilities that come with the engine: what they serve, against the API and the seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from naftiko.document.nodes import Document
from naftiko.document.reader import load_document
from naftiko.validate.schema import schema_findings
from naftiko.values import JsonObject, JsonValue

ROOT = Path(__file__).parents[3]
SEED = ROOT.parent / "shared/seeds/workflow-orchestration.yaml"
FILES = sorted(
    path
    for path in (*(ROOT / "capabilities").rglob("*.yaml"), *(ROOT / "shared").rglob("*.yaml"))
    if "workflow-catalog" not in path.parts  # workflows and their data, no capabilities
)
READ_PREFIXES = ("list-", "describe-", "get-execution-history", "validate-")


def load(name: str) -> Document:
    return load_document(ROOT / name)


def at(value: JsonValue, *path: str | int) -> JsonValue:
    for step in path:
        if isinstance(step, int):
            assert isinstance(value, list)
            value = value[step]
        else:
            assert isinstance(value, dict)
            value = value[step]
    return value


def objects(value: JsonValue) -> list[JsonObject]:
    assert isinstance(value, list)
    return [item for item in value if isinstance(item, dict)]


def routes(document: Document, index: int = 0) -> list[tuple[str, JsonObject]]:
    """Return ("GET /v1/activities", operation) for each operation of a REST adapter."""
    resources = objects(at(document.root.plain(), "capability", "exposes", index, "resources"))
    return [
        (f"{operation['method']} {resource['path']}", operation)
        for resource in resources
        for operation in objects(resource["operations"])
    ]


def tools(document: Document, index: int = 1) -> list[JsonObject]:
    return objects(at(document.root.plain(), "capability", "exposes", index, "tools"))


def api_operations() -> dict[str, set[str]]:
    """Return the parameters of each Step Functions operation, by its name in kebab-case."""
    import botocore.session
    from botocore import xform_name

    model = botocore.session.get_session().get_service_model("stepfunctions")
    return {
        xform_name(name, "-"): set(model.operation_model(name).input_shape.members)
        for name in model.operation_names
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_data_file_has_no_findings(path: Path) -> None:
    assert schema_findings(load_document(path)) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_data_file_tells_editors_its_schema(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    prefix = "# yaml-language-server: $schema="
    assert first.startswith(prefix)
    target = (path.parent / first.removeprefix(prefix)).resolve()
    assert target == ROOT / "schemas/capability.schema.json"


@pytest.mark.skipif(not SEED.is_file(), reason="the seed is not here")
def test_stepfunctions_is_the_seed() -> None:
    own = load("capabilities/stepfunctions.yaml").root.plain()
    assert own == load_document(SEED).root.plain()


def test_stepfunctions_has_17_routes_and_15_tools() -> None:
    document = load("capabilities/stepfunctions.yaml")
    assert len(routes(document)) == 17
    assert len(tools(document)) == 15


def test_the_consumed_api_has_every_operation() -> None:
    api = api_operations()
    entry = at(load("shared/step-functions.yaml").root.plain(), "consumes", 0)
    operations = objects(at(entry, "operations"))
    assert sorted(str(item["name"]) for item in operations) == sorted(api)
    assert len(api) == 37
    for item in operations:
        names = item.get("jsonParameters", [])
        assert isinstance(names, list)
        assert set(map(str, names)) <= api[str(item["name"])], item["name"]


def test_json_parameters_are_those_that_hold_json() -> None:
    entry = at(load("shared/step-functions.yaml").root.plain(), "consumes", 0)
    presets = {
        str(item["name"]): item.get("jsonParameters") for item in objects(at(entry, "operations"))
    }
    assert {name: names for name, names in presets.items() if names} == {
        "create-state-machine": ["definition"],
        "update-state-machine": ["definition"],
        "test-state": ["definition", "input", "variables", "context"],
        "start-execution": ["input"],
        "start-sync-execution": ["input"],
        "send-task-success": ["output"],
    }


def test_stepfunctions_full_has_every_operation_as_route_and_as_tool() -> None:
    document = load("capabilities/stepfunctions-full.yaml")
    calls = sorted(f"step-functions.{name}" for name in api_operations())
    assert sorted(str(operation["call"]) for _, operation in routes(document)) == calls
    assert sorted(str(tool["call"]) for tool in tools(document)) == calls
    assert all(tool["call"] == f"step-functions.{tool['name']}" for tool in tools(document))


def test_stepfunctions_full_has_what_stepfunctions_has() -> None:
    small, full = (
        load(f"capabilities/{name}.yaml") for name in ("stepfunctions", "stepfunctions-full")
    )
    full_routes = {route: operation["call"] for route, operation in routes(full)}
    for route, operation in routes(small):
        assert full_routes[route] == operation["call"]
    full_tools = {tool["name"]: tool["hints"] for tool in tools(full)}
    for tool in tools(small):
        hints, full_hints = tool["hints"], full_tools[tool["name"]]
        assert isinstance(hints, dict)
        assert isinstance(full_hints, dict)
        assert {**full_hints, **hints} == full_hints


def test_with_in_stepfunctions_full_names_parameters_of_the_api() -> None:
    api = api_operations()
    for route, operation in routes(load("capabilities/stepfunctions-full.yaml")):
        passed = operation.get("with", {})
        assert isinstance(passed, dict)
        assert set(passed) <= api[str(operation["call"]).partition(".")[2]]
        used = "{arn}" in route and operation["name"] not in (
            "validate-state-machine-definition",
            "create-alias",
        )
        assert list(passed.values()) == (["rest.arn"] if used else []), route


def test_hints_in_stepfunctions_full_are_right() -> None:
    document = load("capabilities/stepfunctions-full.yaml")
    by_call: dict[str, list[JsonObject]] = {}
    for entry in [*(operation for _, operation in routes(document)), *tools(document)]:
        hints = entry["hints"]
        assert isinstance(hints, dict)
        by_call.setdefault(str(entry["call"]).partition(".")[2], []).append(hints)
    for name, (of_route, of_tool) in by_call.items():
        assert of_route == of_tool, name
        reads = name.startswith(READ_PREFIXES)
        assert of_tool["readOnly"] is reads, name
        if not reads:
            changes = name.startswith(("delete-", "update-", "stop-", "tag-", "untag-"))
            assert of_tool["destructive"] is changes, name


def adapters(path: Path) -> list[JsonObject]:
    root = load_document(path).root.plain()
    inner = root.get("capability") if isinstance(root, dict) else None
    return objects(inner["exposes"]) if isinstance(inner, dict) else []


def test_names_and_routes_are_unique() -> None:
    for path in FILES:
        for adapter in adapters(path):
            routes = [
                f"{operation['method']} {resource['path']}"
                for resource in objects(adapter.get("resources") or [])
                for operation in objects(resource.get("operations") or [])
            ]
            names = [str(tool["name"]) for tool in objects(adapter.get("tools") or [])]
            for found in (routes, names):
                assert len(found) == len(set(found)), path


def test_ports_do_not_clash() -> None:
    ports = [str(item["port"]) for path in FILES for item in adapters(path) if "port" in item]
    assert len(ports) == len(set(ports))


def test_tool_descriptions_say_enough_and_fit() -> None:
    for tool in tools(load("capabilities/stepfunctions-full.yaml")):
        description = str(tool["description"])
        assert 40 <= len(description) <= 400, tool["name"]
        assert tool["label"], tool["name"]
