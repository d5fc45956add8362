"""A catalog with the workflows that are measured, compiled and signed, in a folder of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from naftiko.values import JsonObject
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.plan import keys
from naftiko.workflow.plan.canonical import file_bytes
from naftiko.workflow.plan.signing import sign

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:order-processing-01"
STEPS = 20
LONG = 100
PARALLEL = 32
STORED = 10_000
CALL_S = 0.02
"""What the stand-in for AWS is told to take for each call of those in parallel."""

TIER = "verified"

RDS = """\
name: rds_backup_with_retention
version: "1.0"
description: "Secure RDS backup with automated retention management"
metadata:
  tier: verified
  author: "@aws-labs/database-team"
  risk_score: 4.5
  max_duration: 1800s
  max_steps: 10
parameters:
  - name: instance_id
    type: string
    pattern: "^[a-zA-Z][a-zA-Z0-9-]*$"
    required: true
  - name: retention_days
    type: integer
    min: 1
    max: 35
    default: 7
permissions:
  - "rds:CreateDBSnapshot"
  - "rds:DescribeDBSnapshots"
  - "rds:DeleteDBSnapshot"
steps:
  - id: validate_instance
    type: command
    intent: "verify RDS instance exists and is available"
    context:
      service: rds
      action: describe_instance
      instance_id: "${params.instance_id}"
    timeout: 60s
  - id: create_snapshot
    type: command
    intent: "create RDS snapshot for database instance"
    context:
      service: rds
      action: create_snapshot
      instance_id: "${params.instance_id}"
      snapshot_id: "${params.instance_id}-${timestamp()}"
    depends_on: [validate_instance]
    timeout: 300s
    retry:
      max_attempts: 3
      backoff: exponential
  - id: verify_snapshot
    type: primitive
    action: poll
    condition: "snapshot_status == 'available'"
    max_attempts: 20
    interval: 30s
    timeout: 600s
    depends_on: [create_snapshot]
  - id: cleanup_old_snapshots
    type: command
    intent: "delete RDS snapshots older than retention period"
    context:
      service: rds
      action: cleanup_snapshots
      retention_days: "${params.retention_days}"
    condition: "${params.cleanup_enabled:-true}"
    depends_on: [verify_snapshot]
rollback:
  - on_failure: cleanup_partial_snapshot
    steps: [create_snapshot, verify_snapshot]
"""
"""The workflow of the document that all of this comes from, as written there."""


def stepping(name: str, steps: int, tier: str = TIER) -> str:
    """Return a workflow that lists and starts state machines in turns."""
    lines = [
        f"name: {name}",
        'version: "1.0"',
        "description: lists and starts in turns",
        f"metadata: {{tier: {tier}, max_steps: 500}}",
        "parameters:",
        "  - {name: number, type: integer, required: true}",
        "steps:",
    ]
    for index in range(steps):
        if index % 2:
            lines += [
                f"  - id: step_{index}",
                "    type: command",
                "    context: {service: stepfunctions, action: start-execution}",
                "    input:",
                f"      stateMachineArn: {MACHINE}",
                f'      name: "run-${{params.number}}-{index}"',
            ]
        else:
            lines += [
                f"  - id: step_{index}",
                "    type: command",
                "    context: {service: stepfunctions, action: list-state-machines}",
                "    outputs: {first: {path: 'stateMachines[0].name'}}",
            ]
    return "\n".join([*lines, ""])


def compiled(source: str) -> JsonObject:
    """Return the plan of a source that is known to be good."""
    found = compile_source(source, "benchmark.yaml", load_data())
    if found.plan is None:
        raise RuntimeError("; ".join(f"{one.code} {one.message}" for one in found.problems))
    return found.plan


def make_catalog(folder: Path) -> None:
    """Write the catalog: `one_step`, `twenty_steps`, signed by a key that it trusts."""
    made = keys.generate(folder, "bench")
    signer = keys.read_private(made.private_path)
    catalog = folder / "catalog"
    keys.add(
        catalog / "trust",
        made.public,
        roles=("publisher",),
        tiers=(TIER,),
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
    )
    for name, steps in (("one_step", 1), ("twenty_steps", STEPS)):
        source = stepping(name, steps)
        home = catalog / "workflows" / TIER / name / "1.0"
        home.mkdir(parents=True)
        (home / "source.yaml").write_text(source, encoding="utf-8")
        plan = sign(compiled(source), signer, "publisher", TIER)
        (home / "plan.json").write_bytes(file_bytes(plan))
