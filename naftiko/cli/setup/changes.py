"""Two entries of a client's file -> what is different, in lines for people, without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

from naftiko.cli.setup.variables import looks_secret
from naftiko.plan.masking import MASK
from naftiko.values import JsonValue

_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")
_MAX_SHOWN = 200


def changes(old: JsonValue, new: JsonValue) -> list[str]:
    """Return a line for each member that is different.

    `env.STAGE: "test" -> "live"`, `env.API_TOKEN: *** -> ***`, `args: removed`
    """
    before, after = dict(_flat("", old)), dict(_flat("", new))
    lines = []
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            lines.append(f"{name}: removed (it was {_shown(name, before[name])})")
        elif name not in before:
            lines.append(f"{name}: added, {_shown(name, after[name])}")
        elif before[name] != after[name]:
            lines.append(f"{name}: {_shown(name, before[name])} -> {_shown(name, after[name])}")
    return lines


def _flat(prefix: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else name, member)
    else:
        yield prefix or "(all of it)", value


def _shown(name: str, value: JsonValue) -> str:
    if isinstance(value, list):
        text = json.dumps(_arguments(value), ensure_ascii=False)
    elif _is_hidden(name) and not _is_placeholder(value):
        return MASK
    else:
        text = json.dumps(_plain(value), ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _is_hidden(name: str) -> bool:
    return name.startswith("headers.") or looks_secret(_words(name))


def _is_placeholder(value: JsonValue) -> bool:
    """Tell whether nothing but a reference stands there: "Bearer ${API_TOKEN}"."""
    text = value if isinstance(value, str) else ""
    rest = _PLACEHOLDER.sub("", text)
    return rest != text and rest.strip() in ("", "Bearer", "Basic")


def _words(name: str) -> str:
    """Return a name as a variable is written: "--api-key" -> "API_KEY"."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def _plain(value: JsonValue) -> JsonValue:
    """Return a value without what a URL may hide: its user and its query."""
    if not isinstance(value, str) or "://" not in value:
        return value
    try:
        parts = urlsplit(value)
    except ValueError:
        return MASK
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{MASK}@{host}" if "@" in parts.netloc else host
    query = MASK if parts.query and not _PLACEHOLDER.search(parts.query) else parts.query
    return urlunsplit((parts.scheme, netloc, parts.path, query, parts.fragment))


def _arguments(words: list[JsonValue]) -> list[JsonValue]:
    """Mask what follows an option, or the `=` of one, whose name sounds of secrets."""
    out: list[JsonValue] = []
    hides = False
    for word in words:
        text = word if isinstance(word, str) else ""
        name, equals, _ = text.partition("=")
        if hides and not text.startswith("-"):
            out.append(MASK)
        elif equals and looks_secret(_words(name)):
            out.append(f"{name}={MASK}")
        else:
            out.append(_plain(word))
        hides = text.startswith("-") and not equals and looks_secret(_words(text))
    return out
