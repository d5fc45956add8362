"""An index of documents: built, searched, saved and loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.search import storage
from naftiko.search.digests import digest_documents, digest_index
from naftiko.search.gate import STRICT, Gate, confidence_of
from naftiko.search.neighbours import Neighbours
from naftiko.search.ports import Document, Embedder, Hit
from naftiko.search.postings import Postings, build_postings
from naftiko.search.query import Query, Vocabulary, read_query
from naftiko.search.ranking import Found, rank
from naftiko.search.reasons import Reasoner
from naftiko.search.spelling import Speller
from naftiko.search.terms import load_terms
from naftiko.search.texts import MAX_FIELDS, Texts, read_texts
from naftiko.search.vectors import Vectors, embed_fields
from naftiko.search.words import trigrams

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Index:
    """What is found by words, parts of words, and meaning. Immutable: safe in several threads."""

    def __init__(
        self,
        documents: Sequence[Document],
        texts: Texts,
        words: Postings,
        parts: Postings,
        *,
        embedder: Embedder | None,
        vectors: Vectors | None,
    ) -> None:
        """Take what `build` or `load` made."""
        self._documents = tuple(documents)
        self._texts = texts
        self._words = words
        self._parts = parts
        self._embedder = embedder
        self._vectors = vectors
        self.documents_digest = digest_documents(documents)
        self._digest = digest_index(self.documents_digest, embedder)

    @classmethod
    def build(
        cls,
        documents: Sequence[Document],
        embedder: Embedder | None,
        *,
        previous: Index | None = None,
    ) -> Index:
        """Make an index of documents, whose order is all the same.

        `previous` is an older index of much the same documents: its vectors are taken over where
        the texts, and the embedder, are the same.

        Raises: ValueError: two documents have the same id.
        """
        ordered = sorted(documents, key=lambda document: (document.rank, document.id))
        if len({document.id for document in ordered}) < len(ordered):
            raise ValueError("two documents have the same id")
        texts = read_texts(ordered, load_terms().stop, load_terms().spelled)
        words = build_postings(list(texts.stem_counts()))
        parts = build_postings(_part_counts(texts))
        vectors = None
        if embedder is not None:
            known = {} if previous is None else previous.vectors_of(embedder)
            rows = embed_fields(_field_texts(ordered), embedder, known)
            vectors = Vectors(rows, texts.fields)
        return cls(ordered, texts, words, parts, embedder=embedder, vectors=vectors)

    def __len__(self) -> int:
        """Return how many documents there are."""
        return len(self._documents)

    @property
    def digest(self) -> str:
        """What changes when documents, embedder or format do: "sha256:..."."""
        return self._digest

    @property
    def embedder(self) -> Embedder | None:
        """What its vectors were made by."""
        return self._embedder

    def search(
        self,
        query: str,
        limit: int = 200,
        *,
        gate: Gate = STRICT,
        explained: int | None = None,
    ) -> list[Hit]:
        """Return the hits, the best first; none where nothing answers the query.

        `gate`: what an answer must have. `explained`: how many have their reasons, which take
        longer to find than hits; None is all.
        """
        read = read_query(query, load_terms(), self._vocabulary)
        if not read.asked or not self._documents or limit < 1:
            return []
        vector = self._embed(read)
        found = rank(read, self._words, self._parts, self._vectors, vector, limit, gate)
        vectors = self._vectors
        near = None if vectors is None or vector is None else (vectors, vector)
        reasoner = Reasoner(read, self._texts, self._by_stem)
        return [
            self._hit(
                one,
                reasoner.reasons(self._documents[one.number], one.number, near)
                if explained is None or place < explained
                else (),
            )
            for place, one in enumerate(found)
        ]

    def vectors_of(self, embedder: Embedder) -> Mapping[str, NDArray[np.float32]]:
        """Return the vector of each text, if this embedder made them."""
        own = self._embedder
        if own is None or self._vectors is None:
            return {}
        if (own.id, own.digest) != (embedder.id, embedder.digest):
            return {}
        return dict(zip(_field_texts(self._documents), self._vectors.rows, strict=True))

    def save(self, folder: Path) -> None:
        """Write the index into a folder, at once: a reader sees the old one or the new one.

        Raises: OSError.
        """
        rows = None if self._vectors is None else self._vectors.rows
        storage.save(
            folder,
            storage.Stored(
                documents=self._documents,
                texts=self._texts,
                words=self._words,
                parts=self._parts,
                rows=rows,
                embedder=self._embedder,
                documents_digest=self.documents_digest,
            ),
        )

    @classmethod
    def load(
        cls, folder: Path, embedder: Embedder | None, documents_digest: str | None
    ) -> Index | None:
        """Return the index in a folder; None if it is of other documents, or is not whole.

        `documents_digest` is `digest_documents(...)` of those it shall hold; None takes any.
        """
        stored = storage.load(folder, embedder, documents_digest)
        if stored is None:
            return None
        vectors = None if stored.rows is None else Vectors(stored.rows, stored.texts.fields)
        return cls(
            stored.documents,
            stored.texts,
            stored.words,
            stored.parts,
            embedder=embedder,
            vectors=vectors,
        )

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        terms = self._words.terms
        return Vocabulary(
            has=terms.__contains__,
            speller=Speller({*self._texts.words, *load_terms().spelled}),
            is_word=_unknown if self._embedder is None else self._embedder.knows,
            near=self._neighbours.near,
        )

    @cached_property
    def _neighbours(self) -> Neighbours:
        stop = load_terms().stop
        return Neighbours(self._embedder, [w for w in self._texts.words if w not in stop])

    def _embed(self, query: Query) -> NDArray[np.float32] | None:
        if self._embedder is None or self._vectors is None:
            return None
        plain, hinted = self._embedder.embed([query.text, query.hints])
        return _mixed(plain, hinted)

    def _hit(self, found: Found, reasons: tuple[str, ...]) -> Hit:
        return Hit(
            id=self._documents[found.number].id,
            score=found.score,
            confidence=confidence_of(found),
            lexical=found.lexical,
            trigram=found.trigram,
            embedding=found.embedding,
            cosine=found.cosine,
            reasons=reasons,
        )

    @cached_property
    def _by_stem(self) -> Mapping[str, Sequence[int]]:
        return self._texts.by_stem()


def _unknown(_word: str) -> bool:
    return False


_HINTED = 0.2
"""What the words that a query's words stand for count in its vector."""


def _mixed(plain: NDArray[np.float32], hinted: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    mixed: NDArray[np.float32] = plain + np.float32(_HINTED) * hinted
    length = float(np.linalg.norm(mixed))
    return mixed if length == 0 else (mixed / np.float32(length)).astype(np.float32)


def _field_texts(documents: Sequence[Document]) -> list[str]:
    return [field.text for document in documents for field in document.fields[:MAX_FIELDS]]


def _part_counts(texts: Texts) -> list[dict[str, int]]:
    parts = [tuple(trigrams(word)) for word in texts.words]
    made = []
    for counts in texts.word_counts():
        total: dict[str, int] = {}
        for number, count in counts.items():
            for part in parts[number]:
                total[part] = total.get(part, 0) + count
        made.append(total)
    return made
