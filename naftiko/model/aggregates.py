"""Operations for reuse, which routes and tools refer to by `ref`. Spec: `aggregates`."""

from __future__ import annotations

from dataclasses import dataclass, field

from naftiko.model.exposes import ExposedOperation
from naftiko.model.parameters import Hints
from naftiko.source import Location


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Semantics:
    """What a function does to its surroundings; None where the file does not say."""

    safe: bool | None = None
    idempotent: bool | None = None
    cacheable: bool | None = None

    def hints(self) -> Hints | None:
        """Return the tool hints that follow, None where nothing does.

        Behaviour reference, section 5.6: safe -> readOnly and not destructive; not safe -> not
        readOnly, which says nothing of `destructive`.
        """
        if self.safe is None and self.idempotent is None:
            return None
        return Hints(
            read_only=self.safe,
            destructive=False if self.safe else None,
            idempotent=self.idempotent,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Function:
    """One function (naftiko) or flow (ikanos): an operation, and what it does."""

    operation: ExposedOperation
    semantics: Semantics = field(default_factory=Semantics)

    @property
    def name(self) -> str:
        """The second part of a `ref`."""
        return self.operation.name

    @property
    def location(self) -> Location:
        """Where it stands."""
        return self.operation.location


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Aggregate:
    """Functions of one subject. `written_as` is its namespace before an import renamed it.

    Its own templates name the inputs by that: `with: {id: shop.id}`.
    """

    namespace: str
    functions: tuple[Function, ...]
    location: Location
    label: str = ""
    description: str = ""
    written_as: str = ""
