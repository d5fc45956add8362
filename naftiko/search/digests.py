"""What tells two sets of documents, and two indexes, apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from naftiko.search.ports import Document, Embedder

FORMAT = "naftiko-search/1"
"""Changes with whatever changes what is found, or how it is stored."""


def digest_documents(documents: Sequence[Document]) -> str:
    """Return `sha256:...` of documents in whatever order."""
    hashed = hashlib.sha256()
    for document in sorted(documents, key=lambda document: document.id):
        hashed.update(document_line(document))
    return f"sha256:{hashed.hexdigest()}"


def document_line(document: Document) -> bytes:
    """Return a document as a line of JSON."""
    fields = [[field.name, field.text] for field in document.fields]
    given = {"id": document.id, "rank": document.rank, "fields": fields}
    return json.dumps(given, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def digest_index(documents_digest: str, embedder: Embedder | None) -> str:
    """Return the digest of an index."""
    by = ["none", ""] if embedder is None else [embedder.id, embedder.digest]
    return digest(json.dumps([FORMAT, documents_digest, *by]).encode())


def digest(data: bytes) -> str:
    """Return `sha256:...` of bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
