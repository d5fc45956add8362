"""What a source becomes. Wrong ones are in tests/cases/workflow."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from naftiko.document.nodes import Scalar
from naftiko.document.reader import parse_document
from naftiko.errors import Problems
from naftiko.workflow.ast import Assert, CallWorkflow, Command, ForEach, Poll, Step, Wait
from naftiko.workflow.source.parser import parse_steps
from tests.unit.workflow.front.sources import HEAD, STEP, VALID, codes_of, parsed, problems_of


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_sources_that_are_fine(path: Path) -> None:
    workflow = parsed(path.read_bytes())

    assert workflow.name == path.stem
    assert workflow.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def source(name: str) -> str:
    return (VALID[0].parent / f"{name}.yaml").read_text(encoding="utf-8")


def step_of(text: str) -> Step:
    return parsed(HEAD + "steps:\n" + text).steps[-1]


def test_the_first_example() -> None:
    workflow = parsed(source("rds_backup_with_retention"))

    assert workflow.ref == "rds_backup_with_retention@1.0"
    assert (workflow.type_, workflow.metadata.tier) == ("primitive", "verified")
    assert (workflow.metadata.risk_score, workflow.metadata.max_duration) == (4.5, 1800)
    assert [step.id for step in workflow.steps] == [
        "validate_instance",
        "create_snapshot",
        "verify_snapshot",
        "cleanup_old_snapshots",
    ]
    create = workflow.steps[1]
    assert (create.timeout, create.retry.max_attempts) == (300, 3)
    poll = workflow.steps[2].action
    assert isinstance(poll, Poll)
    assert (poll.timeout, poll.command) == (600, None)
    condition = workflow.steps[3].condition
    assert condition is not None
    assert condition.text == "${params.cleanup_enabled:-true}"
    covered = workflow.rollback[0].steps
    assert covered is not None
    assert [name.text for name in covered] == ["create_snapshot", "verify_snapshot"]


def test_short_steps() -> None:
    workflow = parsed(source("backup_rds_instance"))

    assert [step.id for step in workflow.steps] == ["create_snapshot", "verify_completion"]
    first = workflow.steps[0]
    assert first.action == Command(is_shorthand=True)
    assert first.intent is not None
    assert first.intent.text == "create RDS snapshot for instance"
    assert (workflow.version, workflow.version_given) == ("1.0", False)
    assert not workflow.parameters_given


def test_nested_workflows() -> None:
    pattern = parsed(source("setup_database_monitoring"))
    application = parsed(source("deploy_production_database"))

    action = pattern.steps[0].action
    assert isinstance(action, CallWorkflow)
    assert (action.workflow.text, [key.text for key, _ in action.parameters]) == (
        "backup_rds_instance",
        ["instance_id"],
    )
    assert not application.steps_given
    assert application.nested_workflows is not None
    assert len(application.nested_workflows) == 3


def test_everything() -> None:
    workflow = parsed(source("everything"))
    steps = {step.id: step for step in workflow.steps}

    call = steps["call"].action
    assert isinstance(call, Command)
    assert [key.text for key, _ in call.loose] == ["bucket", "prefix"]
    assert [key.text for key, _ in call.input] == ["MaxKeys", "region"]
    assert call.paginate is not None
    assert call.paginate.page_size == 100
    assert steps["call"].depends_on == ()
    assert (steps["call"].timeout, steps["call"].on_error) == (90, "continue")
    assert steps["call"].retry.retry_on[-1] == "SlowDown"
    assert [item.type_ for item in steps["call"].outputs] == ["list", None]
    assert isinstance(steps["only_intent"].action, Command)
    assert steps["check"].condition is None
    assert isinstance(steps["check"].action, Assert)
    each = steps["each"].action
    assert isinstance(each, ForEach)
    assert [step.id for step in each.do] == ["remove", "after"]
    assert each.do[1].action == Wait(seconds=5)
    parameters = {item.name: item for item in workflow.parameters}
    assert parameters["nothing"].has_default
    assert parameters["nothing"].default is None
    assert parameters["names"].default == ["a", "b"]
    assert parameters["password"].sensitive
    assert workflow.rollback[0].command is not None
    assert workflow.embedding.risk_level == "high"


def test_defaults() -> None:
    workflow = parsed(HEAD + STEP)
    step = workflow.steps[0]

    assert (workflow.metadata.tier, workflow.metadata.max_duration) == ("community", 300)
    assert (workflow.metadata.max_steps, workflow.metadata.cache) == (50, False)
    assert (workflow.outputs, workflow.permissions, workflow.rollback) == (None, None, ())
    assert (step.depends_on, step.timeout, step.timeout_given) == (None, 60, False)


def test_a_poll_lasts_as_long_as_its_attempts() -> None:
    step = step_of("  - {id: a, action: poll, condition: 'x == 1', max_attempts: 3, interval: 10s}")

    assert isinstance(step.action, Poll)
    assert (step.timeout, step.action.timeout) == (90, None)


def test_a_loop_lasts_as_long_as_its_rounds() -> None:
    text = (
        "  - {id: a, action: for_each, over: '${params.x}', max_items: 5, max_concurrency: 2, do: "
    )

    assert step_of(text + "[{id: b, action: wait, duration: 40s}]}").timeout == 300


def test_the_type_of_a_workflow_is_inferred() -> None:
    assert parsed(HEAD + STEP).type_ == "primitive"
    assert parsed(HEAD + "nested_workflows: [other]\n").type_ == "pattern"
    assert parsed(HEAD + "steps:\n  - a: {workflow: other}\n").type_ == "pattern"


def test_a_source_may_be_text_or_bytes() -> None:
    text = HEAD.replace("case for", "cäse for") + STEP

    assert parsed(text) == parsed(text.encode())


def test_too_large() -> None:
    text = HEAD + STEP
    filled = text + "#" * (256 * 1024 - len(text))

    assert parsed(filled)
    assert codes_of(filled + "#") == ["WF101"]
    assert problems_of(filled + "#")[0].hint == "split it into workflows that one workflow calls"
    assert codes_of("é" * 200_000) == ["WF101"]


def test_a_lone_surrogate_is_no_utf_8() -> None:
    assert codes_of(HEAD + "# \ud800\n" + STEP) == ["WF101"]


@pytest.mark.parametrize("value", ["True", "0o17", "2026-01-31", "1:30", "0123", "yes", "off"])
def test_what_readers_disagree_on_is_text(value: str) -> None:
    workflow = parsed(HEAD + f"outputs: {{a: {value}}}\n" + STEP)

    assert workflow.outputs is not None
    node = workflow.outputs[0][1]
    assert isinstance(node, Scalar)
    assert node.value == value


def test_steps_of_a_recipe() -> None:
    problems = Problems()
    root = parse_document("steps: [{id: a, action: wait, duration: 5}]", "r.yaml").root
    steps = root.get("steps")
    assert steps is not None

    assert [step.id for step in parse_steps(steps, problems)] == ["a"]
    assert not problems.errors
    parse_steps(root, problems)
    assert [problem.code for problem in problems] == ["WF203"]


def test_too_many() -> None:
    steps = "steps:\n" + "".join(f"  - s_{n}: list the buckets\n" for n in range(501))
    parameters = "parameters:\n" + "".join(
        f"  - {{name: p_{n}, type: string}}\n" for n in range(51)
    )

    assert codes_of(HEAD + steps) == ["WF204"]
    assert codes_of(HEAD + parameters + STEP) == ["WF204"]


def test_a_pattern_that_is_refused_is_not_tried() -> None:
    text = (
        "parameters:\n  - {name: a, type: string, pattern: '(a+)+$', default: '"
        + "a" * 40
        + "!'}\n"
    )

    assert codes_of(HEAD + text + STEP) == []
