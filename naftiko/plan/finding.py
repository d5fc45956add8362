"""Operations and tools -> documents for a search: their words, from the most telling on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from naftiko.plan.ports import Effect
from naftiko.search.ports import Document, Field
from naftiko.values import JsonValue

MAX_TEXT = 2_000
"""Characters of one field: descriptions of others may be as long as they like."""
MAX_NAMED = 40
"""Parameters whose words count; the first of an operation say what it is about."""

RANKS = {Effect.READ: 0.0, Effect.UNKNOWN: 1.0, Effect.WRITE: 1.0, Effect.DESTRUCTIVE: 2.0}
"""Between equals what only reads comes first, and what destroys last."""

_BREAKS = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def words_of(name: str) -> str:
    """Return the words of a name: "listMachines", "list-machines" -> "list machines"."""
    return " ".join(part for part in _BREAKS.split(name) if part).lower()


def document(
    id_: str,
    *,
    name: str,
    title: str = "",
    description: str = "",
    parameters: str = "",
    tags: Iterable[str] = (),
    rank: float = 0.0,
) -> Document:
    """Return what is known of an operation as a document; empty fields are left out."""
    fields = (
        Field("name", words_of(name)),
        Field("title", title),
        Field("description", description),
        Field("parameters", parameters),
        Field("tags", ", ".join(tags)),
    )
    kept = tuple(Field(item.name, item.text[:MAX_TEXT]) for item in fields if item.text.strip())
    return Document(id=id_, fields=kept, rank=rank)


def parameter_words(schema: Mapping[str, JsonValue] | None) -> str:
    """Return the names and descriptions of a schema's properties: "job name: which one; ..."."""
    properties = schema.get("properties") if schema else None
    if not isinstance(properties, dict):
        return ""
    return "; ".join(
        described(name, member) for name, member in list(properties.items())[:MAX_NAMED]
    )


def described(name: str, member: JsonValue | Mapping[str, JsonValue]) -> str:
    """Return the words of one parameter."""
    text = member.get("description") if isinstance(member, Mapping) else None
    words = words_of(name)
    return f"{words}: {first_sentence(text)}" if isinstance(text, str) and text else words


def first_sentence(text: str, most: int = 160) -> str:
    """Return the beginning of a description that fits in a line."""
    line = " ".join(text[: most * 8].split())
    sentence = re.split(r"(?<=[.!?])\s", line, maxsplit=1)[0]
    return sentence if len(sentence) <= most else sentence[: most - 1].rstrip() + "…"
