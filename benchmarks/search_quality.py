"""How well questions are answered: hit@1, hit@3, the mean reciprocal rank, abstention, by class."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from naftiko.search.index import Index
from naftiko.search.ports import Document
from naftiko.workflow.discovery.documents import document_of

ROOT = Path(__file__).parents[1]
WORKFLOWS = ROOT / "capabilities" / "workflow-catalog" / "workflows"
QUESTIONS = ROOT / "benchmarks" / "data" / "search"
OFF_TOPIC = "off-topic"
DEVELOPED = ("questions.yaml", "everyday.yaml", "tickets.yaml")
"""What the ranking is developed against."""

HELD_OUT = "held-out.yaml"
FLOORS = {"hit@1": 0.90, "hit@3": 0.95, "abstained": 0.85}
"""The first two are the specification's (section 9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, the names that are right, and its class."""

    ask: str
    expect: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of `count` questions: the share answered first, among the first three, and so on.

    `abstained` is the share that nothing was found for: right off the topic, wrong on it.
    """

    count: int
    hit1: float
    hit3: float
    rank: float
    abstained: float


def catalog_documents() -> list[Document]:
    """Return the documents of the catalog's newest plans."""
    plans: dict[str, tuple[tuple[int, ...], Path]] = {}
    for path in sorted(WORKFLOWS.glob("*/*/*/plan.json")):
        version = tuple(int(part) for part in path.parent.name.split("."))
        name = path.parents[1].name
        if name not in plans or plans[name][0] < version:
            plans[name] = (version, path)
    return [document_of(json.loads(path.read_bytes())) for _, path in plans.values()]


def read_questions(file: str, names: Iterable[str]) -> list[Question]:
    """Return the questions of a file whose answers are there."""
    there = frozenset(names)
    given = yaml.safe_load((QUESTIONS / file).read_text(encoding="utf-8"))
    return [
        Question(ask=one["ask"], expect=tuple(one["expect"]), kind=one["kind"])
        for one in given
        if not one["expect"] or there.intersection(one["expect"])
    ]


def evaluate(index: Index, questions: Sequence[Question]) -> dict[str, Score]:
    """Return the scores by class, and those of all that are on the topic as "on-topic"."""
    kinds = sorted({question.kind for question in questions})
    ranks = {question: _rank(index, question) for question in questions}
    made = {kind: _score([ranks[q] for q in questions if q.kind == kind]) for kind in kinds}
    made["on-topic"] = _score([ranks[q] for q in questions if q.kind != OFF_TOPIC])
    return made


def _rank(index: Index, question: Question) -> int | None:
    """Return the place of the first right answer, 0 without any right one, None without any."""
    found = [hit.id for hit in index.search(question.ask)]
    if not found:
        return None
    return next((place for place, name in enumerate(found, 1) if name in question.expect), 0)


def _score(ranks: Sequence[int | None]) -> Score:
    count = len(ranks)
    whole = count or 1
    return Score(
        count=count,
        hit1=sum(rank == 1 for rank in ranks) / whole,
        hit3=sum(rank is not None and 1 <= rank <= 3 for rank in ranks) / whole,
        rank=sum(1 / rank for rank in ranks if rank) / whole,
        abstained=sum(rank is None for rank in ranks) / whole,
    )
