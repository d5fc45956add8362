"""A scope for tests: names with types, and what it was asked for."""

from __future__ import annotations

from naftiko.document.nodes import Scalar
from naftiko.errors import Problems
from naftiko.source import Location
from naftiko.values import JsonObject
from naftiko.workflow.expressions.nodes import Ref
from naftiko.workflow.expressions.typed import Typed
from naftiko.workflow.expressions.typing import Typer
from naftiko.workflow.types import (
    BOOLEAN,
    DURATION,
    INTEGER,
    NUMBER,
    OPAQUE,
    STRING,
    TIMESTAMP,
    Type,
    list_of,
    record,
)

PARAMS = {
    "s": STRING,
    "i": INTEGER,
    "n": NUMBER,
    "b": BOOLEAN,
    "t": TIMESTAMP,
    "d": DURATION,
    "o": OPAQUE,
    "e": Type(kind="string", enum=("available", "creating", "failed")),
    "secret": Type(kind="string", sensitive=True),
    "ss": list_of(STRING),
    "ii": list_of(INTEGER),
    "tt": list_of(TIMESTAMP),
    "maps": list_of(record({"Id": STRING})),
    "m": record({"Id": STRING}),
    "es": list_of(Type(kind="string", enum=("a", "b"))),
}


class Names:
    """`params.<name>` of the table above; other roots are opaque."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    def resolve(self, ref: Ref, at: Location, expected: Type | None) -> Typed | None:
        name = str(ref.path[0]) if ref.path else ref.root
        self.asked.append((name, expected.kind if expected is not None else None))
        type_ = PARAMS.get(name)
        if type_ is None:
            return None
        tree: JsonObject = {"ref": [ref.root, *ref.path], "t": type_.kind}
        return Typed(tree=tree, type=type_)


def scalar(text: str) -> Scalar:
    return Scalar(text, text, Location("w.yaml", 3, 11))


def told(problems: Problems) -> list[str]:
    return [f"{item.location.column} {item.code} {item.message}" for item in problems]


def typed(text: str) -> tuple[Typed | None, list[str]]:
    problems = Problems()
    found = Typer(Names(), problems).value(scalar("${" + text + "}"))
    return found, told(problems)
