"""Why a document was found, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from naftiko.search.ports import Document, Field
from naftiko.search.query import Asked, Query
from naftiko.search.texts import Texts
from naftiko.search.vectors import Vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_FIELDS = 2
_MOST_WORDS = 4
_MAX_QUOTED = 100
_MAX_WORD = 40


class Reasoner:
    """Says why documents were found by one query."""

    def __init__(self, query: Query, texts: Texts, numbers: Mapping[str, Sequence[int]]) -> None:
        """Read the query; `numbers` are those of the words that have a stem."""
        self._texts = texts
        self._own = {_own(asked): _written(asked) for asked in query.asked}
        self._readings = [
            (asked, _own(asked)) for asked in query.asked if asked.read_as or asked.meant
        ]
        wanted = {name for asked in query.asked for name in asked.stems}
        self._stems = {number: name for name in wanted for number in numbers.get(name, ())}
        self._wanted = frozenset(self._stems)

    def reasons(
        self,
        document: Document,
        number: int,
        near: tuple[Vectors, NDArray[np.float32]] | None,
    ) -> tuple[str, ...]:
        """Return the reasons, at least one.

        They are the fields that have the most of the query's words, how words were read, and the
        field that is nearest in meaning.
        """
        first, end = self._texts.fields[number], self._texts.fields[number + 1]
        fields = [self._found(field) for field in range(first, end)]
        made = self._standing(document.fields, fields)
        made += self._read(set().union(*fields))
        if near is not None and end > first:
            vectors, vector = near
            best = vectors.best_field(vector, first, end) - first
            made.append(f"means much the same as the {_quoted(document.fields[best])}")
        return tuple(made) or ("is written much like the query",)

    def _found(self, field: int) -> set[str]:
        numbers = self._wanted.intersection(self._texts.field_words(field))
        return {self._stems[number] for number in numbers}

    def _standing(self, fields: Sequence[Field], found: Sequence[set[str]]) -> list[str]:
        own = self._own
        having = [[name for name in own if name in stems] for stems in found]
        order = sorted(range(len(having)), key=lambda place: -len(having[place]))
        told: set[str] = set()
        made = []
        for place in order[:_MOST_FIELDS]:
            words = [own[name] for name in having[place] if name not in told]
            if not words:
                continue
            told.update(having[place])
            verb = "stands" if len(words) == 1 else "stand"
            made.append(f"{_listed(words)} {verb} in the {_quoted(fields[place])}")
        return made

    def _read(self, stems: set[str]) -> list[str]:
        made = []
        for asked, own in self._readings:
            word = _shortened(asked.word, _MAX_WORD)
            if own in stems:
                if asked.read_as is not None:
                    made.append(f"`{word}` was read as `{asked.read_as}`")
                continue
            meant = [f"`{other}`" for name, other in asked.meant.items() if name in stems]
            if meant:
                made.append(f"`{word}` was taken for {_listed(meant)}")
        return made[:_MOST_WORDS]


def _own(asked: Asked) -> str:
    return next(iter(asked.stems))


def _written(asked: Asked) -> str:
    return f"`{_shortened(asked.read_as or asked.word, _MAX_WORD)}`"


def _listed(words: Sequence[str]) -> str:
    words = words[:_MOST_WORDS]
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _quoted(field: Field) -> str:
    text = " ".join(field.text.split()).replace("`", "'")
    return f"{field.name} `{_shortened(text, _MAX_QUOTED)}`" if text else field.name


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
