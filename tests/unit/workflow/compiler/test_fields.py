"""What is kept of the elements of a selected list: only the members that something reads."""

from __future__ import annotations

from typing import Any

import pytest

from naftiko.workflow.compiler import compile_source, load_data

SOURCE = """
name: some_volumes
version: "1.0"
description: "Reads the volumes of a region"
metadata: {{tier: community}}
steps:
  - id: list
    type: command
    context: {{service: ec2, action: describe_volumes}}
outputs:
  found: "{found}"
"""


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        ("${pluck(steps.list.output.Volumes, 'VolumeId')}", ["VolumeId"]),
        ("${length(pluck(steps.list.output.Volumes, 'VolumeId'))}", ["VolumeId"]),
        ("${concat(steps.list.output.Volumes, [])}", None),
        ("${steps.list.output.Volumes}", None),
    ],
)
def test_what_is_read_is_kept(found: str, fields: list[str] | None) -> None:
    made = compile_source(SOURCE.format(found=found).encode(), "source.yaml", load_data())

    assert made.plan is not None, [one.message for one in made.problems]
    plan: Any = made.plan
    (call,) = plan["execution_plan"]
    assert list(call["fields"].values()) == ([fields] if fields else [])
