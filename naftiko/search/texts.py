"""The words of documents, field by field, as arrays that a file can hold."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from naftiko.search.ports import Document
from naftiko.search.words import pairs, stem, words_of

MAX_FIELDS = 64
"""Fields of a document that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Which words stand in which field.

    `words` are all words, sorted, `stems` their stems. The words of field `n` are
    `numbers[ends[n]:ends[n + 1]]`; the fields of document `d` are `fields[d]` to `fields[d + 1]`.
    """

    words: Sequence[str]
    stems: Sequence[str]
    numbers: array[int]
    ends: array[int]
    fields: array[int]

    @property
    def size(self) -> int:
        """Return how many documents there are."""
        return len(self.fields) - 1

    def stem_counts(self) -> Iterator[Mapping[str, int]]:
        """Return how often each document has each stem."""
        for counts in self.word_counts():
            stemmed: dict[str, int] = {}
            for number, count in counts.items():
                name = self.stems[number]
                stemmed[name] = stemmed.get(name, 0) + count
            yield stemmed

    def word_counts(self) -> Iterator[Mapping[int, int]]:
        """Return how often each document has each word, by the word's number."""
        for document in range(self.size):
            start = self.ends[self.fields[document]]
            counts: dict[int, int] = {}
            for number in self.numbers[start : self.ends[self.fields[document + 1]]]:
                counts[number] = counts.get(number, 0) + 1
            yield counts

    def field_words(self, field: int) -> array[int]:
        """Return the numbers of the words in a field."""
        return self.numbers[self.ends[field] : self.ends[field + 1]]

    def by_stem(self) -> Mapping[str, Sequence[int]]:
        """Return the numbers of the words that have a stem."""
        found: dict[str, list[int]] = {}
        for number, name in enumerate(self.stems):
            found.setdefault(name, []).append(number)
        return found


def read_texts(
    documents: Sequence[Document], stop: frozenset[str], spelled: frozenset[str] = frozenset()
) -> Texts:
    """Read the documents' fields; words written apart count as one, too, where that is known.

    Known are the documents' own words and those `spelled`: "back up" is a backup also where no
    document writes it so.
    """
    read = [
        [[w for w in words_of(field.text) if len(w) > 1] for field in document.fields[:MAX_FIELDS]]
        for document in documents
    ]
    plain = {word for fields in read for words in fields for word in words} - stop
    known = plain | spelled
    joined = {
        word for fields in read for words in fields for word in pairs(words, known.__contains__)
    }
    words = sorted(plain | joined)
    number_of = {word: number for number, word in enumerate(words)}
    numbers, ends, fields = array("I"), array("I", [0]), array("I", [0])
    for texts in read:
        for text in texts:
            numbers.extend([number_of[word] for word in text if word not in stop])
            numbers.extend([number_of[word] for word in pairs(text, known.__contains__)])
            ends.append(len(numbers))
        fields.append(len(ends) - 1)
    return Texts(
        words=words,
        stems=[stem(word) for word in words],
        numbers=numbers,
        ends=ends,
        fields=fields,
    )
