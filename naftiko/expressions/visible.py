"""Texts that machines and strangers wrote -> texts of a bounded length that hide nothing."""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\u2061-\u2064\u206a-\u206f]"
    "|(?<=[\ufe00-\ufe0f\U000e0100-\U000e01ef])[\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Control characters, those that turn the direction of text, and those that carry unseen text: one
variation selector follows a character, a row of them is a message."""
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_MAX_MARKS = 16


def at_most(text: str, length: int) -> str:
    r"""Return at most so many characters of a text that a machine wrote, for a reader of any kind.

    A longer text ends in `… (N more characters)`, within the length; where that does not fit, in
    `…`. Line breaks become `\n`; other control characters, and those that hide or turn text, become
    U+FFFD. No mark is cut off its letter.
    """
    if len(text) <= length:
        return _visible(text)
    kept = length - len(_rest(len(text)))
    if kept <= 0:
        return (_visible(text[: max(length - 1, 0)]) + "…")[:length]
    kept = _whole(text, kept)
    return _visible(text[:kept]) + _rest(len(text) - kept)


def _rest(count: int) -> str:
    return f"… ({count} more characters)"


def _visible(text: str) -> str:
    return _HIDDEN.sub(_REPLACEMENT, text.replace("\r\n", "\n").replace("\r", "\n"))


def _whole(text: str, kept: int) -> int:
    """Return where to cut so that no mark is cut off the letter that it stands on."""
    from unicodedata import category

    for end in range(kept, max(kept - _MAX_MARKS, 0), -1):
        if category(text[end])[0] != "M" and "\N{ZERO WIDTH JOINER}" not in text[end - 1 : end + 1]:
            return end
    return kept
