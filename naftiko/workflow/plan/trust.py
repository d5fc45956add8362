"""Whom plans are believed: `trust/publishers.json`, `reviewers.json`, `revoked.json`.

Beside them, where something is, `deprecated.json` names plans that still run, though others are
better.

A catalog's `trust/manifest.json` holds the sha256 of each, a serial number, a checksum of its own,
and the signature of the owner's root key. A consumed entry that pins `trust_root` demands that
signature; without it the checksum still refuses whatever changed by accident. All of them are
canonical JSON and a line feed, so that no bit of them can change unseen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.files import read_limited, write_atomically
from naftiko.workflow.plan.canonical import (
    CanonicalError,
    canonical,
    digest,
    file_bytes,
    parse_file,
)
from naftiko.workflow.plan.refused import IntegrityError
from naftiko.workflow.plan.schema import ROLES, TIERS
from naftiko.workflow.plan.signing import (
    ALGORITHM,
    SigningKey,
    fingerprint,
    is_signature_of,
    public_text,
    read_public_text,
)
from naftiko.workflow.plan.walk import mapping, texts
from naftiko.workflow.times import time_text

MANIFEST = "manifest.json"
PUBLISHERS = "publishers.json"
REVIEWERS = "reviewers.json"
REVOKED = "revoked.json"
DEPRECATED = "deprecated.json"
FILES = (PUBLISHERS, REVIEWERS, REVOKED, DEPRECATED)

MANIFEST_FORMAT = "naftiko.trust/1"
KEYS_FORMAT = "naftiko.keys/1"
REVOKED_FORMAT = "naftiko.revoked/1"
DEPRECATED_FORMAT = "naftiko.deprecated/1"

REVIEWER_ROLES = ("community_reviewer", "labs_reviewer", "auditor")
MAX_FILE_BYTES = 4 * 1024 * 1024
_TRIES = 3

_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,83}\.[0-9a-f]{16}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A public key, what it may sign, and when. `tiers` is empty for reviewers."""

    key_id: str
    public_key: bytes
    roles: tuple[str, ...]
    tiers: tuple[str, ...] = ()
    not_before: datetime
    not_after: datetime | None = None

    def is_valid_at(self, now: datetime) -> bool:
        """Tell whether its window includes a time."""
        return self.not_before <= now and (self.not_after is None or now < self.not_after)

    def to_json(self) -> JsonObject:
        """Return it as a file of keys has it."""
        return {
            "public_key": public_text(self.public_key),
            "roles": list(self.roles),
            "tiers": list(self.tiers),
            "not_before": time_text(self.not_before),
            "not_after": time_text(self.not_after) if self.not_after is not None else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """When and why something was revoked."""

    at: datetime
    reason: str = ""

    def to_json(self) -> JsonObject:
        """Return it as `revoked.json` has it."""
        return {"at": time_text(self.at), "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStore:
    """The trust data of a catalog. `serial` grows with every change; `digest` is the manifest's."""

    publishers: Mapping[str, TrustedKey] = field(default_factory=dict)
    reviewers: Mapping[str, TrustedKey] = field(default_factory=dict)
    revoked_keys: Mapping[str, Revocation] = field(default_factory=dict)
    revoked_checksums: Mapping[str, Revocation] = field(default_factory=dict)
    deprecated: Mapping[str, Revocation] = field(default_factory=dict)
    serial: int = 0
    digest: str = ""

    @classmethod
    def load(cls, folder: Path, *, root: str | None = None) -> TrustStore:
        """Return the trust data of a folder; a folder without any trusts nobody.

        `root`, "ed25519:...", is the owner's public key: the manifest must be signed with it.

        Raises: IntegrityError.
        """
        pinned = _root(root)
        for _ in range(_TRIES):
            before = _read(folder, MANIFEST)
            files = {name: _read(folder, name) for name in FILES}
            if _read(folder, MANIFEST) == before:  # else someone was just writing
                break
        if before is None:
            return _without_manifest(folder, files, pinned)
        manifest = _manifest(before, pinned)
        return _store(manifest, files, digest(before))

    def is_revoked(self, checksum: str) -> bool:
        """Tell whether a plan has been revoked."""
        return checksum in self.revoked_checksums

    def deprecation(self, checksum: str) -> Revocation | None:
        """Return why a plan should not be chosen any more, though it runs."""
        return self.deprecated.get(checksum)

    def with_revocations(self, other: TrustStore) -> TrustStore:
        """Return this one, in which what another revokes is revoked as well."""
        return TrustStore(
            publishers=self.publishers,
            reviewers=self.reviewers,
            revoked_keys={**other.revoked_keys, **self.revoked_keys},
            revoked_checksums={**other.revoked_checksums, **self.revoked_checksums},
            deprecated={**other.deprecated, **self.deprecated},
            serial=self.serial,
            digest=self.digest,
        )

    def save(self, folder: Path, *, signer: SigningKey | None = None) -> TrustStore:
        """Write it with the next serial number, signed if a root key is given.

        The manifest is written last: until then readers that pin nothing else see a mismatch, and
        read once more.
        """
        documents = {
            PUBLISHERS: _keys_document(self.publishers),
            REVIEWERS: _keys_document(self.reviewers),
            REVOKED: _revoked_document(self.revoked_keys, self.revoked_checksums),
        }
        if self.deprecated or (folder / DEPRECATED).exists():
            documents[DEPRECATED] = _deprecated_document(self.deprecated)
        contents = {name: file_bytes(document) for name, document in documents.items()}
        manifest: JsonObject = {
            "format": MANIFEST_FORMAT,
            "serial": self.serial + 1,
            "files": {name: digest(data) for name, data in contents.items()},
        }
        manifest["signature"] = _signature(manifest, signer)
        manifest["checksum"] = digest(canonical(manifest))
        for name, data in contents.items():
            write_atomically(folder / name, data)
        write_atomically(folder / MANIFEST, file_bytes(manifest))
        return TrustStore.load(folder)


def parse_time(text: object) -> datetime:
    """Return the time of "2026-01-31T10:00:00Z".

    Raises: ValueError.
    """
    if not isinstance(text, str) or _TIME.fullmatch(text) is None:
        raise ValueError("a time is written as 2026-01-31T10:00:00Z")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _root(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return read_public_text(text)
    except ValueError as error:
        raise IntegrityError(f"the trust root is no public key: {error}") from None


def _read(folder: Path, name: str) -> bytes | None:
    try:
        return read_limited(folder / name, MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _bad(name, f"cannot be read: {error.strerror}") from None


def _bad(name: str, reason: str) -> IntegrityError:
    return IntegrityError(f"trust/{name}: {reason}")


def _without_manifest(
    folder: Path, files: Mapping[str, bytes | None], pinned: bytes | None
) -> TrustStore:
    present = [name for name, data in files.items() if data is not None]
    if present:
        raise _bad(MANIFEST, f"missing, though `{present[0]}` is there")
    if pinned is not None and folder.is_dir():
        raise _bad(MANIFEST, "missing, though a trust root is configured")
    return TrustStore()


def _document(name: str, data: bytes) -> JsonObject:
    try:
        return parse_file(data, max_bytes=MAX_FILE_BYTES)
    except CanonicalError as error:
        raise _bad(name, str(error)) from None


def _members(name: str, document: JsonObject, expected: tuple[str, ...]) -> None:
    if tuple(sorted(document)) != tuple(sorted(expected)):
        raise _bad(name, f"expected the members {', '.join(expected)}")


def _manifest(data: bytes, pinned: bytes | None) -> JsonObject:
    document = _document(MANIFEST, data)
    _members(MANIFEST, document, ("format", "serial", "files", "signature", "checksum"))
    if document["format"] != MANIFEST_FORMAT:
        raise _bad(MANIFEST, f"expected the format `{MANIFEST_FORMAT}`")
    rest = {name: value for name, value in document.items() if name != "checksum"}
    if document["checksum"] != digest(canonical(rest)):
        raise _bad(MANIFEST, "the checksum is not that of the file")
    serial = document["serial"]
    if type(serial) is not int or serial < 1:
        raise _bad(MANIFEST, "the serial number is a whole number from 1")
    if pinned is not None:
        _check_signature(document, pinned)
    return document


def _signed(manifest: JsonObject) -> bytes:
    content = {name: manifest[name] for name in ("format", "serial", "files")}
    return f"{MANIFEST_FORMAT}\n{digest(canonical(content))}".encode()


def _signature(manifest: JsonObject, signer: SigningKey | None) -> JsonValue:
    if signer is None:
        return None
    return {"alg": ALGORITHM, "key_id": signer.key_id, "sig": signer.sign(_signed(manifest))}


def _check_signature(manifest: JsonObject, pinned: bytes) -> None:
    signature = manifest["signature"]
    if signature is None:
        raise _bad(MANIFEST, "not signed, though a trust root is configured")
    given = mapping(signature)
    _members(MANIFEST, given, ("alg", "key_id", "sig"))
    text = given["sig"]
    is_right = given["alg"] == ALGORITHM and isinstance(text, str)
    if not (is_right and is_signature_of(pinned, str(text), _signed(manifest))):
        raise _bad(MANIFEST, "the signature is not one of the configured trust root")


def _store(manifest: JsonObject, files: Mapping[str, bytes | None], total: str) -> TrustStore:
    listed = mapping(manifest["files"])
    for name in listed:
        if name not in FILES:
            raise _bad(MANIFEST, f"lists an unknown file `{name[:60]}`")
    documents: dict[str, JsonObject] = {}
    for name, data in files.items():
        if data is None and name not in listed:
            continue
        if data is None:
            raise _bad(name, "missing, though the manifest lists it")
        if listed.get(name) != digest(data):
            raise _bad(name, "not the file that the manifest lists")
        documents[name] = _document(name, data)
    serial = manifest["serial"]
    assert isinstance(serial, int)  # checked with the manifest
    revoked = _revoked(documents.get(REVOKED))
    return TrustStore(
        publishers=_keys(PUBLISHERS, documents.get(PUBLISHERS), ROLES),
        reviewers=_keys(REVIEWERS, documents.get(REVIEWERS), REVIEWER_ROLES),
        revoked_keys=revoked["keys"],
        revoked_checksums=revoked["checksums"],
        deprecated=_deprecated(documents.get(DEPRECATED)),
        serial=serial,
        digest=total,
    )


def _keys_document(keys: Mapping[str, TrustedKey]) -> JsonObject:
    return {"format": KEYS_FORMAT, "keys": {id_: key.to_json() for id_, key in keys.items()}}


def _revoked_document(
    keys: Mapping[str, Revocation], checksums: Mapping[str, Revocation]
) -> JsonObject:
    return {
        "format": REVOKED_FORMAT,
        "keys": {id_: one.to_json() for id_, one in keys.items()},
        "checksums": {id_: one.to_json() for id_, one in checksums.items()},
    }


def _keys(
    name: str, document: JsonObject | None, roles: tuple[str, ...]
) -> Mapping[str, TrustedKey]:
    if document is None:
        return {}
    _members(name, document, ("format", "keys"))
    if document["format"] != KEYS_FORMAT or not isinstance(document["keys"], dict):
        raise _bad(name, f"expected the format `{KEYS_FORMAT}` and an object of keys")
    return {id_: _key(name, id_, key, roles) for id_, key in document["keys"].items()}


def _key(name: str, id_: str, value: JsonValue, roles: tuple[str, ...]) -> TrustedKey:
    given = mapping(value)
    if _KEY_ID.fullmatch(id_) is None:
        raise _bad(name, f"`{id_[:60]}` is no id of a key")
    _members(name, given, ("public_key", "roles", "tiers", "not_before", "not_after"))
    try:
        key = TrustedKey(
            key_id=id_,
            public_key=read_public_text(str(given["public_key"])),
            roles=_words(given["roles"], roles),
            tiers=_words(given["tiers"], TIERS),
            not_before=parse_time(given["not_before"]),
            not_after=parse_time(given["not_after"]) if given["not_after"] is not None else None,
        )
    except ValueError as error:
        raise _bad(name, f"`{id_}`: {error}") from None
    if not id_.endswith(f".{fingerprint(key.public_key)}"):
        raise _bad(name, f"`{id_}` is not the id of its public key")
    return key


def _words(value: JsonValue, known: tuple[str, ...]) -> tuple[str, ...]:
    words = texts(value)
    if not isinstance(value, list) or len(words) != len(value) or not set(words) <= set(known):
        message = f"expected a list of {', '.join(known)}"
        raise ValueError(message)
    return tuple(words)


def _revoked(document: JsonObject | None) -> dict[str, Mapping[str, Revocation]]:
    if document is None:
        return {"keys": {}, "checksums": {}}
    _members(REVOKED, document, ("format", "keys", "checksums"))
    if document["format"] != REVOKED_FORMAT:
        raise _bad(REVOKED, f"expected the format `{REVOKED_FORMAT}`")
    return {
        name: _revocations(document[name], pattern)
        for name, pattern in (("keys", _KEY_ID), ("checksums", _SHA256))
    }


def _deprecated_document(checksums: Mapping[str, Revocation]) -> JsonObject:
    listed: JsonObject = {id_: one.to_json() for id_, one in checksums.items()}
    return {"format": DEPRECATED_FORMAT, "checksums": listed}


def _deprecated(document: JsonObject | None) -> Mapping[str, Revocation]:
    if document is None:
        return {}
    _members(DEPRECATED, document, ("format", "checksums"))
    if document["format"] != DEPRECATED_FORMAT:
        raise _bad(DEPRECATED, f"expected the format `{DEPRECATED_FORMAT}`")
    return _revocations(document["checksums"], _SHA256, DEPRECATED)


def _revocations(
    value: JsonValue, pattern: re.Pattern[str], file: str = REVOKED
) -> Mapping[str, Revocation]:
    if not isinstance(value, dict):
        raise _bad(file, "expected an object")
    found: dict[str, Revocation] = {}
    for id_, entry in value.items():
        given = mapping(entry)
        _members(file, given, ("at", "reason"))
        if pattern.fullmatch(id_) is None or not isinstance(given["reason"], str):
            raise _bad(file, f"`{id_[:80]}` is no entry")
        try:
            found[id_] = Revocation(at=parse_time(given["at"]), reason=given["reason"])
        except ValueError as error:
            raise _bad(file, f"`{id_}`: {error}") from None
    return found
