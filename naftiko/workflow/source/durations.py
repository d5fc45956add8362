"""Durations of a source: `30s`, `15m`, `1h`, `2d`, or whole seconds. Spec: section 1."""

from __future__ import annotations

import re

from naftiko.document.nodes import Mapping, Node, Scalar, Sequence
from naftiko.document.scalars import shorten
from naftiko.errors import Problems

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_SECONDS = 365 * SECONDS["d"]
"""What a state machine may run at most; nothing here takes longer."""

_DURATION = re.compile(r"(?P<count>0|[1-9][0-9]{0,8})(?P<unit>[smhd])")
_NUMBER = re.compile(r"[0-9]+")
_UNITS = "a whole number and `s`, `m`, `h` or `d`"


def parse_duration(
    node: Node,
    problems: Problems,
    *,
    name: str = "duration",
    low: int = 1,
    high: int = MAX_SECONDS,
) -> int | None:
    """Return the seconds a node says; None where it says none, which is reported.

    "15m" -> 900, 90 -> 90. Reports WF203 and WF204; `name` is what the field is called.
    """
    seconds = _seconds(node, problems, name)
    if seconds is None or low <= seconds <= high:
        return seconds
    bound = f"at least {in_words(low)}" if seconds < low else f"at most {in_words(high)}"
    shown = shorten(node.text) if isinstance(node, Scalar) else ""
    problems.error("WF204", f"`{name}` is `{shown}`, and {bound} is allowed", node.location)
    return None


def in_words(seconds: int) -> str:
    """Return the shortest way to write a duration: 900 -> "15m"."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _seconds(node: Node, problems: Problems, name: str) -> int | None:
    match node:
        case Scalar(value=bool()) | Scalar(value=float()) | Scalar(value=None):
            found = f"`{shorten(node.text)}`" if node.text else "empty"
        case Scalar(value=int() as value):
            return value
        case Scalar(text=text):
            return _of_text(text, node, problems, name)
        case Sequence():
            found = "a list"
        case Mapping():
            found = "a mapping"
    message = f"`{name}` is {found} where a duration is expected"
    problems.error("WF203", message, node.location, f"write {_UNITS}: 30s")
    return None


def _of_text(text: str, node: Scalar, problems: Problems, name: str) -> int | None:
    match = _DURATION.fullmatch(text)
    if match is not None:
        return int(match["count"]) * SECONDS[match["unit"]]
    hint = f"write {_UNITS}: 30s"
    if _NUMBER.fullmatch(text):
        hint = f"write `{shorten(text, 20)}s`"
    elif "${" in text:
        hint = f"a duration is a constant of the plan: write {_UNITS}"
    message = f"`{name}` is `{shorten(text)}`, which is no duration"
    problems.error("WF204", message, node.location, hint)
    return None
