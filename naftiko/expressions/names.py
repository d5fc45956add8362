"""The names that a Jinja2 text reads: each gets a variable, and what gives its value.

A dash stays part of a name, an object's keys are never hidden by Python's methods, and the text
sees no values but those it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from naftiko.expressions.lookup import Getter, Scope
from naftiko.values import MISSING, JsonValue

BindName: TypeAlias = Callable[[str, int], Getter]
"""(dotted name, its offset in the text) -> what reads it."""

_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"|(?P<chain>\.?[A-Za-z_]\w*(?:-\w+)*(?:\.\w+(?:-\w+)*)*)"
    r"|(?P<number>\d+(?:\.\d+)?)",
    re.ASCII | re.DOTALL,
)


class Names:
    """The names of one text, in the order in which they are met."""

    def __init__(self, text: str, bind: BindName) -> None:
        """Start without names; `bind` is asked once for each."""
        self._text = text
        self._bind = bind
        self._dashed: dict[str, str] = {}
        self._variables: dict[str, str] = {}
        self._getters: dict[str, Getter] = {}

    def without_dashes(self, code: str) -> str:
        """Rewrite names that Jinja2 would misread: `a-b.c.0` -> `_d0.c[0]`."""
        return _TOKEN.sub(self._token, code)

    def _token(self, match: re.Match[str]) -> str:
        token = match.group()
        if match.lastgroup != "chain":
            return token
        first, *rest = token.split(".")
        if "-" in first:
            first = self._dashed.setdefault(first, f"_d{len(self._dashed)}")
        return first + "".join(map(_subscript, rest))

    def real(self, name: str) -> str:
        """Return a name as it was written: `_d0` -> `a-b`."""
        return next((real for real, short in self._dashed.items() if short == name), name)

    def variable(self, name: str) -> str:
        """Return the variable that stands for a dotted name."""
        found = self._variables.get(name)
        if found is None:
            found = self._variables[name] = f"_r{len(self._variables)}"
            self._getters[found] = self._bind(name, self._offset(name))
        return found

    def _offset(self, name: str) -> int:
        for wanted in (name, name.split(".")[0]):
            found = re.search(rf"(?<![\w.])(?<!\w-){re.escape(wanted)}(?![\w-])", self._text)
            if found:
                return found.start()
        return 0

    def values(self, scope: Scope) -> dict[str, JsonValue]:
        """Return the variables that have a value."""
        values: dict[str, JsonValue] = {}
        for variable, get in self._getters.items():
            value = get(scope)
            if value is not MISSING:
                values[variable] = value
        return values

    def shown(self, message: str) -> str:
        """Put the names back into a message of Jinja2's."""
        for name, variable in self._variables.items():
            message = message.replace(f"'{variable}'", f"`{name}`")
        return message


def _subscript(segment: str) -> str:
    if segment.isdigit():
        return f"[{segment}]"
    return f'["{segment}"]' if "-" in segment else f".{segment}"
