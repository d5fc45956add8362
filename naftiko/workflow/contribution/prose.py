"""What of a README is prose: without headings, code and markup."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_MARKUP = re.compile(r"`[^`\n]*`|<[^>\n]{1,200}>|https?://\S+")
_WORD = re.compile(r"[^\W\d_][\w'-]*")


def words_of(readme: bytes) -> list[str]:
    """Return the words that a reader of the rendered page reads, in lower case."""
    text = _COMMENT.sub(" ", readme.decode("utf-8", "replace"))
    prose = [
        line
        for line, is_code in lines_of(text)
        if not is_code and not line.lstrip().startswith("#")
    ]
    return _WORD.findall(_MARKUP.sub(" ", "\n".join(prose)).lower())


def lines_of(text: str) -> list[tuple[str, bool]]:
    """Return the lines of a Markdown text; True for those of code, with its fences."""
    found: list[tuple[str, bool]] = []
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if fence:
            found.append((line, True))
            if match is not None and match[1] == fence:
                fence = ""
        elif match is not None:
            fence = match[1]
            found.append((line, True))
        else:
            found.append((line, False))
    return found
