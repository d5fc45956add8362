"""An author's text in messages."""

from __future__ import annotations

import re

MAX_SHOWN = 60
"""More of an author's text is not repeated in a message."""


def hint_for(word: str) -> str:
    """Return the way out for words of other languages."""
    others = {"and": "&&", "or": "||", "not": "!", "is": "==", "eq": "==", "===": "=="}
    return f"write `{others[word]}`" if word in others else ""


def shown(text: str) -> str:
    """Return as much of an author's text as a message repeats."""
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def word_at(text: str, position: int) -> str:
    """Return the word, or the character, that stands somewhere."""
    word = re.compile(r"[\w.-]+|.", re.DOTALL).match(text, position)
    return word.group() if word is not None else ""
