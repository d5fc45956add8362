"""Every workflow that comes with the engine: what stands in its folder, and what it does.

`make catalog` compiles and signs them anew.
"""

from __future__ import annotations

import json
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
from naftiko.workflow.runtime.policy import TIERS
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


def test_trust_data_are_signed_by_the_publisher_that_they_name() -> None:
    store = TrustStore.load(FOLDER / "trust")
    roles = {key.roles: key for key in store.publishers.values()}
    publisher = roles["publisher",]

    pinned = TrustStore.load(FOLDER / "trust", root=str(publisher.to_json()["public_key"]))

    assert pinned.digest == store.digest
    assert publisher.tiers == TIERS
    assert roles["auditor",].tiers == ("enterprise",)
    assert len(roles) == len(store.publishers)


@every_workflow
def test_report(entry: Entry) -> None:
    report = json.loads((entry.home / "report.json").read_text("utf-8"))

    assert report["plan_checksum"] == CATALOG.plan(entry)["checksum"], "run `make catalog`"
    assert report["passed"] == (entry.ref != AS_WRITTEN), report["gates"]


def test_no_private_key_lies_in_the_catalog() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]

    assert [path.name for path in files if b"PRIVATE KEY" in path.read_bytes()] == []


def test_covers_many_services() -> None:
    services = {name for entry in CATALOG.entries for name in _services(entry.ref)}

    kinds = {plan["type"] for entry in CATALOG.entries if (plan := compiled(entry.ref).plan)}
    assert len(CATALOG.names) >= 60
    assert len(services) >= 30
    assert kinds == {"primitive", "pattern", "application"}
    assert {entry.tier for entry in CATALOG.entries} == set(TIERS)


def _services(ref: str) -> list[str]:
    services = metadata_of(ref)["services"]
    assert isinstance(services, list)
    return [str(name) for name in services]
