"""Text -> words, stems and character trigrams."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

MAX_TEXT = 4_096
"""Characters of a text that are read."""

MAX_WORD = 64
"""Characters of a word that are read: longer ones are keys and hashes, which nobody asks for."""

_MAX_KNOWN = 100_000
"""Stems that are kept."""

_RUN = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^A-Za-z0-9]+")
_POSSESSIVE = re.compile(r"['\u2019](?:s|t|re|ve|ll|d|m)\b", re.IGNORECASE)

_lock = threading.Lock()
_stems: dict[str, str] = {}
_stemmer: list[Callable[[str], str]] = []


def words_of(text: str) -> list[str]:
    """Return the words of a text in order, in lower case.

    Identifiers come in parts; where they have two, also as a whole, for that is how names of
    services are written: "DynamoDB for rds_backup, EC2" -> dynamodb, dynamo, db, for, rds, backup,
    ec2.
    """
    plain = unicodedata.normalize("NFKC", text[:MAX_TEXT])[:MAX_TEXT]
    plain = _POSSESSIVE.sub("", plain)
    found: list[str] = []
    for run in _RUN.findall(plain):
        if run.islower() and run.isalpha():
            found.append(run[:MAX_WORD])
        else:
            found.extend(_split(run))
    return found


def _split(run: str) -> Iterator[str]:
    parts = _PART.findall(run)
    if len(parts) <= 2:
        yield run[:MAX_WORD].lower()
    if len(parts) > 1:
        yield from (part[:MAX_WORD].lower() for part in parts if _spoken(part, parts[0]))


def _spoken(part: str, first: str) -> bool:
    """Tell whether a part says something.

    "ec" of "EC2", "53" of "Route53" and "DB" of "DynamoDB" do not, "DB" of "DBInstance" does.
    """
    return not part.isdigit() and (len(part) > 2 or (part == first == "DB"))


def stem(word: str) -> str:
    """Return a word's stem: databases -> databas. Each is computed once."""
    known = _stems.get(word)
    if known is not None:
        return known
    if not word.isascii() or not word.isalpha():
        return word
    with _lock:  # a stemmer keeps the word it works on
        made = _stem_word()(word)
        if len(_stems) >= _MAX_KNOWN:
            _stems.clear()
        _stems[word] = made
    return made


def _stem_word() -> Callable[[str], str]:
    if not _stemmer:
        # Only here: the package reads the stemmers of 30 languages, in 0.1 s.
        # It comes without types.
        from snowballstemmer.english_stemmer import EnglishStemmer  # type: ignore[import-untyped]

        _stemmer.append(EnglishStemmer().stemWord)
    return _stemmer[0]


def trigrams(word: str) -> Iterator[str]:
    """Return the trigrams of a word between its borders: rds -> ^rd, rds, ds$."""
    bordered = f"^{word}$"
    return (bordered[start : start + 3] for start in range(len(bordered) - 2))


def pairs(words: Sequence[str], known: Callable[[str], bool]) -> list[str]:
    """Return words written apart that are known as one: back, up -> backup."""
    joined = (first + second for first, second in pairwise(words))
    return [word for word in joined if len(word) > 4 and known(word)]
