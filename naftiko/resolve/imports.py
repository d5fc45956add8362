"""Imports of every section read and merged; cycles shown with their path.

Looked for beside the importing file, then in each parent up to the workspace root, never outside.
An adapter or aggregate that is imported brings what its own file consumes, binds and aggregates:
what it calls is looked for in the importing file first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from naftiko.document.nodes import Document
from naftiko.document.reader import load_document
from naftiko.errors import Problems, SpecError, did_you_mean
from naftiko.model.aggregates import Aggregate
from naftiko.model.binds import Bind
from naftiko.model.build import has_capability
from naftiko.model.capability import Capability
from naftiko.model.consumes import Consumes, Import
from naftiko.model.exposes import Exposes
from naftiko.model.repeated import refuse_repeated_names
from naftiko.resolve.files import UnderRoot
from naftiko.resolve.sections import (
    AGGREGATES,
    BINDS,
    CONSUMES,
    EXPOSES,
    Entry,
    Section,
    join_parts,
    name_of,
    renamed,
)

MAX_IMPORT_DEPTH = 16


@dataclass(slots=True, kw_only=True)
class Imported:
    """A capability's entries with all imports read.

    `consumes` and `aggregates` are by namespace. `file_binds` are those of imported files, which
    yield to `binds`, the file's own. `documents` are the imported files by path. `written` are
    the namespaces that imported adapters had in their own files: their `with` names inputs by them.
    """

    consumes: dict[str, Consumes] = field(default_factory=dict)
    exposes: list[Exposes] = field(default_factory=list)
    aggregates: dict[str, Aggregate] = field(default_factory=dict)
    binds: list[Bind] = field(default_factory=list)
    file_binds: list[Bind] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _Brought:
    """A file of which an adapter or an aggregate was imported, and how it was reached."""

    document: Document
    stack: tuple[Path, ...]


@dataclass(slots=True)
class _Importer:
    files: UnderRoot
    problems: Problems
    documents: dict[str, Document] = field(default_factory=dict)
    binds: list[Bind] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    brought: list[_Brought] = field(default_factory=list)
    bound: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    offered: dict[tuple[str, Path], list[Entry]] = field(default_factory=dict)

    def merge(
        self, section: Section, entries: tuple[Entry | Import, ...], stack: tuple[Path, ...]
    ) -> list[Entry]:
        """Return the entries of a section with its imports in their places."""
        found: list[Entry] = []
        for entry in entries:
            if not isinstance(entry, Import):
                found.append(entry)
            elif section is not EXPOSES or not entry.whole_file or self._only_for(entry, stack):
                found += self._follow(section, entry, stack)
        return join_parts(found)

    def _only_for(self, import_: Import, stack: tuple[Path, ...]) -> bool:
        """`imports: [x.yaml]` starts no servers of a file that is a capability itself."""
        path = self._find(BINDS, import_, stack[-1])
        document = self._load(path) if path is not None else None
        return document is not None and not has_capability(document)

    def _follow(self, section: Section, import_: Import, stack: tuple[Path, ...]) -> list[Entry]:
        path = self._find(section, import_, stack[-1])
        if path is None or not self._enter(import_, path, stack):
            return []
        document = self._load(path)
        if document is None:
            return []
        offered = self._offered(section, document, (*stack, path.resolve()))
        return self._pick(section, import_, offered, path)

    def _offered(
        self, section: Section, document: Document, stack: tuple[Path, ...]
    ) -> list[Entry]:
        """Return what a file has, read once: files that import each other twice would multiply."""
        key = (section.name, stack[-1])
        if key not in self.offered:
            entries = section.build(document, self.problems)
            self.offered[key] = self.merge(section, entries, stack)
            self._keep(section, document, stack)
        return self.offered[key]

    def _keep(self, section: Section, document: Document, stack: tuple[Path, ...]) -> None:
        if section is not BINDS and document.path not in self.bound:
            self.bound.add(document.path)
            own = self.merge(BINDS, BINDS.build(document, self.problems), stack)
            self.binds += [bind for bind in own if isinstance(bind, Bind)]
        if section is EXPOSES or section is AGGREGATES:
            self.brought.append(_Brought(document=document, stack=stack))

    def _find(self, section: Section, import_: Import, importer: Path) -> Path | None:
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
        report = self.problems.error if section.must_be_found else self.problems.warn
        message = (
            f"the imported file `{text}` does not exist, neither beside this file nor in a folder "
            f"above it up to {self.files.root}"
        )
        hint = near if near.startswith("did") else section.without
        if "://" in text:
            message = f"the import `{text}` is a URL, and only files are imported"
            hint = "keep a copy of it beside this file"
        elif (importer.parent / text).is_dir():
            message = f"the import `{text}` is a folder"
            hint = "name the file in it"
        report("import-not-found", message, import_.path.location, hint)
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

    def _load(self, path: Path) -> Document | None:
        known = self.documents.get(str(path))
        if known is not None or str(path) in self.broken:
            return known
        try:
            document = load_document(path)
        except SpecError as error:
            self.problems.extend(error.problems)
            self.broken.add(str(path))
            return None
        refuse_repeated_names(document, self.problems)
        self.documents[str(path)] = document
        return document

    def _pick(
        self, section: Section, import_: Import, offered: list[Entry], path: Path
    ) -> list[Entry]:
        if import_.import_ is not None:
            return self._pick_named(section, import_, offered, path)
        if not offered and not import_.whole_file:
            self.problems.warn(
                "import-empty",
                f"`{path.name}` {section.holds_nothing}, so that nothing is imported from it",
                import_.location,
            )
        if import_.as_ and len(offered) == 1:
            return [self._rename(section, offered[0], import_)]
        if import_.as_ and offered:
            self.problems.warn(
                "unsupported-as",
                f"`as: {import_.as_}` has no effect: {len(offered)} entries of `{path.name}` are "
                "imported",
                import_.location,
                "name the one that is meant with `import`",
            )
        self._note_written(offered)
        return offered

    def _pick_named(
        self, section: Section, import_: Import, offered: list[Entry], path: Path
    ) -> list[Entry]:
        wanted = import_.import_
        assert wanted is not None
        names = {name_of(entry): entry for entry in reversed(offered)}
        entry = names.get(wanted.text) or self._part(section, import_, names)
        if entry is not None:
            return [self._rename(section, entry, import_)]
        if len(offered) == 1 and "." not in wanted.text:
            name = import_.as_ or wanted.text
            only = name_of(offered[0])
            self.problems.warn(
                "import-renamed",
                f"`{path.name}` has no namespace `{wanted.text}`; its only one, `{only}`, is "
                f"imported as `{name}`",
                wanted.location,
                f"write `import: {only}` with `as: {name}`",
            )
            return [renamed(offered[0], name)]
        known = [*names, *section.parts(list(names.values()))] if "." in wanted.text else names
        report = self.problems.error if section.must_be_found else self.problems.warn
        report(
            "import-unknown-namespace",
            f"`{path.name}` {section.verb} no namespace `{wanted.text}`"
            if "." not in wanted.text
            else f"`{path.name}` has no `{wanted.text}` among what it {section.verb}",
            wanted.location,
            did_you_mean(wanted.text, known) or f"the file {section.holds_nothing}",
        )
        return []

    def _part(self, section: Section, import_: Import, names: dict[str, Entry]) -> Entry | None:
        """`import: weather.get-forecast` takes one operation of an entry."""
        assert import_.import_ is not None
        namespace, dot, name = import_.import_.text.partition(".")
        entry = names.get(namespace)
        return section.part(entry, name) if dot and entry is not None else None

    def _rename(self, section: Section, entry: Entry, import_: Import) -> Entry:
        self._note_written([entry])
        if import_.as_ is None:
            return entry
        if not getattr(entry, "namespace", ""):
            self.problems.warn(
                "unsupported-as",
                f"`as: {import_.as_}` has no effect: a `{name_of(entry)}` adapter has no namespace",
                import_.location,
                "remove `as`",
            )
            return entry
        return renamed(entry, import_.as_)

    def _note_written(self, entries: list[Entry]) -> None:
        self.written.update(entry.namespace for entry in entries if isinstance(entry, Exposes))

    def bring(self, imported: Imported) -> None:
        """Add what imported adapters and aggregates call in their own files.

        The importing file's own entries come first. Two imported files that mean different things
        by one namespace are an error, for calls of one of them would go astray.
        """
        own = {(CONSUMES.name, name) for name in imported.consumes}
        own |= {(AGGREGATES.name, name) for name in imported.aggregates}
        done: set[str] = set()
        while self.brought:
            brought = self.brought.pop(0)
            if brought.document.path in done:
                continue
            done.add(brought.document.path)
            for section in (AGGREGATES, CONSUMES):
                entries = section.build(brought.document, self.problems)
                for entry in self.merge(section, entries, brought.stack):
                    self._bring(section, entry, imported, own)

    def _bring(
        self, section: Section, entry: Entry, imported: Imported, own: set[tuple[str, str]]
    ) -> None:
        target: dict[str, Consumes] | dict[str, Aggregate]
        target = imported.consumes if section is CONSUMES else imported.aggregates
        earlier = target.get(entry.namespace)
        if earlier is None:
            target[entry.namespace] = entry  # type: ignore[assignment]  # of the same section
            return
        if earlier.location == entry.location:
            return
        if (section.name, entry.namespace) in own:
            self.problems.warn(
                "import-shadowed",
                f"`{entry.namespace}` here is what the importing file {section.verb} under that "
                "namespace, also for what it imports from this file",
                entry.location,
                f"that one stands at {earlier.location}; rename one of them if it is not meant",
            )
            return
        self.problems.error(
            "duplicate-namespace",
            f"two imported files mean different things by the namespace `{entry.namespace}`, so "
            "that calls to it are ambiguous",
            entry.location,
            f"the other one stands at {earlier.location}; rename one",
        )


def resolve_imports(
    capability: Capability, *, importer: Path, files: UnderRoot, problems: Problems
) -> Imported:
    """Read every imported entry of a capability, also imports within imported files."""
    work = _Importer(files, problems)
    stack = (importer.resolve(),)
    whole = capability.whole_files
    consumes = work.merge(CONSUMES, (*capability.consumes, *whole), stack)
    aggregates = work.merge(AGGREGATES, (*capability.aggregates, *whole), stack)
    exposes = work.merge(EXPOSES, (*capability.exposes, *whole), stack)
    binds = work.merge(BINDS, (*capability.binds, *whole), stack)
    _refuse_ambiguous(binds, capability.document.path, problems)
    imported = Imported(
        consumes=dict(_distinct(CONSUMES, consumes, problems)),  # type: ignore[arg-type]  # of one section
        aggregates=dict(_distinct(AGGREGATES, aggregates, problems)),  # type: ignore[arg-type]  # of one section
        exposes=_once(exposes),
        binds=[bind for bind in binds if isinstance(bind, Bind)],
        written=work.written,
        documents=work.documents,
    )
    work.bring(imported)
    imported.file_binds = work.binds
    return imported


def _refuse_ambiguous(binds: list[Entry], own: str, problems: Problems) -> None:
    """An imported bind of a namespace that is taken gives none of its variables another source.

    Within one file the later bind wins, which lets `capability` override the root.
    """
    seen: dict[tuple[str, str], tuple[Bind, object]] = {}
    for bind in binds:
        if not isinstance(bind, Bind) or not bind.namespace:
            continue
        for key in bind.keys:
            uri = bind.uri.text if bind.uri else None
            source = (uri, key.source_key, key.is_optional, key.default, key.is_secret)
            earlier, meant = seen.setdefault((bind.namespace, key.name), (bind, source))
            imported = {own} != {earlier.location.path, bind.location.path}
            if imported and source != meant:
                problems.error(
                    "duplicate-namespace",
                    f"`{bind.namespace}.{key.name}` is bound twice, to different sources",
                    bind.location,
                    f"the other one stands at {earlier.location}; rename one (imports: with `as`)",
                )


def _once(entries: list[Entry]) -> list[Exposes]:
    """Return the adapters, one that is imported twice under one name once."""
    found: dict[tuple[str, object], Exposes] = {}
    for entry in entries:
        if isinstance(entry, Exposes):
            found.setdefault((entry.namespace, entry.location), entry)
    return list(found.values())


def _distinct(
    section: Section, entries: list[Entry], problems: Problems
) -> Iterator[tuple[str, Entry]]:
    seen: dict[str, Entry] = {}
    for entry in entries:
        earlier = seen.setdefault(entry.namespace, entry)
        if earlier is entry:
            yield entry.namespace, entry
        elif earlier.location != entry.location:
            problems.error(
                "duplicate-namespace",
                f"the namespace `{entry.namespace}` {section.twice}",
                entry.location,
                f"the other one stands at {earlier.location}; rename one (imports: with `as`)",
            )
