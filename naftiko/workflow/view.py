r"""What of a result leaves for a reader: views on a copy. Spec: section 8, the view filter.

Stored values and those sent to AWS stay byte for byte as they are; `redacted` makes the copy. Three
views: `label`, `redact` (for models, the default) and `raw` (for other readers, where allowed).

- In `label` and `redact` control characters (but tab and newline), those that turn the direction of
  text, those of no width, tags and halves of surrogate pairs are shown as `\u{202e}`, in names too.
- A text of more than 4,096 characters, as shown, becomes `{"$text": <its beginning>, "$truncated":
  <characters in all>}`; a name of more than 256 ends in `$truncated:<characters in all>`.
- In `redact` a text that reads like an instruction or a command becomes `{"$redacted":
  "command_like", "length": <characters>, "sha256": <of its UTF-8>}`, a name `$redacted:<beginning
  of its sha256>`. Identifiers are not looked at: `is_label` tells them.
- In all views a value at a sensitive path is `***`, what is nested deeper than 64 levels is
  `{"$truncated": <its members>}`, a number that JSON cannot hold is null, and of a view of more
  than 256 KiB of JSON the end is left out: the last element of a list that was cut is
  `{"$truncated": <elements left out>}`, an object that was cut has a member `$truncated` with the
  number of members left out.

A view of a view is the same again. Names that become equal are told apart by `#2`, `#3`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import TypeAlias, cast

from naftiko.values import JsonObject, JsonValue

VIEWS = ("label", "redact", "raw")
MAX_STRING = 4_096
MAX_NAME = 256
MAX_VIEW_BYTES = 256 * 1024
MAX_DEPTH = 64
MAX_WHOLE = 2**64
MASK = "***"
TRUNCATED = "$truncated"
REDACTED = "$redacted"
TEXT = "$text"

Paths: TypeAlias = Sequence[Sequence[str | int]]

_HIDDEN_CLASS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HIDDEN = re.compile(f"[{_HIDDEN_CLASS}]")
_UNSEEN = re.compile(f"[{_HIDDEN_CLASS}]|" + r"\\u\{[0-9a-f]{1,6}\}")
"""What a reader does not read: hidden characters, and how this module shows them."""
_SHOWN = re.compile(r"\\u\{[0-9a-f]{0,6}\Z|\\u?\Z")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+=,*#~-]*", re.ASCII)
_MAX_LABEL = 512
_FREE = re.compile(
    r"(?:annotations?|body|cause|comments?|content|description|details|document|documentation|error"
    r"|explanation|input|instructions|labels?|log|messages?|notes?|output|payload|prompt|query|reason"
    r"|remark|script|subject|summary|text|title|userdata|value)\Z"
)
"""Last words of the names of members that hold what people write."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_BETWEEN = re.compile(r"[\W_]+")
_LOOKALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u051d\u04bb\u04cf\u043a\u043c\u043d\u0442"
    "\u03b1\u03b5\u03bf\u03c1\u03c5\u03bd\u03b9\u03ba\u03c4\u0131\u0261\u217c",
    "aeopcyxijsdqwhlkmhtaeopuviktigl",
)
"""Letters of other alphabets that are read as Latin ones: Cyrillic, Greek, some more."""
_SPACED = re.compile(r"(?<!\w)\w(?:[ ._*-]\w){3,}(?!\w)")
_OWN_NAMES = re.compile(r"execute_workflow|suggest_workflows|confirm_token|tool_call|function_call")


def redacted(
    value: JsonValue,
    view: str = "redact",
    *,
    sensitive: Iterable[Sequence[str | int]] = (),
    types: Mapping[str, str] | None = None,
) -> JsonValue:
    """Return the view of a value; the value itself is not changed.

    `sensitive` are paths in the value, where "*" stands for any name or index:
    ("outputs", "password"), ("steps", "*", "outputs", "key"). `types` are the types of members by
    their names, from an output schema: a timestamp is a label.
    """
    if view not in VIEWS:
        view = "redact"
    paths = [tuple(path) for path in sensitive]
    if any(not path for path in paths):
        return MASK
    shown = _Filter(view, types or {}).value(value, "", paths, 0)
    return _fitted(shown)


def is_label(name: str, text: str, type_: str | None = None) -> bool:
    """Tell whether a text is an identifier, an enum's value or a time, by its member and its form.

    ("DBSnapshotIdentifier", "prod-2026") -> True, ("Description", "prod") -> False
    """
    if type_ == "timestamp":
        return len(text) <= 40 and _LABEL.fullmatch(text) is not None
    words = _WORDS.findall(name)
    if words and _FREE.match(words[-1].lower()):
        return False
    return len(text) <= _MAX_LABEL and _LABEL.fullmatch(text) is not None and not _is_prose(text)


def command_like(text: str) -> str | None:
    """Return the name of the first pattern of instructions and commands that a text matches."""
    plain = _UNSEEN.sub("", plain_letters(_UNSEEN.sub("", text)))
    words = _BETWEEN.sub(" ", plain)
    for name, pattern in _patterns("words"):
        if pattern.search(words):
            return name
    if _OWN_NAMES.search(plain):
        return "own-tools"
    for name, pattern in _patterns("characters"):
        if pattern.search(plain):
            return name
    return None


def plain_letters(text: str) -> str:
    """Return a text as it is read: Latin for what looks like it, no marks, no `l e t t e r s`."""
    plain = unicodedata.normalize("NFKC", text).lower()
    if not plain.isascii():
        decomposed = unicodedata.normalize("NFKD", plain.translate(_LOOKALIKES))
        plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return _SPACED.sub(lambda found: found[0][::2], plain)


def visible(text: str) -> str:
    r"""Return a text with all hidden characters shown: `\u{200b}`."""
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(_show, text)


@cache
def _patterns(kind: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    file = Path(__file__).with_name("view_patterns.json")
    rows = cast("list[list[str]]", json.loads(file.read_bytes())[kind])
    return tuple((name, re.compile(pattern)) for name, pattern in rows)


def _show(found: re.Match[str]) -> str:
    return f"\\u{{{ord(found[0]):x}}}"


def _is_prose(text: str) -> bool:
    """Tell whether what looks like an identifier may be a sentence with other separators."""
    return len(_BETWEEN.findall(text)) >= 2 and command_like(text) is not None


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class _Filter:
    """Copies a value for one view."""

    def __init__(self, view: str, types: Mapping[str, str]) -> None:
        self._raw = view == "raw"
        self._redact = view == "redact"
        self._types = types
        self._length = 0

    def value(self, value: JsonValue, name: str, sensitive: Paths, depth: int) -> JsonValue:
        if isinstance(value, str):
            return value if self._raw else self._text(value, name)
        if isinstance(value, dict):
            return self._object(value, name, sensitive, depth)
        if isinstance(value, list | tuple):
            if depth >= MAX_DEPTH:
                return {TRUNCATED: len(value)}
            return [
                self._inner(item, index, name, sensitive, depth) for index, item in enumerate(value)
            ]
        return _plain(value)

    def _inner(
        self, value: JsonValue, part: str | int, name: str, sensitive: Paths, depth: int
    ) -> JsonValue:
        if not sensitive:
            return self.value(value, name, (), depth + 1)
        inner = [path[1:] for path in sensitive if path[0] in {part, "*"}]
        if any(not path for path in inner):
            return MASK
        return self.value(value, name, inner, depth + 1)

    def _object(self, value: JsonObject, name: str, sensitive: Paths, depth: int) -> JsonValue:
        mark = None if sensitive else self._mark(value, name)
        if mark is not None:
            return mark
        if depth >= MAX_DEPTH:
            return {TRUNCATED: len(value)}
        out: JsonObject = {}
        for key, item in value.items():
            shown = key if self._raw else self._name(str(key))
            out[_distinct(shown, out)] = self._inner(item, key, str(key), sensitive, depth)
        return out

    def _mark(self, value: JsonObject, name: str) -> JsonValue | None:
        """Return what an earlier view left in place of a value; None if it is no such mark."""
        if set(value) == {TRUNCATED} and _is_count(value[TRUNCATED]):
            return dict(value)
        text = value.get(TEXT)
        if set(value) == {TEXT, TRUNCATED} and isinstance(text, str):
            if len(text) > MAX_STRING or not _is_count(value[TRUNCATED]):
                return None
            shown = text if self._raw else self._text(text, name, cut=False)
            return {**value, TEXT: shown} if isinstance(shown, str) else shown
        digest = value.get("sha256")
        if set(value) == {REDACTED, "length", "sha256"} and isinstance(digest, str):
            true = value[REDACTED] == "command_like" and _is_count(value["length"])
            return dict(value) if true and re.fullmatch("[0-9a-f]{64}", digest) else None
        return None

    def _text(self, text: str, name: str, *, cut: bool = True) -> JsonValue:
        if self._length > MAX_VIEW_BYTES:
            return ""  # left out in the end: it need not be searched
        shown = visible(text[: MAX_STRING + 1])
        is_long = len(shown) > MAX_STRING
        if is_long:
            shown = _cut(shown, MAX_STRING)
        self._length += len(shown)
        if self._redact and self._is_hostile(name, shown):
            self._length -= len(shown)
            return {REDACTED: "command_like", "length": len(text), "sha256": _digest(text)}
        return {TEXT: shown, TRUNCATED: len(text)} if is_long and cut else shown

    def _is_hostile(self, name: str, shown: str) -> bool:
        return not is_label(name, shown, self._types.get(name)) and command_like(shown) is not None

    def _name(self, name: str) -> str:
        shown = visible(name)
        if len(shown) > MAX_NAME:
            shown = _cut(shown, MAX_NAME - 40) + f"{TRUNCATED}:{len(name)}"
        if self._redact and self._is_hostile("", shown):
            return f"{REDACTED}:{_digest(name)[:16]}"
        return shown


def _cut(text: str, length: int) -> str:
    r"""Cut a text, but not inside of `\u{...}`."""
    return _SHOWN.sub("", text[:length])


def _distinct(name: str, taken: JsonObject) -> str:
    if name not in taken:
        return name
    number = 2
    while (other := f"{_cut(name, MAX_NAME - 8)}#{number}") in taken:
        number += 1
    return other


def _is_count(value: JsonValue) -> bool:
    return type(value) is int and 0 <= value < MAX_WHOLE


def _plain(value: JsonValue) -> JsonValue:
    """Return a number, boolean or null; null for a number that JSON cannot hold."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < MAX_WHOLE:
        return value
    return value if isinstance(value, float) and isfinite(value) else None


def _size(value: JsonValue) -> int:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


def _fitted(value: JsonValue) -> JsonValue:
    """Leave out the end of a view that is too large."""
    if _size(value) <= MAX_VIEW_BYTES:
        return value
    if isinstance(value, str):
        return {TEXT: value[: MAX_VIEW_BYTES // 8], TRUNCATED: len(value)}
    return _Shrink(MAX_VIEW_BYTES - _FOR_MARKS).copy(value)


_FOR_MARKS = (MAX_DEPTH + 2) * 48
"""Every level that is open when the room ends may take a mark."""
_FOR_CONTAINER = 4


class _Shrink:
    """Copies a value up to a number of bytes of JSON."""

    def __init__(self, room: int) -> None:
        self._room = room

    def copy(self, value: JsonValue) -> JsonValue:
        if isinstance(value, dict):
            return self._object(value)
        return self._list(value) if isinstance(value, list) else value

    def _takes(self, value: JsonValue, name: str | None = None) -> bool:
        """Take the room for a member; what it has inside takes its own."""
        need = _FOR_CONTAINER if isinstance(value, dict | list) else _size(value)
        need += 1 if name is None else _size(name) + 2
        if need > self._room:
            self._room = 0
            return False
        self._room -= need
        return True

    def _object(self, value: JsonObject) -> JsonValue:
        out: JsonObject = {}
        for name, item in value.items():
            if not self._takes(item, name):
                return {**out, TRUNCATED: len(value) - len(out)}
            out[name] = self.copy(item)
        return out

    def _list(self, value: list[JsonValue]) -> JsonValue:
        out: list[JsonValue] = []
        for item in value:
            if not self._takes(item):
                return [*out, {TRUNCATED: len(value) - len(out)}]
            out.append(self.copy(item))
        return out
