"""The folders in which workflows lie. Spec: section 13.

`workflows/<tier>/<name>/<version>/{source.yaml, plan.json, tests.yaml, README.md}`; beside them
`resolution`, `iam` and `trust`. A folder without these takes those of the catalog that comes with
the engine. A folder without `workflows` may hold plain sources: `backup.yaml` and
`backup/source.yaml`.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from naftiko import resources
from naftiko.document.nodes import Mapping as MappingNode
from naftiko.document.nodes import Scalar
from naftiko.errors import DocumentError, NaftikoError
from naftiko.values import JsonObject
from naftiko.workflow.catalog_files import (
    NAME,
    SOURCE,
    VERSION,
    CatalogError,
    files,
    folders,
    inside,
    read,
)
from naftiko.workflow.catalog_files import mark as mark_of
from naftiko.workflow.catalog_files import stamp as stamp_of
from naftiko.workflow.plan.canonical import MAX_BYTES
from naftiko.workflow.plan.integrity import load_plan
from naftiko.workflow.plan.refused import IntegrityError
from naftiko.workflow.plan.schema import TIERS
from naftiko.workflow.plan.trust import TrustStore
from naftiko.workflow.plan.walk import mapping

__all__ = [
    "MAX_SOURCE_BYTES",
    "MAX_WORKFLOWS",
    "PLAN",
    "README",
    "SHIPPED",
    "SOURCE",
    "TESTS",
    "Catalog",
    "CatalogError",
    "Entry",
    "UnknownWorkflow",
    "shipped",
    "version_key",
]

PLAN, TESTS, README = "plan.json", "tests.yaml", "README.md"
MAX_SOURCE_BYTES = 256 * 1024
MAX_WORKFLOWS = 20_000
SHIPPED = "workflow-catalog"

_SUFFIXES = (".yaml", ".yml")
_PARTS = ("resolution", "iam", "trust")
_NEAR = 3
_MAX_PLANS = 2_000
"""Plans that are kept as read: a megabyte each at most, mostly a hundredth of that."""
_HEAD = 100
_CHECKSUM = re.compile(rb'\{"checksum":"(sha256:[0-9a-f]{64})"')
"""How a plan begins: in the canonical form its checksum comes first."""


class UnknownWorkflow(NaftikoError):  # noqa: N818 - what the caller asked for
    """No workflow of that name, or none of that version. `near` are up to three names like it."""

    def __init__(self, message: str, near: tuple[str, ...] = ()) -> None:
        """Keep what was asked for and what is like it."""
        super().__init__(message)
        self.message = message
        self.near = near

    @property
    def hint(self) -> str:
        """Return "did you mean `x`, `y`?", or ""."""
        names = ", ".join(f"`{name}`" for name in self.near)
        return f"did you mean {names}?" if names else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One version of a workflow. `home` is the folder of its own files, `catalog` that of all.

    Paths of files that are not there are None; a plain source has neither tests nor README.
    """

    name: str
    version: str
    tier: str
    home: Path
    catalog: Path
    source: Path | None = None
    plan: Path | None = None
    tests: Path | None = None
    readme: Path | None = None

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def state(self) -> str:
        """`compiled` or `uncompiled`."""
        return "compiled" if self.plan is not None else "uncompiled"

    def read_source(self) -> bytes:
        """Return the source's bytes.

        Raises: CatalogError: there is none.
        """
        if self.source is None:
            raise CatalogError(f"`{self.ref}` lies in the catalog without its source")
        return read(self.source, MAX_SOURCE_BYTES)

    def read_plan(self) -> bytes:
        """Return the plan's bytes.

        Raises: CatalogError: it has not been compiled.
        """
        if self.plan is None:
            raise CatalogError(
                f"`{self.ref}` has not been compiled", hint=f"naftiko workflow compile {self.name}"
            )
        return read(self.plan, MAX_BYTES + 1)

    def plan_mark(self) -> tuple[int, int, int]:
        """Return what changes when the plan's file does.

        Raises: CatalogError: there is none.
        """
        return mark_of(self.plan or self.home / PLAN)


def version_key(version: str) -> tuple[int, ...]:
    """Return what versions are sorted by: "1.10" comes after "1.9", "1.0.0" after "1.0"."""
    return tuple(int(part) for part in version.split("."))


@dataclass(slots=True, kw_only=True)
class Catalog:
    """All workflows of some folders. Open it with `Catalog.open`."""

    folders: tuple[Path, ...]
    entries: tuple[Entry, ...]
    stamp: str
    _versions: dict[str, tuple[Entry, ...]]
    _plans: dict[Path, tuple[tuple[int, int, int], JsonObject]] = field(default_factory=dict)
    _checksums: dict[Path, tuple[tuple[int, int, int], str]] = field(default_factory=dict)

    @classmethod
    def open(cls, folders: Sequence[Path]) -> Catalog:
        """Return the catalog that lies in these folders.

        Raises: CatalogError: a folder is missing, a name@version stands in two places, a file lies
        outside of its folder, the layout is broken.
        """
        roots = tuple(dict.fromkeys(_folder(folder) for folder in folders))
        stamp = stamp_of(roots)
        found: dict[tuple[str, str], Entry] = {}
        for entry in (entry for root in roots for entry in _entries(root)):
            other = found.setdefault((entry.name, entry.version), entry)
            if other is not entry:
                raise CatalogError(
                    f"`{entry.ref}` lies in `{other.home}` and in `{entry.home}`",
                    hint="a version of a workflow stands once: remove one, or give it a version",
                )
            if len(found) > MAX_WORKFLOWS:
                raise CatalogError(f"more than {MAX_WORKFLOWS} workflows")
        entries = tuple(
            sorted(found.values(), key=lambda one: (one.name, version_key(one.version)))
        )
        versions: dict[str, tuple[Entry, ...]] = {}
        for entry in entries:
            versions[entry.name] = (*versions.get(entry.name, ()), entry)
        return cls(folders=roots, entries=entries, stamp=stamp, _versions=versions)

    def has_changed(self) -> bool:
        """Tell whether files have changed since it was opened: looks at them, reads none."""
        return stamp_of(self.folders) != self.stamp

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all workflows, sorted."""
        return tuple(sorted(self._versions))

    def versions(self, name: str) -> tuple[Entry, ...]:
        """Return the versions of a workflow, the oldest first."""
        return self._versions.get(name, ())

    def find(
        self,
        ref: str,
        *,
        is_revoked: Callable[[Entry], bool] | None = None,
        is_deprecated: Callable[[Entry], bool] | None = None,
    ) -> Entry:
        """Return `name@version`, or of `name` the newest version that is not revoked.

        One that is deprecated is returned only where there is no other.

        A version that is asked for is returned though it be revoked: integrity refuses it, and says
        why.

        Raises: UnknownWorkflow.
        """
        name, _, version = ref.partition("@")
        versions = self.versions(name)
        if not versions:
            raise UnknownWorkflow(f"there is no workflow `{ref[:100]}`", self._near(name))
        if version:
            for entry in versions:
                if entry.version == version:
                    return entry
            near = tuple(entry.ref for entry in reversed(versions[-_NEAR:]))
            raise UnknownWorkflow(f"`{name}` has no version `{version[:30]}`", near)
        left = [one for one in reversed(versions) if is_revoked is None or not is_revoked(one)]
        for entry in left:
            if is_deprecated is None or not is_deprecated(entry):
                return entry
        if left:
            return left[0]
        raise UnknownWorkflow(f"every version of `{name}` has been revoked")

    def _near(self, name: str) -> tuple[str, ...]:
        if len(name) > 100:
            return ()
        close = difflib.get_close_matches(name.lower(), self.names, n=_NEAR, cutoff=0.6)
        words = set(name.lower().replace("-", "_").split("_"))
        related = [one for one in self.names if len(words & set(one.split("_"))) > 1]
        return tuple(dict.fromkeys((*close, *related)))[:_NEAR]

    def plan(self, entry: Entry) -> JsonObject:
        """Return an entry's plan, read once as long as the file stays the same.

        It has been checked but for signatures and revocation. Do not change it.

        Raises: CatalogError; IntegrityError: also where the plan is that of another workflow.
        """
        path = entry.plan or entry.home / PLAN  # of one that is not there `read_plan` tells
        mark = mark_of(path) if entry.plan is not None else (0, 0, 0)
        kept = self._plans.get(path)
        if kept is not None and kept[0] == mark:
            return kept[1]
        plan = load_plan(entry.read_plan())
        own = (plan["name"], plan["version"], mapping(plan["metadata"])["tier"])
        if own != (entry.name, entry.version, entry.tier):
            raise IntegrityError(
                f"`{entry.ref}` of {entry.tier} holds the plan of {own[2]} `{own[0]}@{own[1]}`"
            )
        if len(self._plans) >= _MAX_PLANS:
            self._plans.clear()
        self._plans[path] = (mark, plan)
        return plan

    def checksum_of(self, entry: Entry) -> str:
        """Return what a plan says its checksum is, without reading on; "" where it says none.

        Nobody has verified it: that takes `plan`.

        Raises: CatalogError.
        """
        path = entry.plan or entry.home / PLAN
        mark = mark_of(path)
        known = self._checksums.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        try:
            with path.open("rb") as file:
                found = _CHECKSUM.match(file.read(_HEAD))
        except OSError as error:
            raise CatalogError(f"`{path}` cannot be read: {error.strerror}") from None
        checksum = found[1].decode() if found else ""
        self._checksums[path] = (mark, checksum)
        return checksum

    def trust(self, entry: Entry, *, root: str | None = None) -> TrustStore:
        """Return whom an entry's plan is believed: the trust data of its folder.

        What any other folder's trust data revokes is revoked as well. `root` is the owner's public
        key, which must have signed them; those that come with the engine are part of it.

        Raises: IntegrityError.
        """
        own = self._trust_folder(entry.catalog)
        if root is not None:
            # Those of the engine would stand in for data, and revocations, that were taken away.
            for folder in self.folders:
                if not (folder / "trust").is_dir() and not _is_shipped(folder):
                    raise IntegrityError(f"`{folder.name}` has no trust data, and a root is set")
        store = _load_trust(own, root)
        others = {self._trust_folder(folder) for folder in self.folders} - {own}
        for other in sorted(folder for folder in others if folder is not None):
            store = store.with_revocations(_load_trust(other, root))
        return store

    def trust_stamp(self) -> str:
        """Return what changes when trust data do: looks at a handful of files, reads none."""
        folders = {self._trust_folder(folder) for folder in self.folders}
        total = hashlib.sha256()
        for folder in sorted(folder for folder in folders if folder is not None):
            for path in sorted(folder.glob("*.json")):
                total.update(f"{path}\0{mark_of(path)}\n".encode())
        return total.hexdigest()

    def _trust_folder(self, folder: Path) -> Path | None:
        own = folder / "trust"
        return own if own.is_dir() else shipped("trust")


def shipped(part: str | None = None) -> Path | None:
    """Return the catalog that comes with the engine, or a part of it: "iam"."""
    capabilities = resources.data_folder("capabilities")
    if capabilities is None:
        return None
    folder = capabilities / SHIPPED
    folder = folder / part if part is not None else folder
    return folder if folder.is_dir() else None


def _is_shipped(folder: Path) -> bool:
    own = shipped()
    return own is not None and folder == own.resolve()


def _load_trust(folder: Path | None, root: str | None) -> TrustStore:
    if folder is None:
        return TrustStore()
    return TrustStore.load(folder, root=None if folder == shipped("trust") else root)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise CatalogError(f"the catalog `{path}` is no folder")
    root = path.resolve()
    for part in _PARTS:
        inside(root / part, root)
    return root


def _entries(root: Path) -> Iterator[Entry]:
    workflows = inside(root / "workflows", root)
    if not workflows.is_dir():
        yield from _plain_entries(root)
        return
    for tier in folders(workflows, root):
        if tier.name not in TIERS:
            raise CatalogError(f"`{tier}` is named for no tier", hint=f"tiers: {', '.join(TIERS)}")
        for name in folders(tier, root):
            _named(name, NAME, "workflow")
            for version in folders(name, root):
                _named(version, VERSION, "version")
                entry = _entry(version, name.name, version.name, tier.name, root)
                if entry is not None:
                    yield entry


def _named(path: Path, pattern: re.Pattern[str], what: str) -> None:
    if pattern.fullmatch(path.name) is None:
        raise CatalogError(f"`{path}` has no name that a {what} may have")


def _entry(home: Path, name: str, version: str, tier: str, root: Path) -> Entry | None:
    found = files(home, (SOURCE, PLAN, TESTS, README), root)
    source, plan = found.get(SOURCE), found.get(PLAN)
    if source is None and plan is None:
        return None
    return Entry(
        name=name,
        version=version,
        tier=tier,
        home=home,
        catalog=root,
        source=source,
        plan=plan,
        tests=found.get(TESTS),
        readme=found.get(README),
    )


def _plain_entries(root: Path) -> Iterator[Entry]:
    """Yield the sources that lie in a folder without the layout, if they tell their name."""
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in _PARTS:
            continue
        source = path / SOURCE if path.is_dir() else path
        if source.suffix not in _SUFFIXES or source.name == TESTS or not source.is_file():
            continue
        told = _told(inside(source, root))
        if told is None:
            continue
        name, version, tier = told
        if path.is_dir():
            found = _entry(path, name, version, tier, root)
        else:
            found = Entry(
                name=name, version=version, tier=tier, home=root, catalog=root, source=source
            )
        if found is not None:  # else it went away just now
            yield found


def _told(source: Path) -> tuple[str, str, str] | None:
    """Return name, version and tier of a source; None for other YAML files."""
    from naftiko.document.reader import parse_document

    try:
        text = read(source, MAX_SOURCE_BYTES).decode()
        document = parse_document(text, str(source))
    except (DocumentError, UnicodeDecodeError):
        return None
    root = document.root
    metadata = root.get("metadata")
    tier = _word(metadata, "tier") if isinstance(metadata, MappingNode) else None
    name, version = _word(root, "name"), _word(root, "version") or "1.0"
    if name is None or NAME.fullmatch(name) is None or VERSION.fullmatch(version) is None:
        return None
    return name, version, tier if tier in TIERS else "community"


def _word(node: MappingNode, name: str) -> str | None:
    found = node.get(name)
    return found.text if isinstance(found, Scalar) else None
