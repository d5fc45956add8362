"""Entries of other files: what is taken, under which name, and what comes with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from naftiko.document.reader import load_document
from naftiko.errors import Problems
from naftiko.model.build import build_capability
from naftiko.model.consumes import ConsumesAws, ConsumesHttp
from naftiko.resolve.capability import ResolvedCapability, resolve_capability

APIS = """
naftiko: "1.0.0-alpha3"
binds: [{namespace: env, keys: {T: TOKEN}}]
consumes:
  - type: http
    namespace: one
    baseUri: http://127.0.0.1:1
    resources:
      - {name: a, path: /a, operations: [{name: get-a}, {name: put-a, method: PUT}]}
      - {name: b, path: /b, operations: [{name: get-b}]}
  - {type: aws, namespace: sfn, service: stepfunctions}
  - type: aws
    namespace: some
    service: sqs
    operations: [{name: send, operation: SendMessage}, {name: read, operation: ReceiveMessage}]
aggregates:
  - namespace: shop
    functions:
      - {name: f, description: f, call: one.get-a}
      - {name: g, description: g, call: one.get-b}
exposes:
  - {type: rest, namespace: r, port: 8081, resources: []}
"""


def resolved(folder: Path, text: str, **files: str) -> tuple[ResolvedCapability, Problems]:
    (folder / "apis.yaml").write_text(APIS)
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(content)
    path = folder / "capability.yaml"
    path.write_text('naftiko: "1.0.0-alpha3"\n' + text)
    problems = Problems()
    model = build_capability(load_document(path), problems)
    found = resolve_capability(
        model, path=path, root=folder, environment={"TOKEN": "hunter22"}, problems=problems
    )
    return found, problems


def operations(found: ResolvedCapability, namespace: str) -> list[str]:
    entry = found.consumes[namespace]
    if isinstance(entry, ConsumesHttp):
        return [item.name for resource in entry.resources for item in resource.operations]
    assert isinstance(entry, ConsumesAws)
    return [item.name for item in entry.operations]


@pytest.mark.parametrize(
    ("entry", "namespaces"),
    [
        ("{location: ./apis.yaml, import: one}", ["one"]),
        ("{from: ./apis.yaml, import: one}", ["one"]),
        ("{location: ./apis.yaml, import: one, as: uno}", ["uno"]),
        ("{location: ./apis.yaml}", ["one", "sfn", "some"]),
        ("{from: file://./apis.yaml}", ["one", "sfn", "some"]),
        ("{import: ./apis.yaml}", ["one", "sfn", "some"]),
    ],
)
def test_entries_and_whole_files(tmp_path: Path, entry: str, namespaces: list[str]) -> None:
    found, problems = resolved(tmp_path, f"capability: {{consumes: [{entry}]}}")

    assert list(found.consumes) == namespaces
    assert [item.namespace for item in found.consumes.values()] == namespaces
    assert not len(problems)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ("[{location: ./apis.yaml, import: one.get-a}]", {"one": ["get-a"]}),
        (
            "[{location: ./apis.yaml, import: one.get-a}, "
            "{location: ./apis.yaml, import: one.get-b}]",
            {"one": ["get-a", "get-b"]},
        ),
        ("[{location: ./apis.yaml, import: one.put-a, as: other}]", {"other": ["put-a"]}),
        ("[{location: ./apis.yaml, import: sfn.list-activities}]", {"sfn": ["list-activities"]}),
        ("[{location: ./apis.yaml, import: some.read}]", {"some": ["read"]}),
    ],
)
def test_single_operations(tmp_path: Path, entries: str, expected: dict[str, list[str]]) -> None:
    found, problems = resolved(tmp_path, f"capability: {{consumes: {entries}}}")

    assert {name: operations(found, name) for name in found.consumes} == expected
    assert not len(problems)


def test_single_functions(tmp_path: Path) -> None:
    found, problems = resolved(
        tmp_path, "capability: {aggregates: [{location: ./apis.yaml, import: shop.g, as: store}]}"
    )

    aggregate = found.aggregates["store"]
    assert (aggregate.namespace, aggregate.written_as) == ("store", "shop")
    assert [item.name for item in aggregate.functions] == ["g"]
    assert not len(problems)


def test_an_aggregate_brings_what_its_file_consumes_and_binds(tmp_path: Path) -> None:
    found, problems = resolved(
        tmp_path, "capability: {aggregates: [{location: ./apis.yaml, import: shop}]}"
    )

    assert list(found.aggregates) == ["shop"]
    assert list(found.consumes) == ["one", "sfn", "some"]
    assert found.variables.value("env.T") == "hunter22"
    assert not len(problems)


def test_a_renamed_adapter_keeps_the_names_its_templates_use(tmp_path: Path) -> None:
    found, _ = resolved(
        tmp_path, "capability: {exposes: [{location: ./apis.yaml, import: r, as: public}]}"
    )

    assert [item.namespace for item in found.exposes] == ["public"]
    assert found.input_prefixes == {"r", "public"}
    assert list(found.aggregates) == ["shop"]


def test_binds_are_imported_and_yield_to_the_files_own(tmp_path: Path) -> None:
    found, problems = resolved(
        tmp_path,
        "binds: [{namespace: own, keys: {T: OTHER}}]\n"
        "capability: {binds: [{from: ./apis.yaml, import: env, as: vault}]}",
    )

    assert found.variables.value("vault.T") == "hunter22"
    assert found.variables.value("own.T") is None
    assert not len(problems)


def test_imports_lead_on_through_files(tmp_path: Path) -> None:
    found, problems = resolved(
        tmp_path,
        "capability: {consumes: [{location: ./middle.yaml, import: two}]}",
        middle="consumes: [{location: ./apis.yaml, import: one, as: two}]",
    )

    assert list(found.consumes) == ["two"]
    assert not len(problems)


def test_the_same_entry_by_two_ways_is_one(tmp_path: Path) -> None:
    found, problems = resolved(
        tmp_path,
        "capability:\n"
        "  consumes: [{location: ./middle.yaml}, {location: ./apis.yaml, import: one}]",
        middle="consumes: [{location: ./apis.yaml, import: one}]",
    )

    assert list(found.consumes) == ["one"]
    assert not problems.errors


def test_root_imports_take_everything_but_other_capabilities_servers(tmp_path: Path) -> None:
    found, problems = resolved(
        tmp_path,
        "imports: [./apis.yaml, ./other.yaml]\ncapability: {exposes: []}",
        other="capability:\n  exposes: [{type: rest, namespace: theirs, port: 1, resources: []}]",
    )

    assert [item.namespace for item in found.exposes] == ["r"]
    assert list(found.aggregates) == ["shop"]
    assert list(found.consumes) == ["one", "sfn", "some"]
    assert not problems.errors


def test_a_section_under_capability_is_found_as_well(tmp_path: Path) -> None:
    found, _ = resolved(
        tmp_path,
        "capability: {consumes: [{location: ./full.yaml, import: x}]}",
        full="capability: {consumes: [{type: aws, namespace: x, service: sqs}]}",
    )

    assert list(found.consumes) == ["x"]


@pytest.mark.parametrize("section", ["consumes", "exposes", "aggregates", "binds"])
def test_cycles_are_refused_in_every_section(tmp_path: Path, section: str) -> None:
    _, problems = resolved(
        tmp_path,
        f"capability: {{{section}: [{{from: ./a.yaml}}]}}",
        a=f"{section}: [{{from: ./b.yaml}}]",
        b=f"{section}: [{{from: ./a.yaml}}]",
    )

    cycles = [item.message for item in problems if item.code == "import-cycle"]
    assert cycles == ["the imports form a cycle: a.yaml -> b.yaml -> a.yaml"]


@pytest.mark.parametrize("section", ["consumes", "exposes", "aggregates", "binds"])
def test_nothing_outside_the_workspace_is_read(tmp_path: Path, section: str) -> None:
    (tmp_path / "outside.yaml").write_text(APIS)
    root = tmp_path / "root"
    root.mkdir()

    found, problems = resolved(root, f"capability: {{{section}: [{{from: ../outside.yaml}}]}}")

    assert [item.code for item in problems.errors] == ["outside-workspace"]
    assert not found.documents


def test_files_that_import_each_other_many_times_are_read_once(tmp_path: Path) -> None:
    """Two imports in each of 14 files would be 16,384 readings of the last one."""
    chain = {
        f"f{n}": f"consumes: [{{from: ./f{n + 1}.yaml}}, {{from: ./f{n + 1}.yaml}}]"
        for n in range(13)
    }

    found, problems = resolved(
        tmp_path,
        "capability: {consumes: [{from: ./f0.yaml}]}",
        **chain,
        f13="consumes: [{from: ./apis.yaml, import: one}]",
    )

    assert list(found.consumes) == ["one"]
    assert not problems.errors
