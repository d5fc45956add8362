"""What expressions and templates are made of. Spec: section 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A constant. `kind` is string, integer, number, boolean or null."""

    value: str | int | float | bool | None
    kind: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """`steps.create.output.Tags[0]` -> root "steps", path ("create", "output", "Tags", 0).

    `offset` and `length` are those of the reference without its default.
    """

    root: str
    path: tuple[str | int, ...]
    default: Literal | None
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`join(item.Names, ', ')`."""

    name: str
    args: tuple[Expr, ...]
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """`!item.Encrypted`."""

    operand: Expr
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """`params.days + 1`. `op_offset` is the place of the operator."""

    op: str
    left: Expr
    right: Expr
    op_offset: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """`['available', 'failed']`."""

    items: tuple[Expr, ...]
    offset: int
    length: int


Expr: TypeAlias = Literal | Ref | Call | Not | Binary | ListOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text with holes: "snap-${params.id}" -> parts ("snap-", Ref)."""

    parts: tuple[str | Expr, ...]

    @property
    def single(self) -> Expr | None:
        """Return the expression, if the text is exactly one `${...}`."""
        if len(self.parts) == 1 and not isinstance(self.parts[0], str):
            return self.parts[0]
        return None

    @property
    def constant(self) -> str | None:
        """Return the text, if it has no holes."""
        if not self.parts:
            return ""
        return self.parts[0] if len(self.parts) == 1 and isinstance(self.parts[0], str) else None


def end_of(expression: Expr) -> int:
    """Return where an expression ends, its default with it."""
    end = expression.offset + expression.length
    if isinstance(expression, Ref) and expression.default is not None:
        return expression.default.offset + expression.default.length
    return end
