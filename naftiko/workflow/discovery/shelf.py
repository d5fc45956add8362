"""A catalog -> what its workflows say of themselves, read fast: thousands of plans, none verified.

Of each workflow, the newest version that is not revoked. A plan is read once as long as its file
stays the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from naftiko.search.folders import read_at_most
from naftiko.search.ports import Document, Field
from naftiko.values import JsonObject
from naftiko.workflow.catalog import CatalogError, Entry
from naftiko.workflow.discovery.documents import FORMAT, document_of
from naftiko.workflow.plan.walk import mapping, texts
from naftiko.workflow.runtime.plans import Plans

MAX_BYTES = 256 * 1024 * 1024
"""Of the file of a shelf: a larger one would take longer than to read the plans."""

Mark = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a plan says of itself. `mark` is that of its file, None where it comes from an index."""

    entry: Entry
    checksum: str
    services: tuple[str, ...]
    required: tuple[str, ...]
    read_only: bool
    document: Document
    mark: Mark | None = None

    @property
    def risk(self) -> float:
        """0 to 10."""
        return self.document.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The workflows of a catalog by name. `digest` changes with any of their plans."""

    said: Mapping[str, Said] = field(default_factory=dict)
    digest: str = ""

    @property
    def documents(self) -> Sequence[Document]:
        """What is searched."""
        return [one.document for one in self.said.values()]


def read_shelf(plans: Plans, *, known: Shelf | None = None) -> Shelf:
    """Read the plans of a catalog; those that `known` has are not read again.

    What cannot be read is left out.
    """
    before = {one.entry.plan: one for one in known.said.values()} if known is not None else {}
    found: dict[str, Said] = {}
    entries = list(newest(plans))
    for entry in entries:
        said = _said(entry, before.get(entry.plan))
        if said is not None:
            found[entry.name] = said
    return Shelf(said=found, digest=_digest(plans, entries))


def newest(plans: Plans) -> Iterator[Entry]:
    """Yield of each workflow the newest compiled version that is not revoked, by name."""
    for name in plans.catalog.names:
        entry = plans.newest(name)
        if entry is not None:
            yield entry


def _digest(plans: Plans, entries: Iterable[Entry]) -> str:
    """Return what changes with any plan, going by what each says its checksum is."""
    total = hashlib.sha256(f"{FORMAT}\n".encode())
    for entry in entries:
        with suppress(CatalogError):  # it has just gone away
            checksum = plans.catalog.checksum_of(entry)
            total.update(f"{entry.tier} {entry.ref} {checksum}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _said(entry: Entry, known: Said | None) -> Said | None:
    assert entry.plan is not None  # compiled ones only
    try:
        mark = entry.plan_mark()
        if known is not None and known.mark == mark and known.entry.ref == entry.ref:
            return known
        plan = orjson.loads(entry.read_plan())
    except (CatalogError, ValueError):
        return None
    if not isinstance(plan, dict) or plan.get("name") != entry.name:
        return None
    return said_of(entry, plan, mark)


def said_of(entry: Entry, plan: JsonObject, mark: Mark | None = None) -> Said:
    """Return what a plan says of itself."""
    metadata = mapping(plan.get("metadata"))
    return Said(
        entry=entry,
        checksum=str(plan.get("checksum")),
        services=tuple(texts(metadata.get("services"))),
        required=tuple(texts(metadata.get("required_permissions"))),
        read_only=metadata.get("read_only") is True,
        document=document_of(plan),
        mark=mark,
    )


# -- as a file --------------------------------------------------------------------------------


def to_lines(shelf: Shelf) -> bytes:
    """Return a shelf as lines of JSON: `{"plans": digest}`, then a workflow each."""
    lines = [orjson.dumps({"format": FORMAT, "plans": shelf.digest})]
    for name, said in shelf.said.items():
        fields = [[one.name, one.text] for one in said.document.fields]
        says = [said.risk, said.read_only, list(said.services), list(said.required)]
        row = [name, said.checksum, *says, fields]
        lines.append(orjson.dumps(row))
    return b"\n".join(lines) + b"\n"


def from_lines(path: Path, plans: Plans) -> Shelf | None:
    """Return the shelf that a file holds, if it is that of the plans as they lie; else None."""
    try:
        head, *rows = (read_at_most(path, MAX_BYTES) or b"").splitlines()
        told = orjson.loads(head)
        entries = {one.name: one for one in newest(plans)}
        digest = _digest(plans, entries.values())
        if told != {"format": FORMAT, "plans": digest}:
            return None
        said = [_from_row(entries, orjson.loads(row)) for row in rows]
    except (OSError, ValueError, TypeError, LookupError, AttributeError, CatalogError):
        return None  # whatever it is, it is not ours: plans are read instead
    return Shelf(said={one.entry.name: one for one in said}, digest=digest)


def _from_row(entries: Mapping[str, Entry], row: list[object]) -> Said:
    name, checksum, risk, read_only, services, required, fields = row
    entry = entries[str(name)]
    if not (isinstance(fields, list) and isinstance(services, list) and isinstance(required, list)):
        raise TypeError
    made = tuple(Field(str(name), str(text)) for name, text in fields)
    return Said(
        entry=entry,
        checksum=str(checksum),
        services=tuple(str(one) for one in services),
        required=tuple(str(one) for one in required),
        read_only=read_only is True,
        document=Document(id=entry.name, fields=made, rank=float(str(risk))),
    )
