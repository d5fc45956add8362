"""The workflows of the document that this system comes from, word for word."""

from __future__ import annotations

from pathlib import Path

from naftiko.errors import Severity
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.catalog import Catalog
from naftiko.workflow.compiler import Compiled, compile_source, load_data
from naftiko.workflow.library import CatalogLibrary
from tests.case_files import ROOT

SEED = Path(__file__).parent / "seed"
FOLDER = ROOT / "capabilities" / "workflow-catalog"
BACKUP = FOLDER / "workflows/verified/rds_backup_with_retention/1.0/source.yaml"
CATALOG = Catalog.open([FOLDER])


def compiled(name: str) -> Compiled:
    """Compile one of the nested example; the document leaves its tier open."""
    text = (SEED / f"{name}.yaml").read_text("utf-8") + "metadata: {tier: verified}\n"
    return compile_source(text, name, load_data([FOLDER], CatalogLibrary(CATALOG)))


def operations(plan: JsonObject | None) -> list[JsonObject]:
    assert plan is not None
    listed = plan["execution_plan"]
    assert isinstance(listed, list)
    return [one for one in listed if isinstance(one, dict)]


def called(plan: JsonObject | None) -> list[JsonValue]:
    out = []
    for operation in operations(plan):
        call = operation.get("call", operation)
        assert isinstance(call, dict)
        if "operation" in call:
            out.append(call["operation"])
    return out


def test_backup_compiles() -> None:
    found = compile_source(BACKUP.read_bytes(), "seed", load_data())

    assert found.plan is not None
    warnings = [one.code for one in found.problems if one.severity == Severity.WARNING]
    metadata = found.plan["metadata"]
    assert isinstance(metadata, dict)
    assert warnings == ["WF431", "WF210"]
    assert metadata["required_permissions"] == [
        "rds:CreateDBSnapshot",
        "rds:DeleteDBSnapshot",
        "rds:DescribeDBInstances",
        "rds:DescribeDBSnapshots",
    ]
    assert (metadata["risk_score"], metadata["tier"]) == (4.5, "verified")


def test_primitive_does_the_same_as_that_of_the_catalog() -> None:
    plan = compiled("backup_rds_instance").plan

    assert called(plan) == ["CreateDBSnapshot", "DescribeDBSnapshots"]


def test_pattern_does_the_same_as_that_of_the_catalog() -> None:
    found = called(compiled("setup_database_monitoring").plan)

    assert found == called(CATALOG.plan(CATALOG.find("setup_database_monitoring")))
    assert len(found) == 4


def test_application_is_one_linear_plan_of_seven_operations() -> None:
    plan = compiled("deploy_production_database").plan

    found = operations(plan)
    assert len(found) == 7
    assert [one["next_step"] for one in found] == [*(one["step_id"] for one in found[1:]), None]
    assert called(plan) == [
        "CreateDBSnapshot",
        "DescribeDBSnapshots",
        "PutMetricAlarm",
        "CreateEventSubscription",
        "ModifyDBInstance",
        "EnableKeyRotation",
        "ModifyDBInstance",
    ]
    assert found == operations(CATALOG.plan(CATALOG.find("deploy_production_database")))
