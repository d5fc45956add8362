"""The floors of the specification's section 9, over the catalog and the developers' questions."""

from __future__ import annotations

import pytest

from benchmarks.search_quality import (
    DEVELOPED,
    FLOORS,
    catalog_documents,
    evaluate,
    read_questions,
)
from naftiko.search.index import Index
from tests.unit.search.samples import HAS_SEARCH, WITHOUT, embedder


@pytest.mark.skipif(not HAS_SEARCH, reason=WITHOUT)
def test_questions_are_answered_as_well_as_promised() -> None:
    documents = catalog_documents()
    index = Index.build(documents, embedder("wordllama"))
    names = [document.id for document in documents]
    questions = [one for file in DEVELOPED for one in read_questions(file, names)]
    scores = evaluate(index, questions)
    assert scores["named"].hit1 >= FLOORS["hit@1"]
    assert scores["misspelt"].hit1 >= FLOORS["hit@1"]
    assert scores["on-topic"].hit1 >= FLOORS["hit@1"]
    assert scores["on-topic"].hit3 >= FLOORS["hit@3"]
    assert scores["off-topic"].abstained >= FLOORS["abstained"]
