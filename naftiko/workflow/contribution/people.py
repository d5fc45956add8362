"""Who is who: an author under their handle, a reviewer under the name of a key."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from naftiko.workflow.view import plain_letters, visible

_BETWEEN = re.compile(r"[\s._-]+")
_HIDDEN = re.compile(r"\\u\{[0-9a-f]+\}")
_PARTS = re.compile(r"[][,;:/|&()<>\"'!*]|\band\b")
_HANDLE = re.compile(r"(?<![\w.+-])@([\w.-]+)")


def normal(text: str) -> str:
    """Return a name as it is compared: "@Alice " and "ALICE" are "alice"."""
    return unicodedata.normalize("NFKC", text).casefold().strip().removeprefix("@").strip()


def handles(text: str) -> frozenset[str]:
    """Return the names that a text gives a person.

    "Ann Lee <ann@example.org>" -> annlee, ann, ann@example.org; "ann@laptop" -> ann, ann@laptop;
    "Lee (@ann)" -> lee, ann. Letters that look alike are the same, and hidden ones none.
    """
    return frozenset(found for found in _handles(text) if found)


def is_same(one: str, other: str) -> bool:
    """Tell whether two texts name the same person, as far as they tell."""
    return bool(handles(one) & handles(other))


def name_of(key_id: str) -> str:
    """Return the name in a key's id: "ann.1f0c9a2b33d4e5f6" -> "ann"."""
    return key_id.rpartition(".")[0]


def _handles(text: str) -> Iterator[str]:
    plain = plain_letters(_HIDDEN.sub("", visible(text)))
    for found in _HANDLE.findall(plain):
        yield _BETWEEN.sub("", found)
    for part in _PARTS.split(plain):
        whole = _BETWEEN.sub("", part.strip().lstrip("@"))
        yield whole
        yield whole.partition("@")[0].partition("+")[0]
