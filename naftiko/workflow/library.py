"""Where a compiler finds the workflows that another one nests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from naftiko.values import JsonObject
from naftiko.workflow.catalog import Catalog, UnknownWorkflow
from naftiko.workflow.plan.walk import mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedSource:
    """The source of a workflow, and its published plan, if there is one.

    `path` is what diagnostics call the source.
    """

    name: str
    version: str
    data: bytes
    path: str
    plan: JsonObject | None = None


class Library(Protocol):
    """The workflows of a catalog."""

    def source(self, name: str, version: str | None) -> NestedSource | None:
        """Return a workflow's source, the newest version where none is asked for."""
        ...

    def names(self) -> Sequence[str]:
        """Return the names of all workflows."""
        ...

    def use_cases(self) -> Sequence[tuple[str, str]]:
        """Return (workflow name, use case) of all workflows."""
        ...


class NoLibrary:
    """A library without workflows."""

    def source(self, name: str, version: str | None) -> NestedSource | None:
        """Return None."""
        return None

    def names(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    def use_cases(self) -> Sequence[tuple[str, str]]:
        """Return nothing."""
        return ()


class CatalogLibrary:
    """The workflows of a catalog, as compiling sees them."""

    def __init__(self, catalog: Catalog) -> None:
        """Take the catalog."""
        self._catalog = catalog

    def source(self, name: str, version: str | None) -> NestedSource | None:
        """Return a workflow's source, the newest version where none is asked for."""
        try:
            entry = self._catalog.find(f"{name}@{version}" if version else name)
        except UnknownWorkflow:
            return None
        if entry.source is None:
            return None
        plan = self._catalog.plan(entry) if entry.plan is not None else None
        return NestedSource(
            name=entry.name,
            version=entry.version,
            data=entry.read_source(),
            path=str(entry.source),
            plan=plan,
        )

    def names(self) -> Sequence[str]:
        """Return the names of all workflows."""
        return self._catalog.names

    def use_cases(self) -> Sequence[tuple[str, str]]:
        """Return (workflow name, use case) of all compiled workflows."""
        found: list[tuple[str, str]] = []
        for entry in self._catalog.entries:
            if entry.plan is None:
                continue
            metadata = mapping(self._catalog.plan(entry)["metadata"])
            texts = mapping(metadata["embedding"])["use_cases"]
            found += [(entry.name, str(text)) for text in texts] if isinstance(texts, list) else []
        return found
