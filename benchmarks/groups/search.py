"""Search: an index of 10,000 workflows, and how well questions about the catalog are answered."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from benchmarks import search_quality
from benchmarks.measure import Row, Settings, bound_row
from benchmarks.search_samples import queries, workflow_documents
from naftiko.search.embedders import find_embedder, is_installed
from naftiko.search.index import Index

WORKFLOWS = 10_000
_EMBEDDERS = ("none", "wordllama", "minilm")


def rows(settings: Settings) -> Iterator[Row]:
    """Measure each embedder that is installed."""
    there = [name for name in _EMBEDDERS if name == "none" or is_installed(name)]
    for name in there:
        if name != "minilm":  # it needs minutes for so many
            yield from _speed(name, settings)
    for name in there:
        for file in (*search_quality.DEVELOPED, search_quality.HELD_OUT):
            yield from _quality(name, file)


def _speed(name: str, settings: Settings) -> Iterator[Row]:
    count = WORKFLOWS // 10 if settings.quick else WORKFLOWS
    documents = workflow_documents(count)
    embedder = find_embedder(name)
    built, saved, loaded, middle, late = [], [], [], [], []
    for _ in range(settings.rounds):
        begun = perf_counter()
        index = Index.build(documents, embedder)
        built.append(perf_counter() - begun)
        with tempfile.TemporaryDirectory() as folder:
            begun = perf_counter()
            index.save(Path(folder) / "index")
            saved.append(perf_counter() - begun)
            begun = perf_counter()
            again = Index.load(Path(folder) / "index", embedder, index.documents_digest)
            loaded.append(perf_counter() - begun)
        assert again is not None
        times = _query_ms(again)
        middle.append(quantiles(times, n=100)[49])
        late.append(quantiles(times, n=100)[94])
    work = f"{count:,} workflows, {_called(name)}"
    yield bound_row(f"{work}: build the index", "s", ours=built, target=10)
    yield bound_row(f"{work}: save it", "s", ours=saved, target=None)
    yield bound_row(f"{work}: load it", "s", ours=loaded, target=None)
    yield bound_row(f"{work}: a query, p50", "ms", ours=middle, target=None)
    yield bound_row(f"{work}: a query, p95", "ms", ours=late, target=20)


def _query_ms(index: Index) -> list[float]:
    asked = queries()
    for query in asked[:3]:
        index.search(query)
    times = []
    for query in asked:
        begun = perf_counter()
        index.search(query)
        times.append((perf_counter() - begun) * 1000)
    return times


def _quality(name: str, file: str) -> Iterator[Row]:
    documents = search_quality.catalog_documents()
    index = Index.build(documents, find_embedder(name))
    questions = search_quality.read_questions(file, [document.id for document in documents])
    scores = search_quality.evaluate(index, questions)
    work = f"{file.removesuffix('.yaml')}, {_called(name)}"
    for kind, score in scores.items():
        print(
            f"  {work}, {kind}: {score.count} questions, hit@1 {score.hit1:.3f}, "
            f"hit@3 {score.hit3:.3f}, MRR {score.rank:.3f}, abstained {score.abstained:.3f}",
            file=sys.stderr,
        )
    right, off = scores["on-topic"], scores[search_quality.OFF_TOPIC]
    for what, missed in (
        ("not first", 1 - right.hit1),
        ("not among three", 1 - right.hit3),
        ("off-topic, but answered", 1 - off.abstained),
    ):
        yield bound_row(f"{work}: {what}", "%", ours=[100 * missed], target=_MISSED[what])


_MISSED = {"not first": 10.0, "not among three": 5.0, "off-topic, but answered": 15.0}


def _called(name: str) -> str:
    return "words only" if name == "none" else name
