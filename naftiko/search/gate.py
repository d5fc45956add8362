"""Whether a document answers a query at all, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from naftiko.search.ports import Confidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from naftiko.search.ranking import Found

LOW = 0.35
MEDIUM = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a document must have to answer a query.

    `cosine` is the least nearness of its nearest field, `evidence` what that and the share of the
    query's words that it covers come to at least, each out of 1. `covered` is that share where
    there are no embeddings.
    """

    cosine: float = 0.25
    evidence: float = 0.95
    covered: float = 0.55

    def passes(
        self, coverage: NDArray[np.float64], cosine: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Tell which documents answer."""
        return (cosine >= self.cosine) & (coverage + cosine >= self.evidence)


STRICT = Gate()
"""Abstains from questions of another field: for catalogs, whose documents say much."""

LENIENT = Gate(cosine=0.1, evidence=0.6, covered=0.3)
"""For documents of a line or two, asked by those who know what kind of thing they look for.

There a shared word is much, and a cosine little: names and descriptions are short.
"""


def confidence_of(found: Found) -> Confidence:
    """Return how sure it is that a document answers: by its cosine, or by the words it covers."""
    sure = found.coverage if found.cosine is None else found.cosine
    if sure < LOW:
        return "low"
    return "medium" if sure < MEDIUM else "high"
