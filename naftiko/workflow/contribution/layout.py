"""Where a submission's files lie, and how they are read: no link leads anywhere.

`submissions/<name>-<version>-<digest>/{submission.json, source.yaml, tests.yaml, README.md,
report.json, approval.json, rejection.json, reviews/<key>.<role>.json, audits/<sha256>}`. The digest
is of name, version and author; neither name nor version holds a hyphen, so no two share an id.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path

from naftiko.values import JsonObject
from naftiko.workflow.catalog import MAX_SOURCE_BYTES, README, SOURCE, TESTS
from naftiko.workflow.catalog_files import NAME, VERSION
from naftiko.workflow.contribution.people import normal
from naftiko.workflow.contribution.refused import Refused
from naftiko.workflow.files import read_limited, write_atomically
from naftiko.workflow.plan.canonical import (
    CanonicalError,
    canonical,
    digest,
    file_bytes,
    parse_file,
)

SUBMISSIONS = "submissions"
SUBMISSION, REPORT = "submission.json", "report.json"
APPROVAL, REJECTION = "approval.json", "rejection.json"
REVIEWS, AUDITS = "reviews", "audits"
MAX_TESTS_BYTES = 1024 * 1024
MAX_README_BYTES = 256 * 1024
MAX_AUDIT_BYTES = 16 * 1024 * 1024
MAX_REVIEWS = 100

_ID = re.compile(rf"({NAME.pattern})-({VERSION.pattern})-[0-9a-f]{{16}}", re.ASCII)
_DEVICES = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.ASCII)
"""Names of folders that a clone of the catalog could not have on Windows."""

_AUDIT = re.compile(r"[0-9a-f]{64}")

LIMITS = {SOURCE: MAX_SOURCE_BYTES, TESTS: MAX_TESTS_BYTES, README: MAX_README_BYTES}


def submission_id(name: str, version: str, author: str) -> str:
    """Return the id of a submission: the same for the same workflow, version and author."""
    if NAME.fullmatch(name) is None or VERSION.fullmatch(version) is None:
        raise Refused("WF965", f"`{name[:80]}@{version[:40]}` is no name and version")
    if _DEVICES.fullmatch(name) is not None:
        raise Refused("WF965", f"`{name}` is no name of a folder on Windows", hint="rename it")
    whole = digest(canonical([name, version, normal(author)]))
    return f"{name}-{version}-{whole.removeprefix('sha256:')[:16]}"


def check_id(id_: str) -> None:
    """Check that a text is the id of a submission, and so of a folder.

    Raises: Refused.
    """
    if _ID.fullmatch(id_) is None:
        raise Refused(
            "WF965",
            f"`{id_[:120]}` is no id of a submission",
            hint="`naftiko workflow submissions` lists them",
        )


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of a submission in a catalog."""

    catalog: Path
    id: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.catalog / SUBMISSIONS / self.id

    def check(self) -> Home:
        """Return it, unless it lies outside of its catalog, or is a link.

        Raises: Refused.
        """
        check_id(self.id)
        for folder in (self.path.parent, self.path, self.path / REVIEWS, self.path / AUDITS):
            if folder.is_symlink():
                raise Refused("WF965", f"`{self._short(folder)}` is a link", hint="remove it")
            if folder.exists() and not folder.is_dir():
                raise Refused("WF965", f"`{self._short(folder)}` is no folder", hint="remove it")
        if not self.path.resolve().is_relative_to(self.catalog.resolve()):
            raise Refused("WF965", f"`{self._short(self.path)}` leads out of the catalog")
        return self

    @property
    def exists(self) -> bool:
        """Tell whether there is such a submission."""
        return (self.path / SUBMISSION).is_file()

    def read(self, name: str, most: int) -> bytes | None:
        """Return a file's bytes; None where there is none.

        Raises: Refused: it is a link, no file, or too large.
        """
        return read_plainly(self.path / name, most, self._short(self.path / name))

    def record(self, name: str, most: int = MAX_SOURCE_BYTES) -> JsonObject | None:
        """Return a record that the pipeline wrote.

        Raises: Refused: as for `read`; it is not canonical JSON.
        """
        data = self.read(name, most)
        return None if data is None else parse_record(data, self._short(self.path / name))

    def sealed(self, name: str) -> JsonObject | None:
        """Return a record whose checksum is its own: not a bit of it has changed.

        Raises: Refused: as for `record`.
        """
        found = self.record(name)
        if found is not None and found != seal(found):
            raise Refused(
                "WF966",
                f"`{self._short(self.path / name)}` has changed since it was written",
                hint="bring the file back as it was committed, or remove it",
            )
        return found

    def write(self, name: str, document: JsonObject) -> None:
        """Write a record."""
        self.write_bytes(name, file_bytes(document))

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write a file."""
        self.check()
        write_atomically(self.path / name, data)

    def drop(self, name: str) -> None:
        """Remove a file."""
        (self.path / name).unlink(missing_ok=True)

    def reviews(self) -> list[tuple[str, bytes]]:
        """Return (file name, bytes) of all reviews, in the order of their names."""
        folder = self.path / REVIEWS
        if not folder.is_dir():
            return []
        names = sorted(path.name for path in folder.iterdir() if path.suffix == ".json")
        if len(names) > MAX_REVIEWS:
            raise Refused("WF966", f"`{self.id}` has more than {MAX_REVIEWS} reviews")
        found = ((name, self.read(f"{REVIEWS}/{name}", MAX_SOURCE_BYTES)) for name in names)
        return [(name, data) for name, data in found if data is not None]

    def audit(self, sha256: str) -> bytes | None:
        """Return an audit's document by its digest: `sha256:...`."""
        name = sha256.removeprefix("sha256:")
        if _AUDIT.fullmatch(name) is None:
            return None
        return self.read(f"{AUDITS}/{name}", MAX_AUDIT_BYTES)

    def _short(self, path: Path) -> str:
        return str(path.relative_to(self.catalog))


def read_plainly(path: Path, most: int, shown: str) -> bytes | None:
    """Return the bytes of a file that is no link; None where there is none.

    Raises: Refused.
    """
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(mode):
        raise Refused("WF965", f"`{shown}` is no plain file", hint="a link may lead anywhere")
    try:
        data = read_limited(path, most)
    except OSError as error:
        raise Refused("WF966", f"`{shown}` cannot be read: {error.strerror}") from None
    if len(data) > most:
        raise Refused("WF966", f"`{shown}` has more than {most} bytes")
    return data


def parse_record(data: bytes, shown: str) -> JsonObject:
    """Return a record.

    Raises: Refused.
    """
    try:
        return parse_file(data)
    except CanonicalError as error:
        raise Refused("WF966", f"`{shown}` is no record: {error}") from None


def seal(record: JsonObject) -> JsonObject:
    """Return a record with its checksum. It tells of accidents: whoever forges, writes another."""
    rest = {name: value for name, value in record.items() if name != "checksum"}
    return {**rest, "checksum": digest(canonical(rest))}


def homes(catalog: Path) -> list[Home]:
    """Return all submissions of a catalog, sorted by id."""
    folder = catalog / SUBMISSIONS
    if folder.is_symlink():
        raise Refused("WF965", f"`{SUBMISSIONS}` is a link")
    if not folder.is_dir():
        return []
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return [Home(catalog, name) for name in names]
