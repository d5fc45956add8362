"""Search over any documents and any queries: it never fails, and finds the same every time."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naftiko.search.index import Index
from naftiko.search.ports import Document, Field
from tests.unit.search.samples import DOCUMENTS, EMBEDDERS, embedder

WORDS = st.sampled_from(
    [
        "backup",
        "databse",
        "DynamoDB",
        "s3",
        "restore the",
        "zzz",
        "\u202e",
        "🙂",
        "\ud800",
        "`",
        "İ",
    ]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=8).map(" ".join))
FIELDS = st.builds(Field, st.sampled_from(["name", "use case", ""]), TEXTS)
COLLECTIONS = st.lists(
    st.builds(
        Document,
        id=st.text(min_size=1, max_size=6),
        fields=st.lists(FIELDS, max_size=4).map(tuple),
        rank=st.sampled_from([0.0, 1.5, 10.0]),
    ),
    max_size=6,
    unique_by=lambda document: document.id,
)
QUERIES = st.one_of(TEXTS, TEXTS.map(lambda text: text * 500))


@pytest.mark.parametrize("name", EMBEDDERS)
@given(documents=COLLECTIONS, query=QUERIES)
@settings(deadline=None)
def test_any_query_of_any_documents(name: str, documents: list[Document], query: str) -> None:
    index = Index.build(documents, embedder(name))
    hits = index.search(query)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 <= hit.score <= 1 and hit.reasons and all(hit.reasons) for hit in hits)
    assert len({hit.id for hit in hits}) == len(hits)
    turned = Index.build(documents[::-1], index.embedder)
    assert turned.digest == index.digest
    assert turned.search(query) == hits
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "index")
        loaded = Index.load(Path(folder) / "index", index.embedder, index.documents_digest)
    assert loaded is not None
    assert loaded.search(query) == hits


@pytest.mark.parametrize("name", EMBEDDERS)
@given(data=st.data())
@settings(deadline=None)
def test_any_changed_byte_makes_it_no_index(name: str, data: st.DataObject) -> None:
    index = Index.build(DOCUMENTS, embedder(name))
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder))
        files = sorted(Path(folder).iterdir())
        file = files[data.draw(st.integers(0, len(files) - 1))]
        content = bytearray(file.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        file.write_bytes(content)
        assert Index.load(Path(folder), index.embedder, index.documents_digest) is None
