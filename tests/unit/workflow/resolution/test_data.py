from __future__ import annotations

import re
from pathlib import Path

import pytest

from naftiko.document.nodes import Scalar
from naftiko.errors import Problems
from naftiko.source import Location, anchored
from naftiko.workflow.expressions.syntax import parse_expression, parse_template
from naftiko.workflow.resolution.data import ResolutionData, ResolutionDataError
from naftiko.workflow.resolution.operations import match_operation
from tests.unit.workflow.resolution.conftest import FOLDER

SERVICES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
AT = Location("row", 1, 1)


@pytest.mark.parametrize("service", SERVICES)
def test_every_row_is_right(data: ResolutionData, service: str) -> None:
    rows = data.service(service)  # raises where a row names what botocore does not know
    assert rows.actions
    assert len(rows.intents) >= 4
    for row in rows.intents.values():
        assert len(match_operation(data, service, row.target)) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_conditions_and_templates_are_expressions(data: ResolutionData, service: str) -> None:
    rows = data.service(service)
    for observer in rows.observe.values():
        for text in filter(None, (observer.until, observer.fail_when)):
            parse_expression(text, anchored(AT))
            names = re.findall(r"\b[a-z_]+\b", re.sub(r"'[^']*'", "", text))
            assert set(names) - {"in"} <= set(observer.variables)
    for members in rows.defaults.values():
        for row in members.values():
            parse_template(row.target, anchored(AT))


@pytest.mark.parametrize("service", SERVICES)
def test_recipes_are_steps(data: ResolutionData, service: str) -> None:
    for recipe in data.service(service).recipes.values():
        problems = Problems()
        steps = recipe.steps(problems)
        assert [(item.code, item.message) for item in problems] == []
        assert steps
        assert recipe.scope
        assert recipe.description
        for name, action in recipe.actions():
            assert len(match_operation(data, name, action)) == 1


def write(folder: Path, text: str, service: str = "rds") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{service}.yaml").write_text(text)
    return folder


def test_later_folders_win_row_by_row(tmp_path: Path) -> None:
    one = write(tmp_path / "one", "actions: {go: StartDBInstance, halt: StopDBInstance}\n")
    two = write(tmp_path / "two", "actions: {go: RebootDBInstance}\nnoise: [db]\n")
    rows = ResolutionData.load([one, two]).service("rds")
    assert {name: row.target for name, row in rows.actions.items()} == {
        "go": "RebootDBInstance",
        "halt": "StopDBInstance",
    }
    assert rows.noise == {"db"}


def test_an_observer_is_one_row(tmp_path: Path) -> None:
    below = """
observe:
  StartDBInstance:
    operation: DescribeDBInstances
    input: {DBInstanceIdentifier: input.DBInstanceIdentifier}
    variables: {a: "DBInstances[0].DBInstanceStatus"}
    until: a == 'x'
"""
    above = below.replace("    until: a == 'x'\n", "").replace("{a:", "{b:")
    folders = [write(tmp_path / "one", below), write(tmp_path / "two", above)]
    row = ResolutionData.load(folders).service("rds").observe["StartDBInstance"]
    assert row.until is None
    assert set(row.variables) == {"b"}


def test_the_digest_is_that_of_the_rows(tmp_path: Path) -> None:
    one = write(tmp_path / "one", "actions: {go: StartDBInstance, halt: StopDBInstance}\n")
    two = write(
        tmp_path / "two", "# a comment\nactions:\n  halt: StopDBInstance\n  go: StartDBInstance\n"
    )
    three = write(tmp_path / "three", "actions: {go: StartDBInstance}\n")
    write(three, "actions: {go: GetObject}\n", "s3")
    load = ResolutionData.load
    assert load([one]).digest == load([two]).digest == load([one, two]).digest
    assert load([one]).digest != load([three]).digest
    assert load([three]).digest_of(["rds"]) != load([three]).digest
    assert re.fullmatch("sha256:[0-9a-f]{64}", load([one]).digest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("actions: {go: Nothing}", "`rds` has no operation `Nothing`"),
        ("actions: {create_db_snapshot: CreateDBSnapshot}", "is an operation's own name"),
        ("action: {}", "`action` is no section"),
        ("params: {'*': {x: Nope}}", "no operation has a member `Nope`"),
        ("params: {CreateDBSnapshot: {x: Nope}}", "takes no member `Nope`"),
        ("intents: {do it: CreateX}", "`rds` has no operation `CreateX`"),
        ("intents: {a start: StartDBInstance, the start: StartDBInstance}", "the same phrase"),
        ("defaults: {CreateDBSnapshot: {X: y}}", "takes no member `X`"),
        (
            "undo: {CreateDBSnapshot: {operation: DeleteDBSnapshot}}",
            "`DeleteDBSnapshot` requires `DBSnapshotIdentifier`",
        ),
        (
            "undo: {CreateDBSnapshot: {operation: DeleteDBSnapshot, input: "
            "{DBSnapshotIdentifier: output.DBSnapshot.AllocatedStorage}}}",
            "is a integer, `DBSnapshotIdentifier` a string",
        ),
        (
            "observe: {CreateDBSnapshot: {operation: DescribeDBSnapshots, variables: "
            "{a: 'DBSnapshots[0].Nope'}}}",
            "leads to no single value",
        ),
        (
            "recipes: {r: {steps: [{id: a, context: {service: rds, action: delete_snapshot}}]}}",
            "declares no parameter as `scope`",
        ),
        ("recipes: {r: {}}", "has no steps"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, text: str, message: str) -> None:
    data = ResolutionData.load([write(tmp_path, text)])
    with pytest.raises(ResolutionDataError) as caught:
        data.check()
    problem = caught.value.problems[0]
    assert message in problem.message
    assert problem.location.path.endswith("rds.yaml")
    assert problem.location.line == 1


def test_a_file_of_no_service(tmp_path: Path) -> None:
    with pytest.raises(ResolutionDataError, match="no service `rdz`"):
        ResolutionData.load([write(tmp_path, "noise: []", "rdz")]).check()


def test_constants_of_a_recipe_stand_in_its_steps(data: ResolutionData) -> None:
    from naftiko.workflow.ast import ForEach

    recipe = data.service("rds").recipes["cleanup_snapshots"]
    for constants, wanted in (({}, 50), ({"max_items": 7}, 7)):
        action = recipe.steps(Problems(), constants)[2].action
        assert isinstance(action, ForEach)
        assert action.max_items == wanted
    assert isinstance(recipe.body.items[0].get("id"), Scalar)
