"""The whitelist of the plan: what is refused, with the place and the reason."""

from __future__ import annotations

import pytest

from naftiko.values import JsonObject
from naftiko.workflow.plan.drift import check_drift
from naftiko.workflow.plan.integrity import PlanDrift
from naftiko.workflow.plan.schema import PlanError, check_plan
from tests.unit.workflow.plan.plans import changed, rds, small

PLAN = "execution_plan"
LIT: JsonObject = {"lit": 1, "t": "integer"}


def deep(levels: int) -> JsonObject:
    tree: JsonObject = {"lit": True, "t": "boolean"}
    for _ in range(levels):
        tree = {"op": "!", "a": tree}
    return tree


def wide(count: int) -> JsonObject:
    return {"cat": [{"lit": "x", "t": "string"}] * count}


def test_sample_is_in_order() -> None:
    check_plan(rds())
    check_plan(small())


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (["extra"], 1, "unknown member `extra`"),
        (["outputs"], ..., "`outputs` is missing"),
        (["format"], "naftiko.workflow/2", "format: expected one of naftiko.workflow/1"),
        (["workflow_id"], "other_v1_0", "workflow_id: expected `rds_backup_with_retention_v1_0`"),
        (["version"], "01.0", "version: `01.0` is not of the form"),
        (["metadata", "tier"], "root", "metadata.tier: expected one of"),
        (["metadata", "risk_score"], 11, "metadata.risk_score: expected a number from 0 to 10"),
        (["metadata", "max_steps"], True, "metadata.max_steps: expected a whole number"),
        (["metadata", "read_only"], True, "metadata.read_only: the plan changes something"),
        (["metadata", "cache"], True, "metadata.cache: only a plan that changes nothing"),
        (["metadata", "services"], [], "metadata.services: `rds` is missing"),
        (
            ["metadata", "required_permissions"],
            ["rds:CreateDBSnapshot"],
            "metadata.required_permissions: `rds:DescribeDBInstances` of `validate_instance`",
        ),
        (
            ["metadata", "required_permissions"],
            ["b:B", "a:A"],
            "metadata.required_permissions: not sorted",
        ),
        (["parameters", 1, "default"], "7", r"parameters\[1\].default: no integer"),
        (["parameters", 1, "name"], "instance_id", "parameters: a name stands twice"),
        (["parameters", 0, "type"], "text", r"parameters\[0\].type: expected one of"),
        ([PLAN, 0, "op"], "JUMP", r"execution_plan\[0\].op: expected one of AWS_CALL"),
        ([PLAN, 0, "next_step"], "verify_snapshot", r"\[0\].next_step: expected `create_snapshot`"),
        ([PLAN, 6, "next_step"], "create_snapshot", r"\[6\].next_step: expected null"),
        ([PLAN, 1, "step_id"], "verify_snapshot", "the step_id `verify_snapshot` stands twice"),
        ([PLAN, 0, "guard"], "cleanup_old_snapshots", r"\[0\].guard: no CONDITION before this"),
        ([PLAN, 3, "dest"], "other", r"\[4\].guard: no CONDITION before this"),
        ([PLAN, 0, "timeout"], 0, r"\[0\].timeout: expected a whole number from 1"),
        ([PLAN, 0, "undoes"], None, r"\[0\]: unknown member `undoes`"),
        ([PLAN, 0, "at"], ["x"], r"\[0\].at: expected a list of two"),
        ([PLAN, 0, "service"], "../rds", r"\[0\].service: `../rds` is not of the form"),
        ([PLAN, 0, "mutating"], True, r"\[0\].idempotency: a call that changes something"),
        ([PLAN, 1, "mutating"], False, r"\[1\].idempotency: a call that changes nothing"),
        ([PLAN, 1, "select", "id"], "A.B", r"\[1\].select.id: `A.B` has no type"),
        ([PLAN, 1, "select", "id"], "A[*]", r"\[1\].select.id: `A\[\*\]` is not of the form"),
        ([PLAN, 1, "input_schema"], {}, r"\[1\].input_schema: `DBInstanceIdentifier` has no type"),
        (
            [PLAN, 1, "input_mapping", "DBSnapshotIdentifier"],
            ...,
            r"\[1\].input_mapping: `DBSnapshotIdentifier` is required",
        ),
        ([PLAN, 1, "retry", "max_attempts"], 11, r"\[1\].retry.max_attempts: expected"),
        (
            [PLAN, 1, "idempotency", "observer", "call", "mutating"],
            True,
            r"\[1\].idempotency.observer.call.mutating: a call that observes",
        ),
        ([PLAN, 2, "max_attempts"], 201, r"\[2\].max_attempts: expected .* 1 to 200"),
        ([PLAN, 2, "interval"], 901, r"\[2\].interval: expected .* 1 to 900"),
        ([PLAN, 2, "call", "mutating"], True, r"\[2\].call.mutating: a call that observes"),
        ([PLAN, 2, "vars", "other"], "X", r"\[2\].vars.other: `X` has no type"),
        ([PLAN, 2, "until"], {"ref": ["vars", "x"], "t": "string"}, r"until: no variable `vars.x`"),
        ([PLAN, 6, "max_items"], 1001, r"\[6\].max_items: expected .* 1 to 1000"),
        ([PLAN, 6, "max_concurrency"], 11, r"\[6\].max_concurrency: expected .* 1 to 10"),
        ([PLAN, 6, "body"], [], r"\[6\].body: expected 1 to 500 elements"),
        ([PLAN, 6, "body", 0, "op"], "FOR_EACH", r"\[6\].body\[0\].op: expected one of"),
        (["rollback", 0, "steps"], ["none"], r"rollback\[0\].steps: no step `none`"),
        (["rollback", 0, "ops", 0, "undoes"], "none", r"rollback\[0\].ops.undoes: no step `none`"),
        (["rollback", 0, "ops", 0, "undoes"], ..., r"ops\[0\]: `undoes` is missing"),
        (["signatures"], [{}], r"signatures\[0\]: `key_id` is missing"),
    ],
)
def test_refused(path: list[str | int], value: object, reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        check_plan(changed(rds(), path, value))


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ({}, "a node that is no tree"),
        ("x", "a tree is an object"),
        ({"lit": "1", "t": "integer"}, "lit: the constant is no integer"),
        ({"lit": True, "t": "integer"}, "lit: the constant is no integer"),
        ({"lit": "tomorrow", "t": "timestamp"}, "lit: the constant is no timestamp"),
        ({"lit": 1, "t": "money"}, "t: expected a kind of value"),
        ({"lit": 1, "t": "integer", "x": 1}, "unknown member `x`"),
        ({"ref": [], "t": "string"}, "a reference is a list"),
        ({"ref": ["env", "HOME"], "t": "string"}, "a reference is a list that starts with"),
        ({"ref": ["params", 1.5], "t": "string"}, "names and indexes only"),
        ({"ref": ["params", "none"], "t": "string"}, "no parameter `params.none`"),
        ({"ref": ["params"], "t": "map"}, "no parameter `params`"),
        ({"ref": ["item"], "t": "string"}, "`item` has no value here"),
        ({"ref": ["vars", "x"], "t": "string"}, "no variable `vars.x` here"),
        ({"ref": ["steps", "verify_snapshot", "status"], "t": "string"}, "no output of a step"),
        ({"ref": ["steps", "validate_instance"], "t": "string"}, "no output of a step"),
        ({"ref": ["steps", "validate_instance", "x"], "t": "string"}, "has no output `x`"),
        ({"ref": ["params", "instance_id"], "t": "string", "default": []}, "default: a default"),
        ({"op": "*", "a": LIT, "b": LIT}, r"op: unknown operator `\*`"),
        ({"op": "!", "a": LIT, "b": LIT}, "unknown member `b`"),
        ({"op": "<", "a": LIT}, "`b` is missing"),
        ({"op": "matches", "a": LIT, "b": {"ref": ["params", "instance_id"], "t": "string"}}, "b:"),
        ({"fn": "eval", "args": [], "t": "string"}, "fn: unknown function `eval`"),
        ({"fn": "now", "args": [LIT], "t": "timestamp"}, "args: `now` takes 0 arguments"),
        ({"fn": "now", "args": [], "t": "string"}, "t: `now` gives timestamp"),
        ({"fn": "concat", "args": [LIT, LIT], "t": "timestamp"}, "t: `concat` gives list"),
        ({"fn": "pluck", "args": [LIT, {"lit": 7, "t": "integer"}], "t": "list"}, "args: `pluck`"),
        ({"cat": "x"}, "cat: expected a list"),
        ({"list": [{}]}, r"list\[0\]: a node that is no tree"),
        ({"obj": {"a": {}}}, "obj.a: a node that is no tree"),
        (deep(21), "an expression of more than 20 levels"),
        (wide(200), "an expression of more than 200 nodes"),
    ],
)
def test_trees_refused(tree: object, reason: str) -> None:
    plan = changed(rds(), [PLAN, 1, "input_mapping", "DBInstanceIdentifier"], tree)
    with pytest.raises(PlanError, match=reason):
        check_plan(plan)


@pytest.mark.parametrize(
    "tree",
    [
        deep(20),
        wide(199),
        {"list": [wide(199), wide(199)]},
        {"ref": ["steps", "validate_instance", "status"], "t": "string"},
        {"obj": {"a": {"list": [{"fn": "uuid", "args": [], "t": "string"}]}}},
        {"lit": "2026-01-31T10:00:00Z", "t": "timestamp"},
        {"lit": {"any": ["thing"]}, "t": "map"},
    ],
)
def test_trees_accepted(tree: object) -> None:
    check_plan(changed(rds(), [PLAN, 1, "input_mapping", "DBInstanceIdentifier"], tree))


def test_the_token_of_the_next_page_may_be_in_the_last_element() -> None:
    path: list[str | int] = [PLAN, 4, "paginate", "output"]
    plan = changed(rds(), path, [["Marker", "DBSnapshots[-1].DBSnapshotIdentifier"]])
    check_plan(plan)
    check_drift(plan)
    with pytest.raises(PlanDrift):
        check_drift(changed(plan, path, [["DBSnapshots[-1].Gone"]]))
    with pytest.raises(PlanError, match="is not of the form"):
        check_plan(changed(rds(), [PLAN, 4, "paginate", "result"], ["DBSnapshots[-1]"]))


def test_steps_of_a_body_are_not_seen_outside() -> None:
    tree: JsonObject = {"ref": ["steps", "cleanup_old_snapshots__3__1", "status"], "t": "string"}
    with pytest.raises(PlanError, match=r"outputs.x: .* is no output of a step"):
        check_plan(changed(rds(), ["outputs", "x"], tree))


def test_number_of_operations() -> None:
    plan = small()
    (operation,) = plan[PLAN]  # type: ignore[misc]  # the list of one operation of the small plan
    assert isinstance(operation, dict)
    names = [f"pause_{number}" for number in range(501)]
    operations = [
        {**operation, "step_id": name, "next_step": following}
        for name, following in zip(names, [*names[1:], None], strict=True)
    ]
    with pytest.raises(PlanError, match="expected 0 to 500 elements, found 501"):
        check_plan(changed(plan, [PLAN], operations))
    fewer = [*operations[:499], {**operations[499], "next_step": None}]
    check_plan(changed(plan, [PLAN], fewer))
