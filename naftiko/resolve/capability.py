"""Capability -> ResolvedCapability: imports merged, variables read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from naftiko.document.nodes import Document
from naftiko.errors import Problems
from naftiko.model.capability import Capability
from naftiko.model.consumes import Consumes
from naftiko.resolve.binds import BoundVariables, resolve_binds
from naftiko.resolve.files import UnderRoot
from naftiko.resolve.imports import resolve_imports


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedCapability:
    """A capability with everything it refers to at hand. `documents` are the imported files."""

    capability: Capability
    consumes: Mapping[str, Consumes]
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
) -> ResolvedCapability:
    """Merge the imports and read the variables. Imported files' binds yield to the file's own."""
    files = UnderRoot(root)
    imported = resolve_imports(capability.consumes, importer=path, files=files, problems=problems)
    variables = resolve_binds(
        (*imported.binds, *capability.binds),
        environment=environment,
        files=files,
        problems=problems,
    )
    return ResolvedCapability(
        capability=capability,
        consumes=imported.consumes,
        variables=variables,
        root=root,
        documents=imported.documents,
    )
