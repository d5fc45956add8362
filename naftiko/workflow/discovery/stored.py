"""The folder `index` of a catalog: what `naftiko workflow index` writes, and servers start with.

The index itself is `naftiko.search`'s; beside it lies `plans.jsonl`, which says of which plans it
is, and what those say of themselves. Neither is signed, and neither is believed: they decide what
is found, and in which order, not what is true of it.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

from naftiko.search.digests import digest_documents
from naftiko.search.index import Index
from naftiko.search.ports import Embedder
from naftiko.search.storage import INDEX_FILES
from naftiko.workflow.discovery.shelf import Shelf, from_lines, read_shelf, to_lines
from naftiko.workflow.files import write_atomically
from naftiko.workflow.runtime.plans import Plans

FOLDER = "index"
PLANS = "plans.jsonl"
OWN = frozenset((PLANS, *INDEX_FILES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """An index and what it is of, which change together. `is_stored`: read from a folder."""

    index: Index
    shelf: Shelf
    is_stored: bool = False

    @property
    def digest(self) -> str:
        """What changes when workflows, embedder or format do."""
        return self.index.digest


def load(plans: Plans, embedder: Embedder | None) -> Loaded | None:
    """Return the index that lies in a catalog of one folder; None where it is not a current one."""
    if len(plans.catalog.folders) != 1:
        return None
    folder = plans.catalog.folders[0] / FOLDER
    if not folder.is_dir():
        return None
    shelf = from_lines(folder / PLANS, plans)
    if shelf is None:
        return None
    index = Index.load(folder, embedder, digest_documents(shelf.documents))
    return None if index is None else Loaded(index=index, shelf=shelf, is_stored=True)


def build(plans: Plans, embedder: Embedder | None, *, previous: Loaded | None = None) -> Loaded:
    """Make an index of the plans as they lie; texts that `previous` knows are not embedded anew."""
    known = previous.shelf if previous is not None else None
    shelf = read_shelf(plans, known=known)
    if previous is not None and shelf.digest == previous.shelf.digest:
        return Loaded(index=previous.index, shelf=shelf)
    older = previous.index if previous is not None else None
    return Loaded(index=Index.build(shelf.documents, embedder, previous=older), shelf=shelf)


def save(loaded: Loaded, catalog: Path) -> Path:
    """Write an index into the folder of a catalog; returns where it lies.

    The folder is replaced as a whole, so that one with anything else in it is left alone.

    Raises: OSError.
    """
    folder = catalog / FOLDER
    if folder.is_dir() and any(path.name not in OWN for path in folder.iterdir()):
        raise FileExistsError(errno.EEXIST, "it holds files that are of no index", str(folder))
    loaded.index.save(folder)
    write_atomically(folder / PLANS, to_lines(loaded.shelf))
    return folder
