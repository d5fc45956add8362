"""Bytes -> text, by the charset that a Content-Type names."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from naftiko.formats.limits import UnreadableError

_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:+-]{1,40})", re.IGNORECASE)
_CHARSETS = (
    *("iso8859", "latin", "cp", "mac", "koi8", "utf-16", "utf-32", "ascii"),
    *("gb", "big5", "euc", "shift", "iso2022", "johab", "tis"),
)
"""How the names of codecs begin that stand for charsets other than UTF-8."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def codec_of(media_type: str) -> str | None:
    """Return the Python codec of "text/csv; charset=latin1"; None for UTF-8 or nothing."""
    match = _CHARSET.search(media_type) if "charset" in media_type.lower() else None
    return _codec(match.group(1)) if match else None


@lru_cache(maxsize=64)
def _codec(name: str) -> str | None:
    """Return the Python codec of a charset; None for UTF-8 and for what is no charset, as zlib."""
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    return found if found.startswith(_CHARSETS) else None


def decode_text(body: bytes, media_type: str) -> str:
    """Return the text: a byte order mark counts first, then the charset named, then UTF-8.

    Raises: UnreadableError where the bytes are no text in it.
    """
    marked = next((codec for mark, codec in _MARKS if body.startswith(mark)), None)
    codec = marked or codec_of(media_type) or "utf-8"
    try:
        return body.decode(codec)
    except UnicodeError:
        raise UnreadableError(f"it is not {codec.removesuffix('-sig')} text") from None
