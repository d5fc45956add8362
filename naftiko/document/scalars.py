"""What a YAML scalar means as JSON, and where each of its characters stands.

Values follow the core schema of YAML 1.2 (section 10.3.2), so `yes`, `on`, dates and `1:30` are
text, with two differences that keep what the author wrote: a number with leading zeros (`0123`,
an account id) stays text, and `.inf` and `.nan` have no JSON value.
"""

from __future__ import annotations

import re

MAX_NUMBER_LENGTH = 1000
"""Longer ones cannot be printed again: CPython refuses to, from 4,300 digits on."""

Offsets = tuple[tuple[int, int, int], ...]

BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""A line break as YAML 1.1 parsers, libyaml and PyYAML, count them."""

UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Characters that a reader of the file does not see, or that change how the others are shown."""

_NAMED: dict[str, str | bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_AMBIGUOUS = frozenset({"True", "TRUE", "False", "FALSE"})
_NUMBER_START = frozenset("+-.0123456789")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_ANY_INT = re.compile(r"[-+]?[0-9]+\Z")
_NOT_JSON = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")

_BREAKS = "\r\n\x85\u2028\u2029"
_FOLD = rf"[ \t]*(?:\r\n|[{_BREAKS}])(?:[ \t]|\r\n|[{_BREAKS}])*"
_PIECES = {
    '"': re.compile(
        r"(?P<escape>\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^\r\n\x85\u2028\u2029]))"
        rf"|(?P<joined>\\(?:\r\n|[{_BREAKS}])[ \t]*)|(?P<fold>{_FOLD})"
    ),
    "'": re.compile(rf"(?P<escape>'')|(?P<fold>{_FOLD})"),
    "": re.compile(rf"(?P<fold>{_FOLD})"),
}


class ScalarValueError(ValueError):
    """A plain scalar has no JSON value. `hint` says the way out."""

    def __init__(self, message: str, hint: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.hint = hint


def plain_value(text: str) -> str | int | float | bool | None:
    """Return the value of an unquoted scalar.

    "true" -> True, "0x1f" -> 31, "1.5" -> 1.5, "~" -> None, "yes" -> "yes", "0123" -> "0123"

    Raises: ScalarValueError for `.inf`, `.nan` and numbers out of range.
    """
    if text in _NAMED:
        return _NAMED[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INT.match(text):
        return _integer(text, 10)
    if _BASED.match(text):
        return _integer(text[2:], 8 if text[1] == "o" else 16)
    if _FLOAT.match(text):
        return _float(text)
    if _NOT_JSON.match(text):
        message = f"`{text}` is not a JSON number"
        raise ScalarValueError(message, f'write a number, or quote it: "{text}"')
    return text


def is_ambiguous(text: str) -> bool:
    """Tell whether an unquoted scalar is no text to some readers of YAML, and so better is one.

    `True` (only `true` and `false` are booleans then) and `0o17`.
    """
    return text in _AMBIGUOUS or (text[:2] == "0o" and bool(_BASED.match(text)))


def tagged_value(tag: str, text: str) -> str | int | float | bool | None:
    """Return the value of a scalar under a standard tag: ("int", "3") -> 3.

    Raises: ScalarValueError where the text is no such value.
    """
    if tag in {"str", "timestamp"}:
        return text
    value = plain_value(text)
    if tag == "int" and isinstance(value, str) and _ANY_INT.match(text):
        value = _integer(text, 10)
    if tag == "float" and isinstance(value, int) and not isinstance(value, bool):
        return _float(text)
    expected: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (float,),
        "bool": (bool,),
        "null": (type(None),),
    }
    if type(value) in expected[tag]:
        return value
    message = f"`{shorten(text)}` is not a value for the tag `!!{tag}`"
    raise ScalarValueError(message, "remove the tag, or correct the value")


def shorten(text: str, limit: int = 60) -> str:
    """Return the text on one line, cut to `limit` characters: an excerpt for a message."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def _integer(digits: str, base: int) -> int:
    if len(digits) > MAX_NUMBER_LENGTH:
        message = f"the number `{shorten(digits, 24)}` has more than {MAX_NUMBER_LENGTH} digits"
        raise ScalarValueError(message, "quote it to keep it as text")
    return int(digits, base)


def _float(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        message = f"the number `{shorten(text, 24)}` is too large"
        raise ScalarValueError(message, "quote it to keep it as text")
    return value


def flow_offsets(raw: str, style: str, line: int, column: int) -> Offsets:
    r"""Map the text of a plain or quoted scalar to its places.

    `raw` is the source between the quotes; `style` is `"`, `'` or "" (plain); `line` and `column`
    (from 1) say where `raw` begins. An escape or a folded line begins a new piece.

    ("a\n  b", "", 3, 5) -> ((0, 3, 5), (2, 4, 3))
    """
    pieces = [(0, line, column)]
    offset = 0
    done = 0
    for match in _PIECES[style].finditer(raw):
        offset += match.start() - done
        column += match.start() - done
        done = match.end()
        piece = match.group()
        if match.lastgroup == "escape":
            offset += 1
            column += len(piece)
        else:
            breaks = BREAK.findall(piece)
            offset += _folded_length(match.lastgroup, len(breaks))
            line += len(breaks)
            column = 1 + len(BREAK.split(piece)[-1])
        pieces.append((offset, line, column))
    return tuple(pieces)


def _folded_length(kind: str | None, breaks: int) -> int:
    if kind == "joined":
        return 0
    return 1 if breaks == 1 else breaks - 1


def block_offsets(raw: str, value: str, line: int) -> Offsets:
    r"""Map each line of a block scalar (`|` or `>`) to its place.

    `raw` is the source from the indicator on, `line` (from 1) is the indicator's.
    Exact for `|`; for `>` each source line is looked up in the folded text.

    ("|\n  ab\n  cd\n", "ab\ncd\n", 3) -> ((0, 4, 3), (3, 5, 3))
    """
    lines = BREAK.split(raw)[1:]
    is_literal = raw.startswith("|")
    indent = _literal_indent(lines, value) if is_literal else _folded_indent(lines, value)
    starts = _literal_starts(lines, value) if is_literal else _folded_starts(lines, value, indent)
    return tuple((start, line + 1 + number, indent + 1) for start, number in starts)


def _literal_indent(lines: list[str], value: str) -> int:
    pairs = zip(lines, BREAK.split(value), strict=False)
    return next((len(raw) - len(text) for raw, text in pairs if text), 0)


def _folded_indent(lines: list[str], value: str) -> int:
    first = next((text for text in lines if text.strip(" ")), "")
    content = value.lstrip(_BREAKS)
    return max(_leading_blanks(first) - _leading_blanks(content), 0)


def _leading_blanks(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _literal_starts(lines: list[str], value: str) -> list[tuple[int, int]]:
    starts = [0, *(match.end() for match in BREAK.finditer(value))]
    return [
        (start, number)
        for number, start in enumerate(starts)
        if number < len(lines) and (start < len(value) or number == 0)
    ]


def _folded_starts(lines: list[str], value: str, indent: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    offset = 0
    for number, text in enumerate(lines):
        content = text[indent:]
        if not content.strip():
            continue
        start = value.find(content, offset)
        if start < 0:
            break
        found.append((start, number))
        offset = start + len(content)
    return found
