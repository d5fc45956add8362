"""Capability -> ResolvedCapability: imports merged, variables read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from naftiko.document.nodes import Document
from naftiko.errors import Problems
from naftiko.model.aggregates import Aggregate
from naftiko.model.capability import Capability
from naftiko.model.consumes import Consumes
from naftiko.model.exposes import Exposes
from naftiko.resolve.binds import BoundVariables, resolve_binds
from naftiko.resolve.files import UnderRoot
from naftiko.resolve.imports import resolve_imports
from naftiko.resolve.providers import Surroundings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ResolvedCapability:
    """A capability with everything it refers to at hand. `documents` are the imported files.

    `input_prefixes` are the namespaces before which templates write a caller's input: those of the
    adapters, and those that imported ones have in their own files.
    """

    capability: Capability
    consumes: Mapping[str, Consumes]
    exposes: tuple[Exposes, ...]
    aggregates: Mapping[str, Aggregate]
    input_prefixes: frozenset[str]
    variables: BoundVariables
    root: Path
    documents: Mapping[str, Document]


def resolve_capability(
    capability: Capability,
    *,
    path: Path,
    root: Path,
    environment: Mapping[str, str],
    problems: Problems,
    surroundings: Surroundings | None = None,
) -> ResolvedCapability:
    """Merge the imports and read the variables. Imported files' binds yield to the file's own."""
    files = UnderRoot(root)
    imported = resolve_imports(capability, importer=path, files=files, problems=problems)
    variables = resolve_binds(
        (*imported.file_binds, *imported.binds),
        environment=environment,
        files=files,
        problems=problems,
        surroundings=surroundings,
    )
    return ResolvedCapability(
        capability=capability,
        consumes=imported.consumes,
        exposes=tuple(imported.exposes),
        aggregates=imported.aggregates,
        input_prefixes=frozenset(
            name
            for name in (*imported.written, *(entry.namespace for entry in imported.exposes))
            if name
        ),
        variables=variables,
        root=root,
        documents=imported.documents,
    )
