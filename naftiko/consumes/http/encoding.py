"""JSON values -> the text that a URL, a header, a cookie or a JSON body carries."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import orjson

from naftiko.errors import FieldError, InputError
from naftiko.values import JsonValue

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_TEXT = re.compile(r"[\t\x20-\x7e]*")
_COOKIE_TEXT = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")


def plain_text(value: JsonValue) -> str:
    """Return a value as text: strings as they are, everything else as JSON.

    True -> "true", 1.5 -> "1.5", None -> "", {"a": 1} -> '{"a":1}'
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json_bytes(value).decode()


def percent_encode(text: str, name: str, in_: str) -> str:
    """Encode everything but RFC 3986 unreserved characters; `name` and `in_` are for the error.

    Raises: InputError for a lone surrogate, which no UTF-8 text can hold.
    """
    if text.isascii() and text.isalnum():
        return text
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise bad_value(name, in_, "holds half of a surrogate pair, which is no text") from None


def query_pairs(encoded_name: str, name: str, value: JsonValue) -> Iterator[str]:
    """Yield `name=value`, once for each item of a list; null gives nothing, an object JSON text."""
    if value is None:
        return
    for item in value if isinstance(value, list) else (value,):
        if item is not None:
            yield f"{encoded_name}={percent_encode(plain_text(item), name, 'query')}"


def header_text(name: str, value: JsonValue) -> str:
    """Return a value as a header's text; the items of a list stand with commas between.

    Raises: InputError for line breaks (they would start another header) and for what is not
    visible ASCII. RFC 9110, section 5.5.
    """
    if isinstance(value, list):
        text = ", ".join(plain_text(item) for item in value)
    else:
        text = plain_text(value)
    text = text.strip(" \t")
    if _HEADER_TEXT.fullmatch(text) is None:
        hint = "percent-encode it, if the consumed API reads that"
        raise bad_value(name, "header", "holds characters that a header cannot carry", hint)
    return text


def cookie_text(name: str, value: JsonValue) -> str:
    """Return a value as a cookie's text.

    Raises: InputError for characters outside cookie-octet. RFC 6265, section 4.1.1.
    """
    text = plain_text(value)
    if _COOKIE_TEXT.fullmatch(text) is None:
        hint = "blanks, quotes, commas, semicolons and backslashes are not allowed"
        raise bad_value(name, "cookie", "holds characters that a cookie cannot carry", hint)
    return text


def json_bytes(value: JsonValue) -> bytes:
    """Return compact JSON text.

    Raises: InputError for nesting deeper than JSON libraries follow.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return _json_bytes_slow(value)


def _json_bytes_slow(value: JsonValue) -> bytes:
    """Write integers over 64 bits and lone surrogates too: JSON allows them, orjson does not."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except (RecursionError, ValueError):
        raise InputError(
            message="the arguments cannot be written as JSON",
            hint="they are nested too deep, or hold a number that is not finite",
        ) from None


def json_string_text(text: str) -> str:
    """Return what stands between the quotes of a JSON string that holds the text."""
    return json_bytes(text)[1:-1].decode()


def utf8(name: str, text: str) -> bytes:
    """Return a text as UTF-8; `name` is for the error.

    Raises: InputError for a lone surrogate.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise bad_value(name, "body", "holds half of a surrogate pair, which is no text") from None


def base64_bytes(name: str, value: JsonValue) -> bytes:
    """Return the bytes that base64 stands for, in its usual or its URL alphabet. RFC 4648.

    Raises: InputError.
    """
    text = "".join(value.split()) if isinstance(value, str) else "not a text"
    usual = text.replace("-", "+").replace("_", "/")
    try:
        return binascii.a2b_base64(usual + "=" * (-len(usual) % 4), strict_mode=True)
    except (ValueError, UnicodeError):
        raise bad_value(name, "body", "is no base64 text") from None


def form_bytes(value: JsonValue) -> bytes:
    """Return `a=1&b=2`: lists repeat the name, null is left out.

    Raises: InputError if the value is no object.
    """
    if not isinstance(value, dict):
        raise InputError(message="a form is made of named fields, so it must be an object")
    pairs = (
        pair
        for name, item in value.items()
        for pair in query_pairs(percent_encode(name, name, "body"), name, item)
    )
    return "&".join(pairs).encode()


def xml_text(text: str) -> str:
    """Return a text as XML character data, safe in attributes too; blanks survive reading.

    Raises: InputError for characters that no XML text can hold. XML 1.0, section 2.2.
    """
    if _NOT_XML.search(text):
        raise bad_value("body", "body", "holds characters that XML cannot carry")
    for char, entity in _XML_ENTITIES:
        text = text.replace(char, entity)
    return text


_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_XML_ENTITIES = (
    ("&", "&amp;"),
    ("<", "&lt;"),
    (">", "&gt;"),
    ('"', "&quot;"),
    ("'", "&apos;"),
    ("\r", "&#13;"),
    ("\n", "&#10;"),
    ("\t", "&#9;"),
)


def bad_value(name: str, in_: str, message: str, hint: str = "") -> InputError:
    """Return an InputError about one argument; the value itself is not repeated."""
    text = f"`{name}` {message}"
    return InputError(
        message=text, fields=(FieldError(name=name, message=text, in_=in_, hint=hint),), hint=hint
    )
