from __future__ import annotations

import threading
from pathlib import Path

import pytest
import yaml

from naftiko.search.digests import digest_documents
from naftiko.search.gate import LENIENT
from naftiko.search.index import Index
from naftiko.search.ports import Document, Field, Hit
from tests.unit.search.samples import DOCUMENTS, EMBEDDERS, document, embedder

QUESTIONS = yaml.safe_load(Path(__file__).with_name("questions.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=EMBEDDERS)
def index(request: pytest.FixtureRequest) -> Index:
    return Index.build(DOCUMENTS, embedder(request.param))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: repr(question["ask"]))
def test_a_question_finds_what_answers_it(index: Index, question: dict[str, str | None]) -> None:
    hits = index.search(str(question["ask"]))
    assert (hits[0].id if hits else None) == question["first"]
    assert all(0 <= hit.score <= 1 and hit.reasons for hit in hits)


def test_scores_are_the_mean_of_the_parts(index: Index) -> None:
    best, *others = index.search("back up a database")
    parts = [best.lexical, best.trigram]
    if best.cosine is not None:
        parts.append(best.embedding)
    assert best.score == pytest.approx(sum(parts) / len(parts), abs=1e-5)
    assert max(parts) == 1
    assert all(hit.score <= best.score for hit in others)


def test_words_written_apart_are_found_where_no_document_writes_them_as_one() -> None:
    texts = {"one": "Back up the database", "other": "Rotate a key"}
    index = Index.build([document(name, text) for name, text in texts.items()], None)

    assert [hit.id for hit in index.search("back up the database")] == ["one"]
    assert [hit.id for hit in index.search("database backup")] == ["one"]


def test_a_lenient_gate_goes_by_a_shared_word_where_documents_are_short(index: Index) -> None:
    texts = {"greeter": "Greets whoever is named in the input", "other": "Counts its work"}
    short = Index.build([document(*item) for item in texts.items()], index.embedder)

    assert [hit.id for hit in short.search("greet somebody", gate=LENIENT)] == ["greeter"]
    query = "database something zebra giraffe"
    strict, lenient = index.search(query), index.search(query, gate=LENIENT)
    assert {hit.id for hit in strict} <= {hit.id for hit in lenient}


def test_reasons_say_where_words_stand_and_how_they_were_read(index: Index) -> None:
    (best, *_) = index.search("databse bakcup")
    assert any(reason.startswith("`database` and `backup` stand in the") for reason in best.reasons)
    assert "`databse` was read as `database`" in best.reasons
    (best, *_) = index.search("dlq")
    taken = "`dlq` was taken for `dead`, `letter` and `queue`"
    assert taken in best.reasons


def test_meaning_is_a_reason_where_there_are_embeddings(index: Index) -> None:
    (best, *_) = index.search("rotate keys")
    meant = [reason for reason in best.reasons if reason.startswith("means much the same as the")]
    assert len(meant) == (0 if best.cosine is None else 1)


def test_equal_documents_come_by_rank_and_then_by_name(index: Index) -> None:
    twins = [
        Document(id=name, fields=(Field("name", "rotate a key"),), rank=rank)
        for name, rank in (("c", 1.0), ("b", 1.0), ("a", 2.0))
    ]
    found = Index.build(twins, index.embedder).search("rotate a key")
    assert [hit.id for hit in found] == ["b", "c", "a"]


def test_limit_takes_the_first(index: Index) -> None:
    every = index.search("service function database", 10)
    assert index.search("service function database", 1) == every[:1]
    assert index.search("service function database", 0) == []


def test_the_order_of_documents_does_not_matter(index: Index) -> None:
    other = Index.build(DOCUMENTS[3:] + DOCUMENTS[:3], index.embedder)
    assert other.digest == index.digest
    for question in QUESTIONS:
        assert other.search(question["ask"]) == index.search(question["ask"])


def test_the_digest_changes_with_the_documents(index: Index) -> None:
    changed = Index.build([*DOCUMENTS[1:], document("backup_database", "else")], index.embedder)
    assert changed.digest != index.digest
    assert index.documents_digest == digest_documents(DOCUMENTS)


def test_threads_find_the_same(index: Index) -> None:
    fresh = Index.build(DOCUMENTS, index.embedder)
    found: list[list[Hit]] = []
    barrier = threading.Barrier(4)

    def search() -> None:
        barrier.wait()
        found.append(fresh.search("expensive databse servers"))

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [found[0]] * 4


def test_vectors_of_unchanged_texts_are_taken_over(index: Index) -> None:
    more = [*DOCUMENTS, document("pause_rule", "Pause an EventBridge rule")]
    assert Index.build(more, index.embedder, previous=index).search("pause a rule") == Index.build(
        more, index.embedder
    ).search("pause a rule")
    if index.embedder is not None:
        assert len(index.vectors_of(index.embedder)) > len(DOCUMENTS)


def test_two_documents_of_one_id_are_refused(index: Index) -> None:
    with pytest.raises(ValueError, match="two documents have the same id"):
        Index.build([DOCUMENTS[0], DOCUMENTS[0]], index.embedder)


def test_nothing_is_found_in_nothing(index: Index) -> None:
    assert Index.build([], index.embedder).search("back up a database") == []
    blank = Document(id="blank", fields=())
    empty = Document(id="empty", fields=(Field("name", ""),))
    assert Index.build([blank, empty], index.embedder).search("back up a database") == []
