"""Plans and keys that the tests of this folder start from."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path

from naftiko.values import JsonObject
from naftiko.workflow.plan.canonical import checksum, file_bytes
from naftiko.workflow.plan.signing import SigningKey, key_id_of, sign
from naftiko.workflow.plan.trust import TrustedKey, TrustStore

HERE = Path(__file__).parent
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)


def rds() -> JsonObject:
    plan: JsonObject = json.loads((HERE / "rds.plan.json").read_text())
    return plan


def small() -> JsonObject:
    """A plan of one wait, for tests that try every bit."""
    plan = rds()
    operation: JsonObject = {
        "step_id": "pause",
        "op": "WAIT",
        "guard": None,
        "timeout": 60,
        "on_error": "fail",
        "next_step": None,
        "at": ["small_plan@1.0", 4],
        "seconds": 5,
    }
    metadata = plan["metadata"]
    assert isinstance(metadata, dict)
    metadata.update(
        tier="community", risk_score=0, risk=[], max_duration=60, read_only=True, services=[]
    )
    metadata.update(required_permissions=[], advisory_permissions=[])
    plan.update(
        workflow_id="small_plan_v1_0",
        name="small_plan",
        parameters=[],
        execution_plan=[operation],
        rollback=[],
        outputs={},
    )
    return summed(plan)


def summed(plan: JsonObject) -> JsonObject:
    return {**plan, "checksum": checksum(plan)}


def changed(plan: JsonObject, path: list[str | int], value: object) -> JsonObject:
    """Return a copy with another value at a place; `...` removes what is there."""
    plan = copy.deepcopy(plan)
    place: object = plan
    for part in path[:-1]:
        place = place[part]  # type: ignore[index]  # the path is the test's
    if value is ...:
        del place[path[-1]]  # type: ignore[attr-defined]  # likewise
    else:
        place[path[-1]] = value  # type: ignore[index]  # likewise
    return plan


def key(name: str, seed: int) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    raw = private.public_key().public_bytes_raw()
    return SigningKey(key_id=key_id_of(name, raw), public_key=raw, private=private)


def trusted(one: SigningKey, roles: tuple[str, ...], tiers: tuple[str, ...]) -> TrustedKey:
    return TrustedKey(
        key_id=one.key_id,
        public_key=one.public_key,
        roles=roles,
        tiers=tiers,
        not_before=START,
        not_after=END,
    )


PUBLISHER = key("labs", 1)
AUDITOR = key("audit", 2)
STRANGER = key("stranger", 3)
ROOT = key("root", 4)
ALL_TIERS = ("community", "verified", "enterprise")


def store() -> TrustStore:
    return TrustStore(
        publishers={
            PUBLISHER.key_id: trusted(PUBLISHER, ("publisher",), ALL_TIERS),
            AUDITOR.key_id: trusted(AUDITOR, ("auditor",), ("enterprise",)),
        }
    )


def signed(plan: JsonObject, *, by: SigningKey = PUBLISHER, role: str = "publisher") -> JsonObject:
    metadata = plan["metadata"]
    assert isinstance(metadata, dict)
    return sign(plan, by, role, str(metadata["tier"]))


def data(plan: JsonObject) -> bytes:
    return file_bytes(plan)
