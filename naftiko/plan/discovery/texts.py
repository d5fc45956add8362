"""What is said of items that strangers named: one line, bounded, nothing secret, nothing hidden."""

from __future__ import annotations

import logging
import traceback

from naftiko.errors import RunError
from naftiko.expressions.visible import at_most
from naftiko.plan.masking import Masker
from naftiko.values import JsonObject, JsonValue

logger = logging.getLogger("naftiko.discovery")

MAX_SAID = 300
"""Characters of one message, or of the key of an item."""


def said(text: str, masker: Masker, length: int = MAX_SAID) -> str:
    r"""Return a text for logs, readiness and `inspect`.

    "first\nsecond \x1b[2J" -> "first second �[2J". Secrets are masked before anything is cut, and
    once more after line breaks became blanks: either may be how a secret is written.
    """
    return at_most(masker(" ".join(masker(text).split())), length)


class Voice:
    """What one `discover` entry logs, under its name, and shows of failures."""

    def __init__(self, name: str, masker: Masker) -> None:
        """Keep the name."""
        self._name = name
        self._masker = masker

    def shown(self, text: str, length: int = MAX_SAID) -> str:
        """Return a text as it may be said: one line, nothing secret."""
        return said(text, self._masker, length)

    def failure(self, error: RunError) -> JsonObject:
        """Return a failure as it may be shown: `{code, message}`."""
        return {"code": error.code, "message": self.shown(error.message)}

    def say(self, text: str, level: int = logging.WARNING) -> None:
        """Log a text that may be said as it is."""
        logger.log(level, "discovery %s: %s", self._name, text)

    def bug(self, what: str) -> RunError:
        """Log the exception that is being handled, masked; return what may be said of it."""
        trace = self._masker(traceback.format_exc())
        logger.error("discovery %s: %s failed\n%s", self._name, what, trace)
        return RunError(code="internal-error", message="an error inside the engine; see its log")


def same_json(left: JsonValue, right: JsonValue) -> bool:
    """Tell whether two values are the same JSON, however deep: 1 is neither `true` nor 1.0."""
    pending = [(left, right)]
    while pending:
        one, other = pending.pop()
        if one is other:
            continue
        if type(one) is not type(other):
            return False
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            pending += [(value, other[name]) for name, value in one.items()]
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pending += zip(one, other, strict=True)
        elif one != other:
            return False
    return True
