"""Ed25519 signatures of plans and of trust data. Spec: section 5, "Signature"."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naftiko.errors import StartError
from naftiko.extras import require_extra
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.plan.canonical import checksum
from naftiko.workflow.plan.refused import IntegrityError
from naftiko.workflow.plan.schema import FORMAT, ROLES
from naftiko.workflow.plan.walk import mapping, objects

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "ed25519"
KEY_BYTES = 32
_PREFIX = "ed25519:"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key and the id under which others know its public part."""

    key_id: str
    public_key: bytes
    private: Ed25519PrivateKey = field(repr=False)

    def sign(self, data: bytes) -> str:
        """Return a signature, in base64."""
        return base64.b64encode(self.private.sign(data)).decode()


def need_cryptography() -> None:
    """Check that the library is there.

    Raises: StartError: says which extra brings it.
    """
    missing = require_extra("workflows", "cryptography")
    if missing is not None:
        raise StartError("signatures of workflows need the `cryptography` package", hint=missing)


def key_id_of(name: str, public_key: bytes) -> str:
    """Return a key's id, which names the very key: "labs.1f0c9a2b33d4e5f6"."""
    return f"{name}.{fingerprint(public_key)}"


def fingerprint(public_key: bytes) -> str:
    """Return the sixteen letters that tell public keys apart."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def public_text(public_key: bytes) -> str:
    """Return a public key as configuration writes it: "ed25519:AAAA...="."""
    return _PREFIX + base64.b64encode(public_key).decode()


def read_public_text(text: str) -> bytes:
    """Return the bytes of `ed25519:...`, in its one writing.

    Raises: ValueError.
    """
    try:
        raw = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a public key is `ed25519:` and base64") from None
    if len(raw) != KEY_BYTES or public_text(raw) != text:
        raise ValueError(f"a public key is `ed25519:` and the base64 of {KEY_BYTES} bytes")
    return raw


def is_signature_of(public_key: bytes, signature: str, data: bytes) -> bool:
    """Tell whether a signature in base64 is one of the data by that key.

    Raises: StartError without the library.
    """
    need_cryptography()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw = base64.b64decode(signature, validate=True)
        if base64.b64encode(raw).decode() != signature:
            return False
        Ed25519PublicKey.from_public_bytes(public_key).verify(raw, data)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def signed_text(checksum_: str, role: str, tier: str) -> bytes:
    """Return what a signature of a plan is taken over."""
    return f"{FORMAT}\n{checksum_}\n{role}\n{tier}".encode()


def sign(plan: JsonObject, key: SigningKey, role: str, tier: str) -> JsonObject:
    """Return the plan with a signature more; an earlier one of that key and role is replaced.

    Raises: IntegrityError: the checksum or the tier is not the plan's.
    """
    if role not in ROLES:
        raise IntegrityError(f"plans are signed as {' or '.join(ROLES)}, not as `{role}`")
    own_tier = mapping(plan["metadata"])["tier"]
    if tier != own_tier:
        raise IntegrityError(f"the plan's tier is `{own_tier}`, not `{tier}`")
    total = checksum(plan)
    if plan["checksum"] != total:
        raise IntegrityError("the checksum is not that of the plan")
    signature: JsonObject = {
        "key_id": key.key_id,
        "role": role,
        "tier": tier,
        "alg": ALGORITHM,
        "sig": key.sign(signed_text(total, role, tier)),
    }
    others = [
        one
        for one in objects(plan["signatures"])
        if (one["key_id"], one["role"]) != (key.key_id, role)
    ]
    together = sorted([*others, signature], key=lambda one: (str(one["key_id"]), str(one["role"])))
    signatures: list[JsonValue] = list(together)
    return {**plan, "signatures": signatures}
