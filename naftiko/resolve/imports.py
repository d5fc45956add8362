"""Imports of `consumes` read and merged; cycles shown with their path.

Looked for beside the importing file, then in each parent up to the workspace root, never outside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from naftiko.document.nodes import Document
from naftiko.document.reader import load_document
from naftiko.errors import Problems, SpecError, did_you_mean
from naftiko.model.binds import Bind
from naftiko.model.build import build_binds, build_consumed
from naftiko.model.consumes import Consumes, Import
from naftiko.resolve.files import UnderRoot
from naftiko.source import Location

MAX_IMPORT_DEPTH = 16


@dataclass(slots=True, kw_only=True)
class Imported:
    """What imports brought: entries by namespace, the binds of their files, and their documents."""

    consumes: dict[str, Consumes] = field(default_factory=dict)
    binds: list[Bind] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)


@dataclass(slots=True)
class _Importer:
    files: UnderRoot
    problems: Problems
    imported: Imported

    def merge(self, entries: tuple[Consumes | Import, ...], stack: tuple[Path, ...]) -> None:
        for entry in entries:
            if isinstance(entry, Import):
                for namespace, found in self._follow(entry, stack):
                    self._add(namespace, found, entry.location)
            else:
                self._add(entry.namespace, entry, entry.location)

    def _add(self, namespace: str, entry: Consumes, location: Location) -> None:
        earlier = self.imported.consumes.setdefault(namespace, entry)
        if earlier is not entry:
            self.problems.error(
                "duplicate-namespace",
                f"the namespace `{namespace}` is consumed twice, so that calls to it are ambiguous",
                location,
                f"the other one stands at {earlier.location}; rename one (imports: with `as`)",
            )

    def _follow(self, import_: Import, stack: tuple[Path, ...]) -> list[tuple[str, Consumes]]:
        path = self._find(import_, stack[-1])
        if path is None or not self._enter(import_, path, stack):
            return []
        document = self._load(import_, path)
        if document is None:
            return []
        inner = _Importer(self.files, self.problems, Imported())
        inner.merge(build_consumed(document, self.problems), (*stack, path.resolve()))
        self._keep(document, inner.imported)
        return self._pick(import_, inner.imported.consumes, path)

    def _keep(self, document: Document, inner: Imported) -> None:
        self.imported.documents[document.path] = document
        self.imported.documents.update(inner.documents)
        self.imported.binds += [*inner.binds, *build_binds(document, self.problems)]

    def _find(self, import_: Import, importer: Path) -> Path | None:
        assert import_.path is not None
        text = import_.path.text.removeprefix("file://")
        found = self.files.find(text, beside=importer.parent, upwards=True)
        if found.path is not None:
            return found.path
        if found.outside is not None:
            self.problems.error(
                "outside-workspace",
                f"the import `{text}` leads outside the workspace root {self.files.root}",
                import_.path.location,
                "move the file under it, or name another root with --workspace",
            )
            return None
        near = did_you_mean(Path(text).name, found.siblings)
        self.problems.warn(
            "import-not-found",
            f"the imported file `{text}` does not exist, neither beside this file nor in a folder "
            f"above it up to {self.files.root}",
            import_.path.location,
            near if near.startswith("did") else "calls to what it defines are not served",
        )
        return None

    def _enter(self, import_: Import, path: Path, stack: tuple[Path, ...]) -> bool:
        real = path.resolve()
        if real in stack:
            cycle = [*stack[stack.index(real) :], real]
            shown = " -> ".join(str(self._relative(step)) for step in cycle)
            self.problems.error(
                "import-cycle", f"the imports form a cycle: {shown}", import_.location
            )
            return False
        if len(stack) > MAX_IMPORT_DEPTH:
            self.problems.error(
                "import-too-deep",
                f"imports are nested more than {MAX_IMPORT_DEPTH} files deep",
                import_.location,
            )
            return False
        return True

    def _relative(self, path: Path) -> Path:
        root = self.files.root.resolve()
        return path.relative_to(root) if path.is_relative_to(root) else path

    def _load(self, import_: Import, path: Path) -> Document | None:
        known = self.imported.documents.get(str(path))
        if known is not None:
            return known
        try:
            return load_document(path)
        except SpecError as error:
            self.problems.extend(error.problems)
            return None

    def _pick(
        self, import_: Import, offered: dict[str, Consumes], path: Path
    ) -> list[tuple[str, Consumes]]:
        if import_.import_ is None:
            if import_.as_ and len(offered) == 1:
                return [(import_.as_, next(iter(offered.values())))]
            return list(offered.items())
        wanted = import_.import_
        name = import_.as_ or wanted.text
        entry = offered.get(wanted.text)
        if entry is not None:
            return [(name, entry)]
        if len(offered) == 1:
            only, entry = next(iter(offered.items()))
            self.problems.warn(
                "import-renamed",
                f"`{path.name}` has no namespace `{wanted.text}`; its only one, `{only}`, is "
                f"imported as `{name}`",
                wanted.location,
                f"write `import: {only}` with `as: {name}`",
            )
            return [(name, entry)]
        self.problems.warn(
            "import-unknown-namespace",
            f"`{path.name}` consumes no namespace `{wanted.text}`",
            wanted.location,
            did_you_mean(wanted.text, offered) or "the file consumes nothing",
        )
        return []


def resolve_imports(
    entries: tuple[Consumes | Import, ...],
    *,
    importer: Path,
    files: UnderRoot,
    problems: Problems,
) -> Imported:
    """Read every imported entry, also imports within imported files."""
    work = _Importer(files, problems, Imported())
    work.merge(entries, (importer.resolve(),))
    return work.imported
