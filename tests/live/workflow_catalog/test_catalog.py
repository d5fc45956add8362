"""Every workflow that comes with the engine: what stands in its folder, and what it does.

`make catalog` compiles and signs them anew.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest

from naftiko.cli.workflows.trying import Trial
from naftiko.errors import Severity
from naftiko.values import JsonObject
from naftiko.workflow.catalog import Catalog, Entry
from naftiko.workflow.compiler import Compiled, Compiler, load_data
from naftiko.workflow.library import CatalogLibrary
from naftiko.workflow.plan.canonical import canonical
from naftiko.workflow.plan.drift import check_drift
from naftiko.workflow.plan.integrity import load_plan, verify
from naftiko.workflow.plan.trust import TrustStore
from naftiko.workflow.source.formatter import format_source
from tests.case_files import ROOT

FOLDER = ROOT / "capabilities" / "workflow-catalog"
CATALOG = Catalog.open([FOLDER])
MIN_USE_CASES = 3

AS_WRITTEN = "rds_backup_with_retention@1.0"
"""The specification's own text: not as the gate wants it, and kept as it is."""

every_workflow = pytest.mark.parametrize("entry", CATALOG.entries, ids=lambda entry: entry.ref)


@cache
def compiler() -> Compiler:
    return Compiler(data=load_data([FOLDER], CatalogLibrary(CATALOG)), is_published=True)


@cache
def compiled(ref: str) -> Compiled:
    return compiler().compile(CATALOG.find(ref).read_source(), "source.yaml")


def metadata_of(ref: str) -> JsonObject:
    plan = compiled(ref).plan
    assert plan is not None
    metadata = plan["metadata"]
    assert isinstance(metadata, dict)
    return metadata


written_by_us = pytest.mark.parametrize(
    "entry",
    [entry for entry in CATALOG.entries if entry.ref != AS_WRITTEN],
    ids=lambda entry: entry.ref,
)


@written_by_us
def test_source(entry: Entry) -> None:
    found = compiled(entry.ref)

    told = [f"{one.code}: {one.message}" for one in found.problems if one.severity != Severity.INFO]
    assert told == []
    text = entry.read_source().decode()
    assert format_source(text, "source.yaml") == text


@written_by_us
def test_gate(entry: Entry) -> None:
    workflow, metadata = compiled(entry.ref).workflow, metadata_of(entry.ref)
    assert workflow is not None
    assert workflow.permissions is not None

    assert [one.text for one in workflow.permissions] == metadata["required_permissions"]
    assert [one.name for one in workflow.parameters if not one.description] == []
    assert len(workflow.embedding.use_cases) >= MIN_USE_CASES
    assert workflow.metadata.author is not None
    assert entry.readme is not None
    assert len(entry.readme.read_text("utf-8").split()) > MIN_USE_CASES * 10


@every_workflow
def test_plan(entry: Entry) -> None:
    plan, data = compiled(entry.ref).plan, entry.read_plan()
    assert plan is not None

    stored = load_plan(data)

    assert canonical(stored) + b"\n" == data
    assert canonical({**stored, "signatures": []}) == canonical(plan), "run `make catalog`"


@every_workflow
def test_signature(entry: Entry) -> None:
    plan = CATALOG.plan(entry)

    found = verify(plan, CATALOG.trust(entry), now=datetime.now(UTC))

    assert found.signers
    check_drift(plan)


@every_workflow
def test_cases(entry: Entry, trial: Trial) -> None:
    tried = trial.run(CATALOG, entry)

    assert tried.failures == ()
    assert tried.report is not None
    assert tried.report.coverage.is_complete, tried.report.coverage.to_json()


def test_trust_data_are_signed_by_the_key_that_they_name() -> None:
    store = TrustStore.load(FOLDER / "trust")
    (key,) = store.publishers.values()

    pinned = TrustStore.load(FOLDER / "trust", root=str(key.to_json()["public_key"]))

    assert pinned.digest == store.digest
    assert key.tiers == ("community", "verified")


def test_no_private_key_lies_in_the_catalog() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]

    assert [path.name for path in files if b"PRIVATE KEY" in path.read_bytes()] == []


def test_covers_many_services() -> None:
    services = {name for entry in CATALOG.entries for name in _services(entry.ref)}

    assert len(CATALOG.names) >= 12
    assert len(services) >= 8


def _services(ref: str) -> list[str]:
    services = metadata_of(ref)["services"]
    assert isinstance(services, list)
    return [str(name) for name in services]
