"""Keeps what is stored unreadable without the key, and tells when it has been touched.

Each execution has its own random key; records are AES-256-GCM under it, bound to the execution,
their number and the plan. The key itself is stored wrapped: by a key from the configuration, or by
KMS. Deleting the wrapped key deletes the execution. Spec: section 6.10.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from naftiko.errors import StartError
from naftiko.extras import require_extra
from naftiko.values import JsonObject
from naftiko.workflow.ports import AwsFailure, AwsRequest, CallAws
from naftiko.workflow.state.store import Execution, Record

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12

_LOCAL = b"\x01"
_KMS = b"\x02"
_MARK_BYTES = 8

Entropy = Callable[[int], bytes]
"""Gives so many unpredictable bytes."""


class StateUnreadable(Exception):  # noqa: N818 - what is the case, not what was done wrong
    """Stored state cannot be read: another key, or it has been changed. None of it may be used."""


class KeyWrapper(Protocol):
    """Keeps the keys of executions. `execution_id` and `checksum` are part of what is kept."""

    async def wrap(self, key: bytes, execution_id: str, checksum: str, /) -> bytes:
        """Return a key in a form that may be stored.

        Raises: AwsFailure (KMS).
        """
        ...

    async def unwrap(self, wrapped: bytes, execution_id: str, checksum: str, /) -> bytes:
        """Return the key.

        Raises: StateUnreadable, AwsFailure (KMS).
        """
        ...


class LocalKey:
    """Wraps with a key from the configuration, AES-256-GCM. Made by `from_text`."""

    def __init__(self, key: bytes, entropy: Entropy = secrets.token_bytes) -> None:
        """Take 32 bytes."""
        if len(key) != KEY_BYTES:
            raise _bad_key(f"it has {len(key)} bytes")
        self._cipher = _cipher(key)
        self._mark = hmac.digest(key, b"naftiko.workflow/key", hashlib.sha256)[:_MARK_BYTES]
        self._entropy = entropy

    @classmethod
    def from_text(cls, text: str, entropy: Entropy = secrets.token_bytes) -> LocalKey:
        """Read 32 bytes in base64, as `NAFTIKO_STATE_KEY` has them.

        Raises: StartError; it never shows the text.
        """
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except (Base64Error, ValueError):
            raise _bad_key("it is not base64") from None
        return cls(key, entropy)

    async def wrap(self, key: bytes, execution_id: str, checksum: str, /) -> bytes:
        """Return mark of the wrapping key, nonce and ciphertext."""
        nonce = self._entropy(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, key, _aad(execution_id, "key", checksum))
        return _LOCAL + self._mark + nonce + sealed

    async def unwrap(self, wrapped: bytes, execution_id: str, checksum: str, /) -> bytes:
        """Return the key.

        Raises: StateUnreadable.
        """
        from cryptography.exceptions import InvalidTag

        if not wrapped.startswith(_LOCAL):
            raise StateUnreadable("its key was not wrapped with a key of the configuration")
        start = 1 + _MARK_BYTES
        if not hmac.compare_digest(wrapped[1:start], self._mark):
            raise StateUnreadable("it was sealed with another state key")
        nonce, sealed = wrapped[start : start + NONCE_BYTES], wrapped[start + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, sealed, _aad(execution_id, "key", checksum))
        except (InvalidTag, ValueError):
            raise StateUnreadable("its key has been changed") from None


class KmsKey:
    """Wraps with a key that never leaves KMS; the encryption context is the execution's id."""

    def __init__(self, call: CallAws, key_id: str, *, timeout_s: float = 10.0) -> None:
        """Take the id, ARN or alias of a symmetric key."""
        self._call = call
        self._key_id = key_id
        self._timeout_s = timeout_s

    async def wrap(self, key: bytes, execution_id: str, checksum: str, /) -> bytes:
        """Return KMS's ciphertext.

        Raises: AwsFailure.
        """
        answer = await self._ask(
            "Encrypt", {"Plaintext": base64.b64encode(key).decode()}, execution_id, checksum
        )
        return _KMS + base64.b64decode(str(answer.get("CiphertextBlob", "")))

    async def unwrap(self, wrapped: bytes, execution_id: str, checksum: str, /) -> bytes:
        """Return the key.

        Raises: StateUnreadable: KMS says that it is another key's or changed; AwsFailure: else.
        """
        if not wrapped.startswith(_KMS):
            raise StateUnreadable("its key was not wrapped by KMS")
        blob = base64.b64encode(wrapped[1:]).decode()
        try:
            answer = await self._ask("Decrypt", {"CiphertextBlob": blob}, execution_id, checksum)
        except AwsFailure as failure:
            if failure.code not in {"InvalidCiphertextException", "IncorrectKeyException"}:
                raise
            raise StateUnreadable("KMS cannot unwrap its key") from None
        key = base64.b64decode(str(answer.get("Plaintext", "")))
        if len(key) != KEY_BYTES:
            raise StateUnreadable("KMS gives a key of the wrong size")
        return key

    async def _ask(
        self, operation: str, members: JsonObject, execution_id: str, checksum: str
    ) -> JsonObject:
        context: JsonObject = {"naftiko:execution": execution_id, "naftiko:plan": checksum}
        request = AwsRequest(
            service="kms",
            operation=operation,
            members={"KeyId": self._key_id, "EncryptionContext": context, **members},
            timeout_s=self._timeout_s,
            mutating=False,
        )
        return (await self._call(request)).output


class Sealing(Protocol):
    """Records of one execution, to bytes and back."""

    def seal(self, record: JsonObject, seq: int, at: float, /) -> Record:
        """Return a record that may be stored."""
        ...

    def head(self, length: int, /) -> bytes:
        """Return the proof that there are so many records."""
        ...

    def open_all(self, row: Execution, records: Sequence[Record], /) -> tuple[JsonObject, ...]:
        """Return all records.

        Raises: StateUnreadable, where any is missing, changed or not in its place.
        """
        ...


class Sealed:
    """AES-256-GCM. The number of records is proven too: a cut tail would repeat calls."""

    def __init__(
        self, key: bytes, execution_id: str, checksum: str, entropy: Entropy = secrets.token_bytes
    ) -> None:
        """Take the execution's key, unwrapped."""
        self._cipher = _cipher(key)
        self._head_key = hmac.digest(key, b"naftiko.workflow/head", hashlib.sha256)
        self._id = execution_id
        self._checksum = checksum
        self._entropy = entropy

    def seal(self, record: JsonObject, seq: int, at: float, /) -> Record:
        """Return a record that may be stored."""
        nonce = self._entropy(NONCE_BYTES)
        blob = self._cipher.encrypt(
            nonce, to_bytes(record), _aad(self._id, str(seq), self._checksum)
        )
        return Record(seq=seq, nonce=nonce, blob=blob, at=at)

    def head(self, length: int, /) -> bytes:
        """Return the proof that there are so many records."""
        text = _aad(self._id, f"length {length}", self._checksum)
        return hmac.digest(self._head_key, text, hashlib.sha256)

    def open_all(self, row: Execution, records: Sequence[Record], /) -> tuple[JsonObject, ...]:
        """Return all records.

        Raises: StateUnreadable.
        """
        from cryptography.exceptions import InvalidTag

        _check_order(row, records)
        if not hmac.compare_digest(row.head, self.head(row.length)):
            raise StateUnreadable("the number of its records has been changed")
        opened = []
        for record in records:
            aad = _aad(self._id, str(record.seq), self._checksum)
            try:
                text = self._cipher.decrypt(record.nonce, record.blob, aad)
            except (InvalidTag, ValueError):
                raise StateUnreadable(f"record {record.seq} has been changed") from None
            opened.append(_from_bytes(text, record.seq))
        return tuple(opened)


class Unsealed:
    """As they are: for the store that never leaves this process's memory."""

    def seal(self, record: JsonObject, seq: int, at: float, /) -> Record:
        """Return the record's text."""
        return Record(seq=seq, nonce=b"", blob=to_bytes(record), at=at)

    def head(self, length: int, /) -> bytes:
        """Nobody else can touch it."""
        return b""

    def open_all(self, row: Execution, records: Sequence[Record], /) -> tuple[JsonObject, ...]:
        """Return all records.

        Raises: StateUnreadable.
        """
        _check_order(row, records)
        return tuple(_from_bytes(record.blob, record.seq) for record in records)


def to_bytes(record: JsonObject) -> bytes:
    """Return the one text of a record: any number or text comes back as it was.

    ASCII, for a lone surrogate has no UTF-8.
    """
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _from_bytes(text: bytes, seq: int) -> JsonObject:
    try:
        record = json.loads(text)
    except ValueError:
        raise StateUnreadable(f"record {seq} is not JSON") from None
    if not isinstance(record, dict):
        raise StateUnreadable(f"record {seq} is not an object")
    return record


def _check_order(row: Execution, records: Sequence[Record]) -> None:
    if len(records) != row.length:
        raise StateUnreadable(f"it has {len(records)} records, and must have {row.length}")
    for seq, record in enumerate(records):
        if record.seq != seq:
            raise StateUnreadable(f"record {seq} is missing")


def _aad(execution_id: str, what: str, checksum: str) -> bytes:
    return f"{execution_id}|{what}|{checksum}".encode()


def _bad_key(what: str) -> StartError:
    return StartError(
        f"`NAFTIKO_STATE_KEY` must be 32 bytes in base64, and {what}",
        hint="make one with `openssl rand -base64 32`",
    )


def _cipher(key: bytes) -> AESGCM:
    missing = require_extra("workflows", "cryptography")
    if missing is not None:
        raise StartError("stored state is encrypted, which needs `cryptography`", hint=missing)
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
