"""Codes of the pipeline, people's names, and the CI example."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml

from naftiko.cli.main import build_parser
from naftiko.workflow import diagnostics
from naftiko.workflow.contribution.codes import CODES, STAGE
from naftiko.workflow.contribution.layout import submission_id
from naftiko.workflow.contribution.people import is_same
from naftiko.workflow.contribution.refused import Refused
from tests.case_files import CASES, ROOT

CI = ROOT / "docs/workflows/ci/github-actions.yml"
CODE = re.compile(r"WF9\d\d")


def test_codes_do_not_clash() -> None:
    assert not set(CODES) & set(diagnostics.CODES)
    assert {code.stage for code in CODES.values()} == {STAGE}
    assert diagnostics.STAGES[STAGE] == "contribution"


def test_every_code_is_given_and_shown() -> None:
    source = "".join(
        path.read_text("utf-8")
        for path in (ROOT / "naftiko/workflow/contribution").glob("*.py")
        if path.name != "codes.py"
    )
    assert set(CODE.findall(source)) == set(CODES)
    tests = [*(ROOT / "tests/live/workflow_contribution").glob("*.py")]
    tests += [path for path in (CASES / "contribution").rglob("*") if path.is_file()]
    shown = set(CODE.findall("".join(path.read_text("utf-8") for path in tests)))
    assert set(CODES) <= shown


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("@alice", "alice", True),
        ("Alice", "alice@laptop", True),
        ("Ann Lee <ann@example.org>", "ann", True),
        ("Ann Lee", "ann-lee", True),
        ("@bob", "alice", False),
        ("\uff41lice", "alice", True),
        ("@\u0430lice", "alice", True),
        ("al\u200bice", "alice", True),
        ("Ann Lee (@alice)", "alice", True),
        ("Ann Lee @alice", "alice", True),
        ("alice & bob", "bob", True),
        ("github:alice", "alice", True),
        ("alice+aws@example.org", "alice", True),
        ("ann@example.org", "bob@example.org", False),
        ("Ann Lee", "lee", False),
    ],
)
def test_people(one: str, other: str, same: bool) -> None:
    assert is_same(one, other) is same


def test_ids_are_the_same_each_time_and_never_of_two() -> None:
    ids = {
        submission_id(name, version, author)
        for name in ("abc", "abc_1")
        for version in ("1.0", "1.0.0", "11.0")
        for author in ("@a", "@b")
    }
    assert len(ids) == 12
    assert submission_id("abc", "1.0", "@A ") == submission_id("abc", "1.0", "a")
    with pytest.raises(Refused):
        submission_id("../abc", "1.0", "@a")


def test_ci_example() -> None:
    document = yaml.safe_load(CI.read_text("utf-8"))
    assert document["permissions"] == {"contents": "read"}
    assert set(document[True]) == {"pull_request"}  # YAML 1.1 reads `on` so
    steps = {step.get("name"): step for step in document["jobs"]["gates"]["steps"]}
    names = list(steps)
    assert names.index("Strangers change submissions alone") < names.index(
        "Install the engine that reviewers have, as the base says"
    )
    assert not any("${{" in step.get("run", "") for step in steps.values())
    assert "secrets." not in CI.read_text("utf-8")
    parser = build_parser("workflow")
    ran = 0
    for step in document["jobs"]["gates"]["steps"]:
        if "uses" in step:
            assert re.search(rf"{re.escape(step['uses'])}  # pin: ", CI.read_text("utf-8"))
        for line in step.get("run", "").splitlines():
            found = re.search(r"naftiko (workflow [^<>|]*)", line)
            if found is not None:
                ran += 1
                arguments = parser.parse_args(shlex.split(found[1]))
                assert arguments.workflow_command in {"check", "submissions"}
    assert ran == 2
