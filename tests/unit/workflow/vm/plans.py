"""Plan documents for the tests of the machine, made from short words."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

READ: Json = {"kind": "read"}
NONE: Json = {"kind": "none"}
RETRY: Json = {
    "max_attempts": 1,
    "backoff": "exponential",
    "initial_delay": 1,
    "max_delay": 30,
    "jitter": "full",
    "retry_on": ["throttling", "server_error", "timeout", "connection"],
    "ambiguous": False,
}


def lit(value: Any, type_: str = "string") -> Json:
    return {"lit": value, "t": type_}


def ref(*path: str | int, type_: str = "string", **more: Any) -> Json:
    return {"ref": list(path), "t": type_, **more}


def op(step_id: str, kind: str, **more: Any) -> Json:
    return {
        "step_id": step_id,
        "op": kind,
        "guard": None,
        "timeout": 60,
        "on_error": "fail",
        "next_step": None,
        "at": ["test@1.0", 1],
        **more,
    }


def call(operation: str, members: Json | None = None, **more: Any) -> Json:
    """The members of an AWS_CALL; `mutating` unless it lists, describes or gets."""
    mutating = not operation.startswith(("List", "Describe", "Get"))
    retry = {**RETRY, **more.pop("retry", {})}
    return {
        "service": "ec2",
        "action": operation.lower(),
        "operation": operation,
        "input_mapping": members or {},
        "input_schema": {},
        "select": {},
        "output_schema": {},
        "fields": {},
        "access_level": "Write" if mutating else "List",
        "permissions": [f"ec2:{operation}"],
        "mutating": mutating,
        "idempotency": NONE if mutating else READ,
        "retry": retry,
        "paginate": None,
        "region": None,
        "sensitive": {"input": [], "output": []},
        "secret_read": False,
        "dry_run": False,
        **more,
    }


def aws(step_id: str, operation: str, members: Json | None = None, **more: Any) -> Json:
    common = {
        name: more.pop(name) for name in ("guard", "timeout", "on_error", "undoes") if name in more
    }
    return op(step_id, "AWS_CALL", **common, **call(operation, members, **more))


def plan(ops: list[Json], **more: Any) -> Json:
    metadata = {
        "tier": "verified",
        "author": "",
        "license": "",
        "risk_score": 1,
        "risk": [],
        "max_duration": 1800,
        "max_steps": 50,
        "cache": False,
        "read_only": False,
        "services": ["ec2"],
        "required_permissions": ["ec2:RunInstances"],
        "advisory_permissions": [],
        "permission_resources": {},
        "embedding": {},
        **more.pop("metadata", {}),
    }
    found: Json = {
        "format": "naftiko.workflow/1",
        "workflow_id": "test_v1_0",
        "name": "test",
        "version": "1.0",
        "description": "a plan of the tests",
        "type": "primitive",
        "checksum": "sha256:" + "0" * 64,
        "signatures": [],
        "source": {},
        "metadata": metadata,
        "parameters": [],
        "nested": [],
        "execution_plan": ops,
        "rollback": [],
        "outputs": {},
        **more,
    }
    copied: Json = json.loads(json.dumps(found))
    return copied


def parameter(name: str, type_: str = "string", **more: Any) -> Json:
    return {"name": name, "type": type_, "required": False, "sensitive": False, **more}


CREATED: Json = {
    "kind": "natural",
    "exists_error": "AlreadyExists",
    "observer": {
        "call": call(
            "DescribeThings",
            {"Name": ref("params", "name")},
            output_schema={"Things[0].CreateTime": "timestamp"},
        ),
        "vars": {"state": "Things[0].State"},
        "created": "Things[0].CreateTime",
    },
}
"""A call that makes a named thing, which DescribeThings shows."""


def rds() -> Json:
    """The RDS backup of the specification, as the compiler writes it."""
    instance, days = ref("params", "instance_id"), ref("params", "retention_days", type_="integer")
    snapshot = {"cat": [instance, lit("-"), {"fn": "timestamp", "args": [], "t": "string"}]}
    observe = call(
        "DescribeDBSnapshots",
        {"DBSnapshotIdentifier": snapshot},
        service="rds",
        output_schema={"DBSnapshots[0].Status": "string"},
    )
    created = {
        "kind": "natural",
        "exists_error": "DBSnapshotAlreadyExists",
        "observer": {
            "call": observe,
            "vars": {"snapshot_status": "DBSnapshots[0].Status"},
            "created": "DBSnapshots[0].SnapshotCreateTime",
        },
    }
    old = {
        "op": "<",
        "a": ref("item", "SnapshotCreateTime", type_="timestamp"),
        "b": {
            "op": "-",
            "a": {"fn": "now", "args": [], "t": "timestamp"},
            "b": {"fn": "days", "args": [days], "t": "duration"},
        },
    }
    other = {
        "op": "!=",
        "a": ref("item", "DBSnapshotIdentifier"),
        "b": ref("steps", "create", "id"),
    }
    pages = {
        "input": ["Marker"],
        "output": [["Marker"]],
        "result": ["DBSnapshots"],
        "more": None,
        "size": "MaxRecords",
        "max_items": 1000,
        "page_size": None,
    }
    delete = {"DBSnapshotIdentifier": ref("item", "DBSnapshotIdentifier")}
    required = {"DBSnapshotIdentifier": "string!"}
    return plan(
        [
            aws(
                "validate", "DescribeDBInstances", {"DBInstanceIdentifier": instance}, service="rds"
            ),
            aws(
                "create",
                "CreateDBSnapshot",
                {"DBInstanceIdentifier": instance, "DBSnapshotIdentifier": snapshot},
                service="rds",
                timeout=300,
                input_schema={"DBInstanceIdentifier": "string!", **required},
                select={"id": "DBSnapshot.DBSnapshotIdentifier"},
                output_schema={"DBSnapshot.DBSnapshotIdentifier": "string"},
                idempotency=created,
                retry={"max_attempts": 3},
            ),
            op(
                "verify",
                "POLL",
                timeout=600,
                call=observe,
                vars={"snapshot_status": "DBSnapshots[0].Status"},
                until={"op": "==", "a": ref("vars", "snapshot_status"), "b": lit("available")},
                fail_when=None,
                max_attempts=20,
                interval=30,
            ),
            op(
                "cleanup__if",
                "CONDITION",
                dest="cleanup",
                expr=ref("params", "cleanup_enabled", type_="boolean"),
            ),
            aws(
                "cleanup__1",
                "DescribeDBSnapshots",
                {"DBInstanceIdentifier": instance, "SnapshotType": lit("manual")},
                service="rds",
                guard="cleanup",
                select={"output.DBSnapshots": "DBSnapshots"},
                output_schema={"DBSnapshots": "list"},
                paginate=pages,
                fields={"output.DBSnapshots": ["DBSnapshotIdentifier", "SnapshotCreateTime"]},
            ),
            op(
                "cleanup__2",
                "FILTER",
                guard="cleanup",
                **{"from": ref("steps", "cleanup__1", "output.DBSnapshots", type_="list")},
                where={"op": "&&", "a": old, "b": other},
                max_items=1000,
            ),
            op(
                "cleanup__3",
                "FOR_EACH",
                guard="cleanup",
                timeout=600,
                over=ref("steps", "cleanup__2", "items", type_="list"),
                max_items=50,
                max_concurrency=1,
                on_item_error="fail",
                body=[
                    aws(
                        "cleanup__3__1",
                        "DeleteDBSnapshot",
                        delete,
                        service="rds",
                        input_schema=required,
                    )
                ],
            ),
        ],
        parameters=[
            parameter("instance_id", required=True, pattern="^[a-zA-Z][a-zA-Z0-9-]*$"),
            parameter("retention_days", "integer", default=7, min=1, max=35),
            parameter("cleanup_enabled", "boolean", default=True),
        ],
        rollback=[
            {
                "handler": "undo",
                "steps": ["create", "verify"],
                "ops": [
                    aws(
                        "undo__create",
                        "DeleteDBSnapshot",
                        {"DBSnapshotIdentifier": snapshot},
                        service="rds",
                        input_schema=required,
                        undoes="create",
                    )
                ],
            }
        ],
        outputs={"create": {"obj": {"id": ref("steps", "create", "id")}}},
    )
