"""A compressed body -> the body, within a limit that does not believe what it says of itself."""

from __future__ import annotations

import zlib

from naftiko.consumes.exchange.headers import AnyCase
from naftiko.consumes.transport_errors import BadResponseError, ResponseTooLargeError

ACCEPTED = "gzip, deflate"
MAX_MEMBERS = 10_000
"""Of one gzip body; an empty one costs 20 bytes and a decompressor."""
STEP_BYTES = 64 * 1024
"""How much is decompressed at once: what follows the end of a member is copied."""

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_RAW_DEFLATE = -zlib.MAX_WBITS


def decompressed(content: bytes, headers: AnyCase, address: str, limit: int) -> bytes:
    """Return the body and take from the headers what no longer holds.

    Raises: BadResponseError, ResponseTooLargeError.
    """
    coding = headers["content-encoding"].strip().lower()
    if coding in ("", "identity") or not content:
        return content
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise BadResponseError(address, f"its content encoding `{coding[:40]}` was not asked for")
    try:
        out = _inflated(content, _GZIP_OR_ZLIB, limit)
    except zlib.error as error:
        if coding != "deflate":
            raise BadResponseError(address, f"its body cannot be decompressed: {error}") from error
        try:
            out = _inflated(content, _RAW_DEFLATE, limit)  # some send it bare
        except zlib.error:
            raise BadResponseError(address, "its body cannot be decompressed") from error
    if len(out) > limit:
        raise ResponseTooLargeError(address, limit)
    headers.pop("content-encoding", None)
    headers.pop("content-length", None)
    return out


def _inflated(content: bytes, bits: int, limit: int) -> bytes:
    """Return at most one byte more than the limit.

    Raises: zlib.error.
    """
    view = memoryview(content)
    parts: list[bytes] = []
    room = limit + 1
    at = 0
    for _ in range(MAX_MEMBERS):
        stream = zlib.decompressobj(bits)
        while not stream.eof and room > 0:
            step = view[at : at + STEP_BYTES]
            if not step:
                raise zlib.error("it ends early")
            at += len(step)
            part = stream.decompress(step, room)
            room -= len(part)
            parts.append(part)
        at -= len(stream.unused_data)
        if room == 0 or at == len(view):
            return b"".join(parts)
    raise zlib.error("it has too many members")
