"""Plans that only read, made by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

RETRY = {
    "max_attempts": 1,
    "backoff": "exponential",
    "initial_delay": 1,
    "max_delay": 30,
    "jitter": "full",
    "retry_on": ["throttling", "server_error", "timeout", "connection"],
    "ambiguous": False,
}


def op(step_id: str, kind: str, **fields: Any) -> dict[str, Any]:
    common = {
        "step_id": step_id,
        "op": kind,
        "guard": None,
        "timeout": 60,
        "on_error": "fail",
        "next_step": None,
        "at": ["probe@1.0", 1],
    }
    return {**common, **fields}


def call(service: str, operation: str, mapping: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "service": service,
        "action": operation,
        "operation": operation,
        "input_mapping": mapping,
        "input_schema": dict.fromkeys(mapping, "string"),
        "select": {},
        "output_schema": {},
        "fields": {},
        "access_level": "List",
        "permissions": [f"{service}:{operation}"],
        "mutating": False,
        "idempotency": {"kind": "read"},
        "retry": RETRY,
        "paginate": None,
        "region": None,
        "sensitive": {"input": [], "output": []},
        "secret_read": False,
        "dry_run": False,
        **fields,
    }


def lit(value: Any, type_: str = "string") -> dict[str, Any]:
    return {"lit": value, "t": type_}


def ref(*path: Any, t: str = "string") -> dict[str, Any]:
    return {"ref": [*path], "t": t}


def plan(*ops: dict[str, Any], **fields: Any) -> dict[str, Any]:
    for this, following in pairwise(ops):
        this["next_step"] = following["step_id"]
    return {
        "format": "naftiko.workflow/1",
        "workflow_id": "probe_v1_0",
        "name": "probe",
        "version": "1.0",
        "description": "reads some things",
        "type": "primitive",
        "checksum": "sha256:00",
        "signatures": [],
        "source": {},
        "metadata": {
            "tier": "community",
            "risk_score": 0.2,
            "max_duration": 300,
            "max_steps": 50,
            "cache": False,
            "read_only": True,
            "services": ["s3"],
            "required_permissions": [],
        },
        "parameters": [{"name": "prefix", "type": "string", "required": False, "default": "a"}],
        "nested": [],
        "execution_plan": [*ops],
        "rollback": [],
        "outputs": {},
        **fields,
    }


def everything() -> dict[str, Any]:
    """Return a plan with every kind of operation."""
    fetched = call(
        "s3",
        "ListBuckets",
        {"Prefix": ref("params", "prefix"), "MaxBuckets": lit(10, "integer")},
        input_schema={"Prefix": "string", "MaxBuckets": "integer"},
        select={"buckets": "Buckets"},
        output_schema={"Buckets": "list"},
        fields={"buckets": ["Name", "CreationDate"]},
    )
    state = call(
        "rds",
        "DescribeDBInstances",
        {},
        output_schema={"DBInstances[0].DBInstanceStatus": "string"},
    )
    old = {
        "op": "<",
        "a": ref("item", "CreationDate", t="timestamp"),
        "b": {
            "op": "-",
            "a": {"fn": "now", "args": [], "t": "timestamp"},
            "b": {"fn": "days", "args": [lit(7, "integer")], "t": "duration"},
        },
    }
    location = call(
        "s3",
        "GetBucketLocation",
        {"Bucket": ref("item", "Name")},
        input_schema={"Bucket": "string!"},
        select={"where": "LocationConstraint"},
        output_schema={"LocationConstraint": "string"},
    )
    ready = {"op": "==", "a": ref("vars", "status"), "b": lit("available")}
    return plan(
        op("fetch", "AWS_CALL", **fetched),
        op(
            "ready",
            "POLL",
            call=state,
            vars={"status": "DBInstances[0].DBInstanceStatus"},
            until=ready,
            fail_when=None,
            max_attempts=5,
            interval=30,
            timeout=300,
        ),
        op(
            "old",
            "FILTER",
            **{"from": ref("steps", "fetch", "buckets", t="list")},
            where=old,
            max_items=10,
        ),
        op("rest", "WAIT", seconds=90, timeout=120),
        op(
            "each",
            "FOR_EACH",
            over=ref("steps", "old", "items", t="list"),
            max_items=10,
            max_concurrency=3,
            on_item_error="fail",
            body=[op("where", "AWS_CALL", **location)],
        ),
        op(
            "some",
            "ASSERT",
            that={
                "op": ">",
                "a": ref("steps", "each", "count", t="integer"),
                "b": lit(0, "integer"),
            },
            message=lit("none"),
        ),
        op(
            "named",
            "SET",
            values={
                "id": {"fn": "uuid", "args": [], "t": "string"},
                "at": {"fn": "timestamp", "args": [], "t": "string"},
            },
        ),
        outputs={
            "count": ref("steps", "each", "count", t="integer"),
            "results": ref("steps", "each", "results", t="list"),
            "id": ref("steps", "named", "id"),
        },
    )
