"""An index as a folder: manifest.json, docs.jsonl, lexical.json, lexical.bin, vectors.npy.

The manifest holds the sha256 of the others. A folder may come from anybody: nothing in it is run,
sizes are bounded, and whatever does not fit together is no index.
"""

from __future__ import annotations

import io
import json
import math
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naftiko.search.digests import FORMAT, digest, digest_documents, document_line
from naftiko.search.folders import read_at_most, replace_folder
from naftiko.search.ports import Document, Embedder, Field
from naftiko.search.postings import Postings
from naftiko.search.texts import MAX_FIELDS, Texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAX_MANIFEST = 64 * 1024
_MAX_BYTES = 1024 * 1024 * 1024
_FILES = ("docs.jsonl", "lexical.json", "lexical.bin")
_VECTORS = "vectors.npy"
INDEX_FILES = frozenset(("manifest.json", *_FILES, _VECTORS))
"""What may lie in the folder of an index."""
_ARRAYS = (
    ("numbers", "I"),
    ("ends", "I"),
    ("fields", "I"),
    ("word offsets", "Q"),
    ("word documents", "I"),
    ("word weights", "f"),
    ("part offsets", "Q"),
    ("part documents", "I"),
    ("part weights", "f"),
)
_MAX_WEIGHT = 100.0
"""More than any term weighs, be it in one of a billion documents."""
_TRIES = 3
"""How often a folder is read that is replaced meanwhile."""


class _BadIndexError(Exception):
    """Files do not fit together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What an index consists of."""

    documents: Sequence[Document]
    texts: Texts
    words: Postings
    parts: Postings
    rows: NDArray[np.float32] | None
    embedder: Embedder | None
    documents_digest: str


def save(folder: Path, stored: Stored) -> None:
    """Write the files, at once.

    Raises: OSError.
    """
    arrays = _arrays_of(stored)
    lexical = {
        "words": list(stored.texts.words),
        "stems": list(stored.texts.stems),
        "wordTerms": list(stored.words.terms),
        "partTerms": list(stored.parts.terms),
        "arrays": [len(one) for one in arrays],
    }
    files: dict[str, bytes] = {
        "docs.jsonl": b"".join(document_line(document) for document in stored.documents),
        "lexical.json": json.dumps(lexical, separators=(",", ":")).encode(),
        "lexical.bin": b"".join(_little(one) for one in arrays),
    }
    if stored.rows is not None:
        files[_VECTORS] = _npy(stored.rows)
    manifest = {
        "format": FORMAT,
        "documents": stored.documents_digest,
        "embedder": _embedder_of(stored.embedder),
        "files": {name: digest(data) for name, data in files.items()},
    }
    replace_folder(folder, {**files, "manifest.json": _manifest(manifest)})


def load(folder: Path, embedder: Embedder | None, documents_digest: str | None) -> Stored | None:
    """Return what a folder holds; None if it is of something else, or not whole."""
    before: bytes | None = None
    for _ in range(_TRIES):
        try:
            manifest = read_at_most(folder / "manifest.json", _MAX_MANIFEST)
        except OSError:
            return None
        if manifest is None or manifest == before:
            return None
        try:
            return _load(folder, manifest, embedder, documents_digest)
        except (_BadIndexError, OSError, ValueError, TypeError, KeyError, RecursionError):
            before = manifest
    return None


def _load(
    folder: Path, manifest: bytes, embedder: Embedder | None, documents_digest: str | None
) -> Stored:
    told = json.loads(manifest)
    _check(_manifest(told) == manifest)
    _check(told["format"] == FORMAT and told["embedder"] == _embedder_of(embedder))
    _check(documents_digest is None or told["documents"] == documents_digest)
    names = _FILES if embedder is None else (*_FILES, _VECTORS)
    _check(set(told) == {"format", "documents", "embedder", "files"})
    _check(set(told["files"]) == set(names))
    data = {name: _read(folder / name, told["files"][name]) for name in names}
    documents = [_document(line) for line in data["docs.jsonl"].splitlines()]
    _check(digest_documents(documents) == told["documents"])
    texts, words, parts = _lexical(data["lexical.json"], data["lexical.bin"], len(documents))
    counts = [min(len(document.fields), MAX_FIELDS) for document in documents]
    _check([end - start for start, end in pairwise(texts.fields)] == counts)
    rows = None if embedder is None else _rows(data[_VECTORS], texts, embedder)
    return Stored(
        documents=documents,
        texts=texts,
        words=words,
        parts=parts,
        rows=rows,
        embedder=embedder,
        documents_digest=told["documents"],
    )


def _manifest(told: object) -> bytes:
    return json.dumps(told, indent=2, sort_keys=True).encode() + b"\n"


def _check(right: bool) -> None:
    if not right:
        raise _BadIndexError


def _read(path: Path, expected: str) -> bytes:
    data = read_at_most(path, _MAX_BYTES)
    if data is None or digest(data) != expected:
        raise _BadIndexError
    return data


def _document(line: bytes) -> Document:
    told = json.loads(line)
    fields = tuple(Field(name=name, text=text) for name, text in told["fields"])
    _strings([told["id"], *(text for pair in told["fields"] for text in pair)])
    _check(isinstance(told["rank"], int | float))
    return Document(id=told["id"], fields=fields, rank=told["rank"])


def _lexical(told: bytes, data: bytes, size: int) -> tuple[Texts, Postings, Postings]:
    given: Mapping[str, Any] = json.loads(told)
    made = list(_arrays(given["arrays"], data))
    numbers, ends, fields = made[:3]
    words, stems = _strings(given["words"]), _strings(given["stems"])
    _check(len(words) == len(stems) and max(numbers, default=-1) < len(words))
    _check(len(fields) == size + 1 and _rises(fields, len(ends) - 1) and _rises(ends, len(numbers)))
    texts = Texts(words=words, stems=stems, numbers=numbers, ends=ends, fields=fields)
    return (
        texts,
        _postings(_strings(given["wordTerms"]), made[3:6], size),
        _postings(_strings(given["partTerms"]), made[6:9], size),
    )


def _arrays(lengths: Sequence[object], data: bytes) -> Iterator[array[Any]]:
    start = 0
    for (_, code), length in zip(_ARRAYS, lengths, strict=True):
        if not isinstance(length, int) or length < 0:
            raise _BadIndexError
        made = array(code)
        end = start + length * made.itemsize
        _check(end <= len(data))
        made.frombytes(data[start:end])
        if sys.byteorder == "big":
            made.byteswap()
        start = end
        yield made
    _check(start == len(data))


def _postings(terms: Sequence[str], made: Sequence[array[Any]], size: int) -> Postings:
    offsets, documents, weights = made
    _check(len(offsets) == len(terms) + 1 and _rises(offsets, len(documents)))
    _check(len(documents) == len(weights) and max(documents, default=-1) < size)
    # Others would make scores that are none, and of one document more than of all others.
    _check(math.isfinite(math.fsum(weights)))
    _check(min(weights, default=0.0) >= 0 and max(weights, default=0.0) <= _MAX_WEIGHT)
    return Postings(
        terms={term: number for number, term in enumerate(terms)},
        offsets=offsets,
        documents=documents,
        weights=weights,
        size=size,
    )


def _rises(offsets: array[int], last: int) -> bool:
    return (
        len(offsets) > 0
        and offsets[0] == 0
        and offsets[-1] == last
        and all(one <= other for one, other in pairwise(offsets))
    )


def _strings(given: object) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise _BadIndexError
    return given


def _rows(data: bytes, texts: Texts, embedder: Embedder) -> NDArray[np.float32]:
    """Read an array of this shape and no other: the header is checked before room is made."""
    import numpy as np

    shape = (len(texts.ends) - 1, embedder.dimensions)
    _check(data.startswith(_npy(np.zeros((0, embedder.dimensions), np.float32))[:8]))
    reader = io.BytesIO(data)
    np.lib.format.read_magic(reader)
    found, by_columns, kind = np.lib.format.read_array_header_1_0(reader)
    _check(found == shape and not by_columns and kind == np.dtype("<f4"))
    _check(len(data) - reader.tell() == shape[0] * shape[1] * 4)
    rows = np.frombuffer(data, dtype="<f4", offset=reader.tell()).reshape(shape)
    # Of length 1, or 0 for a text that says nothing; written so that NaN is refused.
    _check(bool((np.abs(rows) <= 1.01).all()))
    _check(bool((np.linalg.norm(rows, axis=1) <= 1.01).all()))
    return rows.astype(np.float32, copy=False)


def _npy(rows: NDArray[np.float32]) -> bytes:
    import numpy as np

    written = io.BytesIO()
    np.lib.format.write_array(written, rows.astype("<f4", copy=False), (1, 0), allow_pickle=False)
    return written.getvalue()


def _arrays_of(stored: Stored) -> list[array[Any]]:
    texts, words, parts = stored.texts, stored.words, stored.parts
    return [
        texts.numbers,
        texts.ends,
        texts.fields,
        *(words.offsets, words.documents, words.weights),
        *(parts.offsets, parts.documents, parts.weights),
    ]


def _little(values: array[Any]) -> bytes:
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def _embedder_of(embedder: Embedder | None) -> dict[str, object] | None:
    if embedder is None:
        return None
    return {"id": embedder.id, "digest": embedder.digest, "dimensions": embedder.dimensions}
