"""Data files of resolution -> ResolutionData: what people call AWS's operations and members.

Spec: section 3. One file a service, `<service>.yaml`, in one or more folders; a later folder's rows
replace those of the same name. A file is read when its service is first asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from naftiko.document.nodes import Mapping
from naftiko.document.reader import parse_document
from naftiko.errors import Problems, SpecError
from naftiko.source import Location
from naftiko.values import JsonValue
from naftiko.workflow.plan.canonical import digest
from naftiko.workflow.resolution.rows import ServiceData

MAX_FILE_BYTES = 512 * 1024
TWO_LEVELS = frozenset({"params", "defaults"})
"""Sections whose rows stand under an operation's name."""


class ResolutionDataError(SpecError):
    """A data file is wrong: a row names what botocore does not know."""


class ResolutionData:
    """The rows of all services. Make it with `load`; it is safe to share."""

    def __init__(self, files: dict[str, tuple[Path, ...]]) -> None:
        """Keep where the files of each service are."""
        self._files = files
        self._read: dict[str, ServiceData] = {}

    @classmethod
    def load(cls, folders: Sequence[Path]) -> ResolutionData:
        """Find the data files in folders; later folders override earlier ones row by row."""
        files: dict[str, tuple[Path, ...]] = {}
        for folder in folders:
            for file in sorted(folder.glob("*.yaml")):
                files[file.stem] = (*files.get(file.stem, ()), file)
        return cls(dict(sorted(files.items())))

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the services that have a file, sorted."""
        return tuple(self._files)

    def service(self, name: str) -> ServiceData:
        """Return the rows of a service, by botocore's name; empty where it has no file.

        Raises: ResolutionDataError.
        """
        found = self._read.get(name)
        if found is None:
            texts = tuple((str(path), path.read_bytes()) for path in self._files.get(name, ()))
            found = self._read[name] = _read(name, texts)
        return found

    def digest_of(self, services: Iterable[str]) -> str:
        """Return the digest of the data of some services: those that a plan was made with.

        "sha256:" and hex; the same for the same rows, in whichever order, file and folder.
        """
        known = {name: self.service(name).digest for name in services if name in self._files}
        return _digest(dict(known))

    @property
    def digest(self) -> str:
        """The digest of all data. Reads every file."""
        return self.digest_of(self._files)

    def check(self) -> None:
        """Read every file.

        Raises: ResolutionDataError for the first wrong one.
        """
        for name in self._files:
            self.service(name)


@lru_cache(maxsize=512)
def _read(service: str, texts: tuple[tuple[str, bytes], ...]) -> ServiceData:
    from naftiko.workflow.resolution.reading import read_service

    if not texts:
        return ServiceData(service=service, digest=_digest({}))
    merged = Mapping((), Location(texts[0][0]))
    for path, text in texts:
        document = parse_document(text, path, max_bytes=MAX_FILE_BYTES)
        merged = _merged(merged, document.root, depth=2)
    problems = Problems()
    found = read_service(service, merged, problems)
    if problems.errors:
        raise ResolutionDataError(problems)
    content = merged.plain()
    return replace(found, digest=_digest(content))


def _merged(below: Mapping, above: Mapping, depth: int) -> Mapping:
    """Return the entries of both; `above` wins, mappings are merged down to `depth` levels more.

    {actions: {a: A}} and {actions: {b: B}} -> {actions: {a: A, b: B}}
    """
    entries = {key.text: (key, value) for key, value in below.entries}
    for key, value in above.entries:
        old = entries.get(key.text)
        if depth and old is not None and isinstance(old[1], Mapping) and isinstance(value, Mapping):
            # what an operation does (observe, undo, a recipe) is one row, not several
            levels = depth - 1 if depth < 2 or key.text in TWO_LEVELS else 0
            entries[key.text] = (key, _merged(old[1], value, levels))
        else:
            entries[key.text] = (key, value)
    return Mapping(tuple(entries.values()), above.location)


def _digest(content: JsonValue) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return digest(text.encode())
