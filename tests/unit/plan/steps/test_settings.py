"""Settings of steps that are settled at load, out of bound variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from naftiko.engine import Checked, LoadOptions, check_capability, refuse_missing
from naftiko.errors import StartError
from naftiko.plan.capability import McpAdapterPlan
from naftiko.plan.steps.plan import StepsPlan

SET = [{"name": "n", "type": "set", "value": 1}]
UNTIL = {"name": "loop", "type": "until", "condition": "{{ n == 1 }}", "steps": SET}
EACH = {"name": "each", "type": "forEach", "in": [1], "steps": SET}
WAIT = {"name": "rest", "type": "wait"}
OPTIONAL = {"A": {"default": ""}, "N": {"default": None}, "D": {"default": "7s"}}


def check(
    path: Path, step: dict[str, Any], given: dict[str, str], keys: dict[str, Any] | None = None
) -> Checked:
    tool = {"name": "run", "description": "Runs steps", "steps": [step]}
    document = {
        "naftiko": "1.0.0-alpha3",
        "info": {"label": "Steps", "description": "Steps of a test"},
        "binds": [{"namespace": "env", "keys": keys or OPTIONAL}],
        "capability": {
            "exposes": [
                {"type": "mcp", "namespace": "tools", "transport": "stdio", "tools": [tool]}
            ]
        },
    }
    file = path / "steps.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return check_capability(file, LoadOptions(environment=given, workspace=path))


def explained(checked: Checked) -> str:
    """Return the first line of the step, as `naftiko explain` shows it."""
    assert checked.plan is not None
    adapter = checked.plan.adapters[0]
    assert isinstance(adapter, McpAdapterPlan)
    plan = adapter.tools[0].plan
    assert isinstance(plan, StepsPlan)
    return plan.steps[0].action.explain()[0].partition(", ")[2]


LOOPS = "at most 100 times"


@pytest.mark.parametrize(
    ("members", "given", "expected"),
    [
        ({"timeout": "{{ A or '45s' }}"}, {}, f"{LOOPS}, for 45 s at most"),
        ({"timeout": "{{ A or '45s' }}"}, {"A": "2m"}, f"{LOOPS}, for 120 s at most"),
        ({"timeout": "{{env.A}}"}, {"A": " 90 "}, f"{LOOPS}, for 90 s at most"),
        ({"timeout": "{{A}}"}, {}, LOOPS),
        ({"timeout": "{{N}}"}, {}, LOOPS),
        ({"timeout": "{{ N | default('5s') }}"}, {}, f"{LOOPS}, for 5 s at most"),
        ({"interval": "{{D}}"}, {}, f"{LOOPS}, every 7 s"),
        ({"interval": "{{ D }}", "jitter": "{{N}}"}, {"N": "0.25"},
         f"{LOOPS}, every 7 s, less up to 25% by chance"),
        ({"interval": "{{D}}", "backoff": "{{ A or 2 }}"}, {},
         f"{LOOPS}, every 7 s, then 2 times as long each time up to 60 s"),
        ({"interval": "2m", "backoff": "{{A}}"}, {"A": "1.5"},
         f"{LOOPS}, every 120 s, then 1.5 times as long each time up to 120 s"),
        ({"interval": 1, "backoff": 2, "maxInterval": "{{D}}", "jitter": True}, {},
         f"{LOOPS}, every 1 s, then 2 times as long each time up to 7 s, "
         "less up to 100% by chance"),
        ({"maxIterations": "{{ A or 7 }}"}, {}, "at most 7 times"),
        ({"maxIterations": "{{A}}"}, {"A": "12"}, "at most 12 times"),
        ({"maxIterations": "{{ (A | int) + 1 }}"}, {"A": "12"}, "at most 13 times"),
        ({"maxIterations": "{{A}}"}, {}, LOOPS),
        ({"onTimeout": "continue"}, {}, f"{LOOPS}; out of time or rounds, the run goes on"),
        ({"onTimeout": "fail"}, {}, LOOPS),
    ],
)  # fmt: skip
def test_loops(
    tmp_path: Path, members: dict[str, Any], given: dict[str, str], expected: str
) -> None:
    checked = check(tmp_path, UNTIL | members, given)

    assert checked.problems == ()
    assert explained(checked) == expected


def test_lists_and_waits(tmp_path: Path) -> None:
    each = check(tmp_path, EACH | {"parallel": "{{A}}", "maxItems": "{{ N or 20 }}"}, {"A": "4"})
    assert explained(each) == "at most 20, 4 at a time"
    wait = check(tmp_path, WAIT | {"duration": "{{D}}"}, {"D": "250ms"})
    assert wait.problems == ()
    assert wait.plan is not None
    assert "wait 0.25 s" in "\n".join(wait.plan.adapters[0].tools[0].plan.explain())  # type: ignore[union-attr]  # it is MCP's


@pytest.mark.parametrize(
    ("members", "given", "code"),
    [
        ({"timeout": "{{A}}"}, "hunter22", "invalid-duration"),
        ({"interval": "{{A}}"}, "-5s", "invalid-duration"),
        ({"maxIterations": "{{A}}"}, "hunter22", "invalid-bound"),
        ({"maxIterations": "{{A}}"}, "10001", "invalid-bound"),
        ({"maxIterations": "{{A}}"}, "9" * 5000, "invalid-bound"),
        ({"maxIterations": "{{A}}"}, "1.5", "invalid-bound"),
        ({"interval": "1s", "backoff": "{{A}}"}, "nan", "invalid-bound"),
        ({"interval": "1s", "jitter": "{{A}}"}, "hunter22", "invalid-bound"),
        ({"interval": "{{ A * 2 }}"}, "hunter22", "invalid-member"),
    ],
)
def test_a_value_that_does_not_fit_is_not_shown(
    tmp_path: Path, members: dict[str, Any], given: str, code: str
) -> None:
    checked = check(tmp_path, UNTIL | members, {"A": given})

    found = {item.code: item for item in checked.problems}
    assert found.keys() == {code, "nothing-to-serve"}
    assert given not in found[code].message


@pytest.mark.parametrize("name", ["id", "tools.id", "item", "n.x"])
def test_nothing_of_a_run_is_read(tmp_path: Path, name: str) -> None:
    checked = check(tmp_path, UNTIL | {"timeout": f"{{{{ A or {name} }}}}"}, {})

    assert "setting-of-a-run" in [item.code for item in checked.problems]


def test_a_variable_that_is_not_optional_has_to_be_given(tmp_path: Path) -> None:
    step = UNTIL | {"timeout": "{{ NEEDED or '45s' }}"}

    checked = check(tmp_path, step, {}, {"NEEDED": {"from": "OTHER"}})

    assert checked.problems == ()
    with pytest.raises(StartError, match="the environment variable OTHER has no value"):
        refuse_missing(checked)
    refuse_missing(check(tmp_path, step, {"OTHER": "5s"}, {"NEEDED": {"from": "OTHER"}}))
    refuse_missing(check(tmp_path, step, {}, {"NEEDED": {"from": "OTHER", "default": ""}}))
