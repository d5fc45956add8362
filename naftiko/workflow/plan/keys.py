"""Key files: `keys gen`, `keys add`, `keys list`.

A private key is a PKCS8 PEM file that only its owner may read; beside it lies `NAME.pub.json`, the
part to hand out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from naftiko.errors import StartError
from naftiko.values import JsonObject
from naftiko.workflow.files import create_only, read_limited, write_atomically
from naftiko.workflow.plan.canonical import CanonicalError, file_bytes, parse_file
from naftiko.workflow.plan.schema import ROLES, TIERS
from naftiko.workflow.plan.signing import (
    SigningKey,
    key_id_of,
    need_cryptography,
    public_text,
    read_public_text,
)
from naftiko.workflow.plan.trust import REVIEWER_ROLES, TrustedKey, TrustStore

PUBLIC_FORMAT = "naftiko.public-key/1"
PRIVATE_SUFFIX = ".key.pem"
PUBLIC_SUFFIX = ".pub.json"
MAX_KEY_BYTES = 16 * 1024
_OTHERS = 0o077
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_@-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """The part of a key that is handed out."""

    key_id: str
    public_key: bytes

    def to_json(self) -> JsonObject:
        """Return it as its file has it."""
        return {
            "format": PUBLIC_FORMAT,
            "key_id": self.key_id,
            "public_key": public_text(self.public_key),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What `keys gen` made."""

    public: PublicKey
    private_path: Path
    public_path: Path


def generate(folder: Path, name: str, *, passphrase: bytes | None = None) -> NewKey:
    """Make a key pair: `NAME.key.pem` (mode 0600, encrypted with a passphrase) and its public part.

    Raises: StartError: the name, a file that is there already, no `cryptography`.
    """
    if _NAME.fullmatch(name) is None:
        raise StartError(
            f"`{name}` cannot name a key", hint="letters, digits, `_`, `-` and `@`, at most 64"
        )
    need_cryptography()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes_raw()
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(_not_empty(passphrase))
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    made = NewKey(
        public=PublicKey(key_id=key_id_of(name, raw), public_key=raw),
        private_path=folder / f"{name}{PRIVATE_SUFFIX}",
        public_path=folder / f"{name}{PUBLIC_SUFFIX}",
    )
    try:
        create_only(made.private_path, pem)
    except FileExistsError:
        raise StartError(
            f"`{made.private_path}` is there already", hint="a key is never overwritten"
        ) from None
    write_atomically(made.public_path, file_bytes(made.public.to_json()))
    return made


def passphrase_from(variable: str | None, environ: Mapping[str, str]) -> bytes | None:
    """Return the passphrase that an environment variable holds; None without a variable.

    Raises: StartError: it is not set.
    """
    if variable is None:
        return None
    value = environ.get(variable)
    if not value:
        raise StartError(f"the environment variable `{variable}` holds no passphrase")
    return value.encode()


def read_private(path: Path, *, passphrase: bytes | None = None) -> SigningKey:
    """Return the key of a file. Its name without `.key.pem` is part of the key's id.

    Raises: StartError: not there, readable by others, no Ed25519 key, wrong passphrase.
    """
    need_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if path.stat().st_mode & _OTHERS:
            raise StartError(
                f"`{path}` can be read by others than its owner", hint=f"chmod 600 {path}"
            )
        data = read_limited(path, MAX_KEY_BYTES)
    except OSError as error:
        raise StartError(f"the key `{path}` cannot be read: {error.strerror}") from None
    try:
        private = load_pem_private_key(data, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        hint = "is the passphrase right?" if passphrase is not None else "has it a passphrase?"
        raise StartError(f"`{path}` is no private key that could be read", hint=hint) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise StartError(f"`{path}` is no Ed25519 key")
    raw = private.public_key().public_bytes_raw()
    name = path.name.removesuffix(PRIVATE_SUFFIX).removesuffix(".pem")
    return SigningKey(key_id=key_id_of(name, raw), public_key=raw, private=private)


def read_public(path: Path) -> PublicKey:
    """Return the public part that `keys gen` wrote.

    Raises: StartError.
    """
    try:
        document = parse_file(read_limited(path, MAX_KEY_BYTES))
        if document.get("format") != PUBLIC_FORMAT:
            message = f"expected the format `{PUBLIC_FORMAT}`"
            raise ValueError(message)
        raw = read_public_text(str(document.get("public_key")))
        key_id = str(document.get("key_id"))
        if key_id != key_id_of(key_id.rpartition(".")[0], raw):
            raise ValueError("the key_id is not that of the key")
    except OSError as error:
        raise StartError(f"the key `{path}` cannot be read: {error.strerror}") from None
    except (CanonicalError, ValueError) as error:
        raise StartError(f"`{path}` is no public key: {error}") from None
    return PublicKey(key_id=key_id, public_key=raw)


def add(
    trust_folder: Path,
    public: PublicKey,
    *,
    roles: tuple[str, ...],
    tiers: tuple[str, ...] = (),
    not_before: datetime,
    not_after: datetime | None = None,
    root: str | None = None,
    signer: SigningKey | None = None,
) -> TrustStore:
    """Trust a key from now on: as publisher or auditor of plans, or as a reviewer.

    `root` is the public root key with which the present trust data must be signed, `signer` the
    private one that signs the new.

    Raises: StartError: the roles; IntegrityError: the trust data as it is.
    """
    _check_roles(roles, tiers)
    store = TrustStore.load(trust_folder, root=root)
    key = TrustedKey(
        key_id=public.key_id,
        public_key=public.public_key,
        roles=roles,
        tiers=tiers,
        not_before=not_before,
        not_after=not_after,
    )
    if tiers:
        changed = replace(store, publishers={**store.publishers, key.key_id: key})
    else:
        changed = replace(store, reviewers={**store.reviewers, key.key_id: key})
    return changed.save(trust_folder, signer=signer)


def list_keys(store: TrustStore, now: datetime) -> list[JsonObject]:
    """Return what `keys list` shows: each key, its `state` (valid, expired, early, revoked)."""
    rows = []
    for kind, keys in (("publishers", store.publishers), ("reviewers", store.reviewers)):
        for key_id in sorted(keys):
            key = keys[key_id]
            row: JsonObject = {"key_id": key_id, "list": kind, **key.to_json()}
            row["state"] = _state(key, store, now)
            rows.append(row)
    return rows


def _state(key: TrustedKey, store: TrustStore, now: datetime) -> str:
    if key.key_id in store.revoked_keys:
        return "revoked"
    if key.is_valid_at(now):
        return "valid"
    return "early" if now < key.not_before else "expired"


def _check_roles(roles: tuple[str, ...], tiers: tuple[str, ...]) -> None:
    known = ROLES if tiers else REVIEWER_ROLES
    for role in roles:
        if role not in known:
            kind = "for plans (with tiers)" if tiers else "for reviews (without tiers)"
            raise StartError(f"`{role}` is no role {kind}", hint=f"roles: {', '.join(known)}")
    for tier in tiers:
        if tier not in TIERS:
            raise StartError(f"`{tier}` is no tier", hint=f"tiers: {', '.join(TIERS)}")
    if not roles:
        raise StartError("a key without a role signs nothing", hint=f"roles: {', '.join(known)}")


def _not_empty(passphrase: bytes) -> bytes:
    if not passphrase:
        raise StartError("the passphrase is empty")
    return passphrase
