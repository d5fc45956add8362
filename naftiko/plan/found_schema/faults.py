"""What is wrong with a schema that was found, and the bounds of what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from naftiko.errors import ShapingError
from naftiko.expressions.visible import at_most
from naftiko.values import JsonValue

MAX_INPUT_BYTES: Final = 1024 * 1024
MAX_NODES: Final = 20_000
"""Subschemas and values of the result, also of what is left out of it in the end."""
MAX_RESULT_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 50
MAX_HOPS: Final = 100
"""References that lead to references, and so on, without a level of the result between them."""
MAX_SHOWN: Final = 80


def unreadable(message: str) -> ShapingError:
    """Return the error of a document that is no schema, or not one by itself."""
    return ShapingError(code="unreadable-schema", message=f"the schema cannot be read: {message}")


def too_large(message: str) -> ShapingError:
    """Return the error of a schema that is larger than any tool needs."""
    return ShapingError(
        code="schema-too-large",
        message=f"the schema is too large: {message}",
        hint="`root` takes a part of the document",
    )


def shown(text: object) -> str:
    """Return a stranger's text as an error repeats it."""
    return at_most(str(text), MAX_SHOWN).replace("\n", " ").replace("`", "'")


@dataclass(slots=True)
class Budget:
    """What the result may still grow by."""

    nodes: int = MAX_NODES
    characters: int = MAX_RESULT_BYTES

    def node(self, depth: int) -> None:
        """Charge one subschema or value.

        Raises: ShapingError[schema-too-large].
        """
        self.nodes -= 1
        if self.nodes < 0:
            message = f"with its references written out it has more than {MAX_NODES:,} parts"
            raise too_large(message)
        if depth > MAX_DEPTH:
            message = f"with its references written out it is nested more than {MAX_DEPTH} deep"
            raise too_large(message)

    def text(self, text: str) -> str:
        """Charge a text, and return it.

        Raises: ShapingError[schema-too-large].
        """
        self.characters -= len(text)
        if self.characters < 0:
            raise result_too_large()
        return text

    def value(self, value: JsonValue, depth: int) -> None:
        """Charge a value that is taken over as it stands.

        Raises: ShapingError[schema-too-large].
        """
        pending = [(value, depth)]
        while pending:
            item, level = pending.pop()
            self.node(level)
            if isinstance(item, str):
                self.text(item)
            elif isinstance(item, list):
                pending += [(part, level + 1) for part in item]
            elif isinstance(item, dict):
                for name, part in item.items():
                    self.text(name)
                    pending.append((part, level + 1))


def result_too_large() -> ShapingError:
    """Return the error of a result with too many bytes."""
    size = MAX_RESULT_BYTES // 1024
    return too_large(f"with its references written out it has more than {size} KiB")
