"""Small plans, one for each thing that an operation can do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
AT = ["sample@1.0", 1]
RETRY = {
    "max_attempts": 1,
    "backoff": "exponential",
    "initial_delay": 1,
    "max_delay": 30,
    "jitter": "full",
    "retry_on": ["throttling", "server_error", "timeout", "connection"],
    "ambiguous": False,
}
TABLE_PAGES = {
    "input": ["ExclusiveStartTableName"],
    "output": [["LastEvaluatedTableName"]],
    "result": ["TableNames"],
    "more": None,
    "size": "Limit",
    "max_items": 4,
    "page_size": 2,
}


def lit(value: Any, kind: str = "string") -> dict[str, Any]:
    return {"lit": value, "t": kind}


def param(name: str, kind: str = "string") -> dict[str, Any]:
    return {"ref": ["params", name], "t": kind}


def step(step_id: str, output: str, kind: str = "string") -> dict[str, Any]:
    return {"ref": ["steps", step_id, output], "t": kind}


ITEM = {"ref": ["item"], "t": "string"}


def op(step_id: str, kind: str, **more: Any) -> dict[str, Any]:
    base = {"guard": None, "timeout": 60, "on_error": "fail", "next_step": None, "at": AT}
    return {"step_id": step_id, "op": kind, **base, **more}


def call(service: str, operation: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "service": service,
        "action": operation,
        "operation": operation,
        "input_mapping": inputs,
        "input_schema": dict.fromkeys(inputs, "string!"),
        "select": {},
        "output_schema": {},
        "fields": {},
        "access_level": "Read",
        "permissions": [f"{service}:{operation}"],
        "mutating": False,
        "idempotency": {"kind": "read"},
        "retry": RETRY,
        "paginate": None,
        "region": None,
        "sensitive": {"input": [], "output": []},
        "secret_read": False,
        "dry_run": False,
    }
    return {**base, **more}


def change(service: str, operation: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return call(
        service,
        operation,
        inputs,
        **{"mutating": True, "access_level": "Write", "idempotency": {"kind": "none"}, **more},
    )


def plan(operations: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "format": "naftiko.workflow/1",
        "workflow_id": "sample_v1_0",
        "name": "sample",
        "version": "1.0",
        "checksum": "sha256:" + "0" * 64,
        "description": "A sample of one kind of operation",
        "type": "primitive",
        "signatures": [],
        "nested": [],
        "metadata": {
            "tier": "enterprise",
            "risk_score": 0,
            "max_duration": 3600,
            "max_steps": 50,
            "cache": False,
            "read_only": False,
            "required_permissions": ["ssm:GetParameter"],
        },
        "parameters": [],
        "execution_plan": operations,
        "rollback": [],
        "outputs": {},
    }
    return {**base, **more}


def put(step_id: str, name: Any, **more: Any) -> dict[str, Any]:
    inputs = {"Name": name, "Value": lit("v"), "Type": lit("String")}
    return op(step_id, "AWS_CALL", **change("ssm", "PutParameter", inputs), **more)


def delete(step_id: str, name: Any, **more: Any) -> dict[str, Any]:
    return op(step_id, "AWS_CALL", **change("ssm", "DeleteParameter", {"Name": name}), **more)


def rds() -> dict[str, Any]:
    return dict(json.loads((FOLDER / "plans" / "rds.json").read_text()))


def paging() -> dict[str, Any]:
    listed = call(
        "dynamodb",
        "ListTables",
        {},
        select={"names": "TableNames"},
        output_schema={"TableNames": "list"},
        paginate=TABLE_PAGES,
    )
    return plan(
        [op("tables", "AWS_CALL", **listed)], outputs={"names": step("tables", "names", "list")}
    )


def values() -> dict[str, Any]:
    """SET, CONDITION with a guard, WAIT, ASSERT."""
    big = {"op": ">", "a": param("count", "integer"), "b": lit(2, "integer")}
    return plan(
        [
            op("base", "SET", values={"name": {"cat": [param("name"), lit('-%{}$"x')]}}),
            op("more__if", "CONDITION", dest="more", expr=big),
            op("more", "SET", guard="more", values={"n": param("count", "integer")}),
            op("after", "SET", values={"n": step("more", "n", "integer")}),
            op("pause", "WAIT", seconds=600, timeout=700),
            op(
                "sure",
                "ASSERT",
                that={"op": "!=", "a": param("name"), "b": lit("bad")},
                message={"cat": [lit("not "), param("name")]},
            ),
        ],
        parameters=[
            {"name": "name", "type": "string", "required": True},
            {"name": "count", "type": "integer", "required": False, "default": 3},
        ],
        outputs={
            "name": step("base", "name"),
            "n": step("after", "n", "integer"),
            "status": step("after", "status"),
        },
    )


def rollback() -> dict[str, Any]:
    """Two creates, an assertion that fails if told so, two handlers."""
    return plan(
        [
            put("first", lit("/a/first")),
            put("second", param("second")),
            op(
                "sure",
                "ASSERT",
                that={"op": "==", "a": param("fails", "boolean"), "b": lit(False, "boolean")},
                message=lit("told to fail"),
            ),
        ],
        parameters=[
            {"name": "second", "type": "string", "required": True},
            {"name": "fails", "type": "boolean", "required": False, "default": False},
        ],
        rollback=[
            {
                "handler": "undo_first",
                "steps": ["first", "second", "sure"],
                "ops": [delete("undo_first__first", lit("/a/first"), undoes="first")],
            },
            {
                "handler": "undo_second",
                "steps": ["second", "sure"],
                "ops": [delete("undo_second__second", param("second"), undoes="second")],
            },
        ],
        outputs={"done": step("sure", "status")},
    )


def loop(on_item_error: str = "fail", max_items: int = 3) -> dict[str, Any]:
    wanted = {"op": "!=", "a": ITEM, "b": lit("skip")}
    got = call(
        "ssm",
        "GetParameter",
        {"Name": ITEM},
        select={"value": "Parameter.Value", "when": "Parameter.LastModifiedDate"},
        output_schema={"Parameter.Value": "string", "Parameter.LastModifiedDate": "timestamp"},
    )
    return plan(
        [
            op(
                "some",
                "FILTER",
                **{"from": param("names", "list"), "where": wanted, "max_items": 100},
            ),
            op(
                "each",
                "FOR_EACH",
                over=step("some", "items", "list"),
                max_items=max_items,
                max_concurrency=1,
                on_item_error=on_item_error,
                body=[
                    op("each__get", "AWS_CALL", **got),
                    delete("each__drop", ITEM),
                ],
            ),
        ],
        parameters=[{"name": "names", "type": "array", "required": True}],
        outputs={
            "count": step("each", "count", "integer"),
            "failed": step("each", "failed", "integer"),
        },
    )


def poll(max_attempts: int = 3, interval: int = 30, timeout: int = 150) -> dict[str, Any]:
    looked = call(
        "ssm", "GetParameter", {"Name": param("name")}, output_schema={"Parameter.Value": "string"}
    )
    seen = {"ref": ["vars", "seen"], "t": "string"}
    return plan(
        [
            op(
                "look",
                "POLL",
                call=looked,
                vars={"seen": "Parameter.Value"},
                until={"op": "==", "a": seen, "b": lit("ready")},
                fail_when={"op": "in", "a": seen, "b": {"list": [lit("broken"), lit("gone")]}},
                max_attempts=max_attempts,
                interval=interval,
                timeout=timeout,
            )
        ],
        parameters=[{"name": "name", "type": "string", "required": True}],
        outputs={"attempts": step("look", "attempts", "integer")},
    )


def facts() -> dict[str, Any]:
    """What is fixed when an execution starts."""
    names = ["uuid", "timestamp", "execution_id", "region", "account_id", "partition"]
    made: dict[str, Any] = {name: {"fn": name, "args": [], "t": "string"} for name in names}
    made["now"] = {"fn": "now", "args": [], "t": "timestamp"}
    outputs = {name: step("facts", name) for name in made}
    return plan([op("facts", "SET", values=made)], outputs=outputs)


def parallel() -> dict[str, Any]:
    """A loop whose items run three at a time, and go on without those that fail."""
    made = loop("continue", max_items=10)
    made["execution_plan"][1]["max_concurrency"] = 3
    body = made["execution_plan"][1]["body"]
    del body[1], body[0]["select"]["when"]
    made["outputs"]["results"] = step("each", "results", "list")
    return made


def going_on() -> dict[str, Any]:
    """A step that may fail, one that reads its outputs, one that does not."""
    got = call(
        "ssm",
        "GetParameter",
        {"Name": lit("/none")},
        select={"name": "Parameter.Name"},
        output_schema={"Parameter.Name": "string"},
    )
    return plan(
        [
            op("look", "AWS_CALL", on_error="continue", **got),
            op("after", "SET", values={"name": step("look", "name")}),
            put("last", lit("/last")),
        ],
        outputs={
            "look": step("look", "status"),
            "after": step("after", "status"),
            "last": step("last", "status"),
        },
    )


def refusal(retry: int = 3) -> dict[str, Any]:
    """An error that the service's model does not name, and that is no use to repeat."""
    rule = {**RETRY, "max_attempts": retry}
    inputs = {"Name": lit("/a"), "Value": lit("v"), "Type": lit("NoSuchType")}
    return plan([op("one", "AWS_CALL", **change("ssm", "PutParameter", inputs, retry=rule))])


def token() -> dict[str, Any]:
    """A call that is made safe to repeat by a token."""
    made = change(
        "secretsmanager",
        "CreateSecret",
        {"Name": lit("s"), "SecretString": lit("not-one")},
        idempotency={"kind": "token", "member": "ClientRequestToken"},
        retry={**RETRY, "max_attempts": 3},
        select={"version": "VersionId"},
        output_schema={"VersionId": "string"},
    )
    return plan([op("one", "AWS_CALL", **made)], outputs={"version": step("one", "version")})


def renamed() -> dict[str, Any]:
    """Structures in structures, whose members are called otherwise there."""
    setting = {"obj": {"name": lit("containerInsights"), "value": param("insights")}}
    label = {"obj": {"key": lit("made"), "value": {"cat": [param("name"), lit("-x")]}}}
    made = change(
        "ecs",
        "CreateCluster",
        {"clusterName": param("name"), "settings": {"list": [setting]}, "tags": {"list": [label]}},
        input_schema={"clusterName": "string", "settings": "list", "tags": "list"},
        select={"settings": "cluster.settings", "status": "cluster.status"},
        output_schema={"cluster.settings": "list", "cluster.status": "string"},
    )
    return plan(
        [op("one", "AWS_CALL", **made)],
        parameters=[
            {"name": "name", "type": "string", "required": True},
            {"name": "insights", "type": "string", "required": False, "default": "enabled"},
        ],
        outputs={"settings": step("one", "settings", "list"), "status": step("one", "status")},
    )


def asking(attempts: int = 3) -> dict[str, Any]:
    """A step that may fail, and what follows by its error code; a poll and what it says."""
    retry = {**RETRY, "max_attempts": attempts}
    got = call("ssm", "GetParameter", {"Name": lit("/a")}, retry=retry)
    one, two = step("look", "error_code"), step("watch", "error_code")
    is_gone = {"op": "==", "a": one, "b": lit("ParameterNotFound")}
    known = {"op": "in", "a": two, "b": {"list": [lit("ParameterNotFound"), lit("InvalidKeyId")]}}
    looked = call("ssm", "GetParameter", {"Name": lit("/b")}, retry=retry)
    watched = {"call": looked, "vars": {}, "until": lit(True, "boolean"), "fail_when": None}
    return plan(
        [
            op("look", "AWS_CALL", on_error="continue", **got),
            op("gone__if", "CONDITION", dest="gone", expr=is_gone),
            put("gone", lit("/a"), guard="gone"),
            op("watch", "POLL", on_error="continue", max_attempts=2, interval=1, **watched),
            op("known", "SET", values={"status": known, "error_code": {"op": "!", "a": known}}),
        ],
        outputs={
            "look": step("look", "status"),
            "status": step("known", "status", "boolean"),
            "not": step("known", "error_code", "boolean"),
        },
    )


def own_names() -> dict[str, Any]:
    """Outputs that are called as what a step says of itself, in a loop and outside of it."""
    made = change(
        "ecs",
        "CreateCluster",
        {"clusterName": ITEM},
        select={"status": "cluster.status", "output.cluster": "cluster.clusterName"},
        output_schema={"cluster.status": "string", "cluster.clusterName": "string"},
    )
    got = call(
        "ssm",
        "GetParameter",
        {"Name": lit("/none")},
        select={"status": "Parameter.Value", "error_code": "Parameter.Name"},
        output_schema={"Parameter.Value": "string", "Parameter.Name": "string"},
    )
    is_active = {"op": "==", "a": step("each__make", "status"), "b": lit("ACTIVE")}
    body = [
        op("each__make", "AWS_CALL", **made),
        op("each__active", "ASSERT", that=is_active, message=lit("not active")),
        op("each__look", "AWS_CALL", on_error="continue", **got),
    ]
    lost = {"ref": ["steps", "look", "status"], "t": "string", "default": "none"}
    return plan(
        [
            op(
                "each",
                "FOR_EACH",
                over=param("names", "list"),
                max_items=3,
                max_concurrency=1,
                on_item_error="fail",
                body=body,
            ),
            op("look", "AWS_CALL", on_error="continue", **got),
            op("needs", "SET", values={"a": step("look", "status")}),
        ],
        parameters=[{"name": "names", "type": "array", "required": True}],
        outputs={
            "all": step("each", "results", "list"),
            "own": step("each", "status"),
            "lost": lost,
            "bare": step("look", "status"),
            "code": step("look", "error_code"),
            "needs": step("needs", "status"),
        },
    )


def late() -> dict[str, Any]:
    """A wait that is longer than the whole may take, and what was done before it."""
    made = plan(
        [put("first", lit("/first")), op("pause", "WAIT", seconds=600, timeout=700)],
        rollback=[
            {
                "handler": "undo_first",
                "steps": ["first", "pause"],
                "ops": [delete("undo_first__first", lit("/first"), undoes="first")],
            }
        ],
    )
    made["metadata"]["max_duration"] = 1
    return made


SAMPLES = {
    "facts": facts,
    "rds": rds,
    "paging": paging,
    "values": values,
    "rollback": rollback,
    "loop": loop,
    "poll": poll,
    "parallel": parallel,
    "going_on": going_on,
    "refusal": refusal,
    "token": token,
    "renamed": renamed,
    "late": late,
    "asking": asking,
    "own_names": own_names,
}
