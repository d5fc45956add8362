"""The questions that the search is measured with: their form, not how well they are answered."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "benchmarks" / "data" / "search"
WORKFLOWS = ROOT / "capabilities" / "workflow-catalog" / "workflows"
AT_LEAST = {"questions.yaml": 150, "everyday.yaml": 110, "tickets.yaml": 110, "held-out.yaml": 110}
KINDS = {"named": 0.15, "unnamed": 0.2, "misspelt": 0.1, "off-topic": 0.24}
"""Each kind, and the part of a file that it has at least."""

files = pytest.mark.parametrize("file", AT_LEAST)


@cache
def questions(file: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((FOLDER / file).read_text("utf-8"))
    return found


@cache
def catalog() -> frozenset[str]:
    return frozenset(path.parents[1].name for path in WORKFLOWS.glob("*/*/*/source.yaml"))


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold())) or text


@files
def test_a_question_has_a_text_a_kind_and_what_is_right(file: str) -> None:
    for item in questions(file):
        assert set(item) == {"ask", "expect", "kind"}, item
        assert isinstance(item["ask"], str), item
        assert item["ask"] == item["ask"].strip(), item
        assert 1 <= len(item["ask"]) <= 500, item
        assert item["kind"] in KINDS, item
        assert (item["expect"] == []) == (item["kind"] == "off-topic"), item
        assert len(set(item["expect"])) == len(item["expect"]), item


@files
def test_what_is_expected_is_in_the_catalog(file: str) -> None:
    expected = {name for item in questions(file) for name in item["expect"]}
    assert sorted(expected - catalog()) == []


@pytest.mark.parametrize("file", ["questions.yaml", "held-out.yaml"])
def test_every_workflow_is_asked_for(file: str) -> None:
    expected = {name for item in questions(file) for name in item["expect"]}
    assert sorted(catalog() - expected) == []


@files
def test_there_are_enough_of_each_kind(file: str) -> None:
    found = Counter(item["kind"] for item in questions(file))
    assert found.total() >= AT_LEAST[file]
    for kind, part in KINDS.items():
        assert found[kind] >= part * found.total(), (kind, found)


def test_no_question_stands_twice() -> None:
    asked = Counter(plain(item["ask"]) for file in AT_LEAST for item in questions(file))
    assert [text for text, times in asked.items() if times > 1] == []


def test_no_question_repeats_a_use_case_of_a_workflow() -> None:
    told = {
        plain(text)
        for path in WORKFLOWS.glob("*/*/*/source.yaml")
        for text in _use_cases(yaml.safe_load(path.read_text("utf-8")))
    }
    asked = {plain(item["ask"]) for file in AT_LEAST for item in questions(file)}
    assert sorted(asked & told) == []


def _use_cases(source: dict[str, Any]) -> list[str]:
    found: list[str] = source.get("embedding_metadata", {}).get("use_cases", [])
    return found
