"""Paths of checked plans."""

from __future__ import annotations

import pytest

from naftiko.workflow.plan.paths import parts_of
from naftiko.workflow.vm.data import path


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Status", ("Status",)),
        ("DBInstances[0].Endpoint.Port", ("DBInstances", 0, "Endpoint", "Port")),
        ("Contents[-1].Key", ("Contents", -1, "Key")),
        ("A.b-c[12][3]", ("A", "b-c", 12, 3)),
    ],
)
def test_a_path_has_names_and_indexes(text: str, parts: tuple[str | int, ...]) -> None:
    assert parts_of(text) == parts


def test_an_index_below_zero_counts_from_the_end() -> None:
    last = path("Contents[-1].Key")
    assert last.get({"Contents": [{"Key": "a"}, {"Key": "b"}]}) == "b"
    assert last.get({"Contents": []}) is None
    assert last.get({}) is None
