"""Names of discovered entries: safe everywhere, short, never empty, each one once.

Which name an item gets depends on the items that there are, never on their order and never on what
there was before, so that a restart cannot give one item's name to another.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping

MAX_NAME = 64
"""Longest name. MCP allows 128 characters, several clients no more than 64."""
SUFFIX_LENGTH = 6
"""Hexadecimal digits of the key's digest that tell two items apart."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_WORD = re.compile(r"[A-Za-z0-9]")


def safe(raw: str) -> str:
    """Return a name of ASCII letters, digits, `_` and `-`, whatever its length.

    Every other character becomes `_`, one for one: "name.with dots" -> "name_with_dots". A `-` at
    either end goes, as with other tools. A name that has no letter or digit left is "".
    """
    name = _UNSAFE.sub("_", raw).strip("-")
    return name if _WORD.search(name) else ""


def suffix(key: str, length: int = SUFFIX_LENGTH) -> str:
    """Return what tells the item with this key apart: "_3fa9c2"."""
    return "_" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def assign_names(
    wanted: Mapping[str, str], taken: Collection[str] = (), *, fallback: str = "entry"
) -> dict[str, str]:
    """Return a name for each key.

    {"arn:a.v1": "a.v1", "arn:a_v1": "a_v1", "arn:b": "b"} ->
    {"arn:a.v1": "a_v1_2c1b9e", "arn:a_v1": "a_v1_77e0d4", "arn:b": "b"}

    Where several want the same safe name, all of them get a suffix made of their key: if one kept
    the name, a newcomer could take it from another, and whoever calls it would run the wrong one.
    So does who wants a name that is `taken`, that is too long, or that has no letter or digit,
    which is called after `fallback`.
    """
    names = {key: safe(raw) for key, raw in wanted.items()}
    counts = Counter(names.values())
    out: dict[str, str] = {}
    used = set(taken)
    crowded: list[str] = []
    for key, name in names.items():
        if name and counts[name] == 1 and len(name) <= MAX_NAME and name not in used:
            out[key] = name
        else:
            crowded.append(key)
    used.update(out.values())
    for key in sorted(crowded):
        out[key] = _suffixed(names[key] or safe(fallback) or "entry", key, used)
        used.add(out[key])
    return {key: out[key] for key in wanted}


def _suffixed(name: str, key: str, used: Collection[str]) -> str:
    for length in range(SUFFIX_LENGTH, MAX_NAME):
        tail = suffix(key, length)
        candidate = name[: MAX_NAME - len(tail)] + tail
        if candidate not in used:
            return candidate
    number = 2
    while (candidate := f"{name[: MAX_NAME - 12]}_{number}") in used:
        number += 1
    return candidate
