"""A plan -> its document."""

from __future__ import annotations

from typing import Any

import pytest

from naftiko.workflow.discovery.documents import MAX_TEXT, document_of, service_words
from tests.unit.workflow.discovery.rooms import SOURCES
from tests.unit.workflow.runtime.catalogs import compiled


def test_a_document_has_what_its_author_says_and_the_services() -> None:
    document = document_of(compiled(SOURCES[1]))
    fields = [(field.name, field.text) for field in document.fields]
    assert document.id == "database_backup"
    assert 1 < document.rank < 3
    assert fields == [
        ("name", "database backup"),
        ("description", "Takes a backup of a database as a snapshot"),
        ("use case", "I need a copy of my database"),
        ("use case", "Save the database before a change"),
        ("use case", "Snapshot a database"),
        ("services", "rds: Relational Database Service"),
    ]


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"name": None, "metadata": 7},
        {"name": "x", "description": ["a"], "metadata": {"embedding": [], "risk_score": "low"}},
        {"name": "x", "metadata": {"services": [1, None], "embedding": {"use_cases": [{}, 3]}}},
    ],
)
def test_plans_may_be_anything(plan: dict[str, Any]) -> None:
    assert document_of(plan).rank == 10.0


def test_texts_are_bounded() -> None:
    metadata: Any = {"risk_score": 1e300, "embedding": {"use_cases": ["x" * 9_000] * 50}}
    document = document_of({"name": "n", "description": "d" * 9_000, "metadata": metadata})
    assert document.rank == 10.0
    assert max(len(field.text) for field in document.fields) == MAX_TEXT
    assert sum(field.name == "use case" for field in document.fields) == 10


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("s3", "s3: Simple Storage Service"),
        ("ecs", "ecs: EC2 Container Service"),
        ("of-tomorrow", "of-tomorrow"),
    ],
)
def test_services_in_words(service: str, words: str) -> None:
    assert service_words(service) == words
