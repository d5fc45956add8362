"""What is searched, what is found, and what turns texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Confidence = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Field:
    """One text of a document. `name` is what reasons call it: `use case`."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Something that can be found: the texts that speak of it.

    `rank` breaks ties between equal scores, the lower first (a workflow's risk); then `id` does.
    """

    id: str
    fields: tuple[Field, ...]
    rank: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A document that answers a query.

    `score` is 0 to 1: the mean of the parts, each divided by its maximum over the candidates.
    `cosine` is the best of its fields, None without embeddings. `reasons` are sentences for people:
    "`backup` and `database` stand in the use case `I need to back up my RDS database`".
    """

    id: str
    score: float
    confidence: Confidence
    lexical: float
    trigram: float
    embedding: float
    cosine: float | None
    reasons: tuple[str, ...]


class Embedder(Protocol):
    """Turns texts into unit vectors, without a network, the same ones every time."""

    @property
    def id(self) -> str:
        """Name and configuration: "wordllama/l2_supercat_128"."""
        ...

    @property
    def digest(self) -> str:
        """The sha256 of its weights, "sha256:...": an index of other weights is built anew."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return an array of shape (texts, dimensions), each row of length 1 (or 0: no words)."""
        ...

    def knows(self, word: str) -> bool:
        """Tell whether it has a word in lower case as a whole, rather than in pieces.

        Such a word is no misspelling, and its vector tells which words are near to it.
        """
        ...
