"""Trust data and key files."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from naftiko.errors import StartError
from naftiko.workflow.files import write_atomically
from naftiko.workflow.plan import keys
from naftiko.workflow.plan.canonical import canonical, digest, file_bytes
from naftiko.workflow.plan.integrity import IntegrityError, load_plan, verify
from naftiko.workflow.plan.signing import public_text, read_public_text, sign
from naftiko.workflow.plan.trust import MANIFEST, PUBLISHERS, REVOKED, Revocation, TrustStore
from tests.unit.workflow.plan.plans import END, NOW, PUBLISHER, ROOT, START, STRANGER, rds, store

PINNED = public_text(ROOT.public_key)


def test_a_folder_without_trust_data_trusts_nobody(tmp_path: Path) -> None:
    assert TrustStore.load(tmp_path) == TrustStore()
    assert TrustStore.load(tmp_path / "none") == TrustStore()
    with pytest.raises(IntegrityError, match=r"manifest.json: missing, though a trust root"):
        TrustStore.load(tmp_path, root=PINNED)


def test_round_trip(tmp_path: Path) -> None:
    first = store().save(tmp_path)
    assert first.publishers == store().publishers
    assert first.serial == 1
    revoked = TrustStore(
        publishers=first.publishers,
        revoked_keys={STRANGER.key_id: Revocation(at=NOW, reason="lost")},
        revoked_checksums={"sha256:" + "0" * 64: Revocation(at=NOW)},
        serial=first.serial,
    ).save(tmp_path)
    assert (revoked.serial, set(revoked.revoked_keys)) == (2, {STRANGER.key_id})
    assert revoked.is_revoked("sha256:" + "0" * 64)
    assert store().with_revocations(revoked).is_revoked("sha256:" + "0" * 64)


def test_root(tmp_path: Path) -> None:
    store().save(tmp_path)
    with pytest.raises(IntegrityError, match="not signed, though a trust root is configured"):
        TrustStore.load(tmp_path, root=PINNED)
    store().save(tmp_path, signer=STRANGER)
    with pytest.raises(IntegrityError, match="not one of the configured trust root"):
        TrustStore.load(tmp_path, root=PINNED)
    store().save(tmp_path, signer=ROOT)
    assert TrustStore.load(tmp_path, root=PINNED).publishers
    with pytest.raises(IntegrityError, match="the trust root is no public key"):
        TrustStore.load(tmp_path, root="ed25519:AAAA")


@pytest.mark.parametrize("name", [MANIFEST, PUBLISHERS, REVOKED])
def test_a_missing_file(tmp_path: Path, name: str) -> None:
    store().save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(IntegrityError, match=r"missing, though"):
        TrustStore.load(tmp_path)


def test_an_older_file_is_not_the_listed_one(tmp_path: Path) -> None:
    first = store().save(tmp_path)
    before = (tmp_path / REVOKED).read_bytes()
    TrustStore(
        publishers=first.publishers, revoked_keys={STRANGER.key_id: Revocation(at=NOW)}, serial=1
    ).save(tmp_path)
    (tmp_path / REVOKED).write_bytes(before)
    with pytest.raises(IntegrityError, match=r"trust/revoked.json: not the file"):
        TrustStore.load(tmp_path)


@pytest.mark.parametrize(
    ("key_id", "change", "reason"),
    [
        (PUBLISHER.key_id, {"public_key": "ed25519:AA=="}, "the base64 of 32 bytes"),
        (PUBLISHER.key_id, {"public_key": public_text(STRANGER.public_key)}, "is not the id of"),
        (PUBLISHER.key_id, {"roles": ["king"]}, "expected a list of publisher, auditor"),
        (PUBLISHER.key_id, {"tiers": "all"}, "expected a list of community"),
        (PUBLISHER.key_id, {"not_after": "2026-13-01T00:00:00Z"}, "does not match|month"),
        (PUBLISHER.key_id, {"not_before": "2026-01-01"}, "a time is written as"),
        (PUBLISHER.key_id, {"more": 1}, "expected the members public_key"),
        ("labs", {}, "`labs` is no id of a key"),
    ],
)
def test_wrong_keys(tmp_path: Path, key_id: str, change: dict[str, object], reason: str) -> None:
    store().save(tmp_path)
    document = json.loads((tmp_path / PUBLISHERS).read_text())
    document["keys"] = {key_id: {**document["keys"][PUBLISHER.key_id], **change}}
    content = file_bytes(document)
    (tmp_path / PUBLISHERS).write_bytes(content)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    manifest["files"][PUBLISHERS] = digest(content)
    del manifest["checksum"]
    manifest["checksum"] = digest(canonical(manifest))
    (tmp_path / MANIFEST).write_bytes(file_bytes(manifest))
    with pytest.raises(IntegrityError, match=reason):
        TrustStore.load(tmp_path)


@pytest.mark.parametrize("passphrase", [None, b"a long one"], ids=["plain", "encrypted"])
def test_from_key_to_verified_plan(tmp_path: Path, passphrase: bytes | None) -> None:
    made = keys.generate(tmp_path, "labs", passphrase=passphrase)
    assert stat.S_IMODE(made.private_path.stat().st_mode) == 0o600
    assert b"PRIVATE KEY" in made.private_path.read_bytes()
    public = keys.read_public(made.public_path)
    assert public == made.public
    trust = tmp_path / "trust"
    keys.add(
        trust, public, roles=("publisher",), tiers=("verified",), not_before=START, not_after=END
    )
    key = keys.read_private(made.private_path, passphrase=passphrase)
    assert key.key_id == public.key_id
    assert "private" not in repr(key)
    plan = load_plan(file_bytes(sign(rds(), key, "publisher", "verified")))
    assert verify(plan, TrustStore.load(trust), now=NOW).signers == (public.key_id,)


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    keys.generate(tmp_path, "labs")
    with pytest.raises(StartError, match="is there already"):
        keys.generate(tmp_path, "labs")
    with pytest.raises(StartError, match="cannot name a key"):
        keys.generate(tmp_path, "../labs")


def test_private_keys_that_cannot_be_used(tmp_path: Path) -> None:
    made = keys.generate(tmp_path, "labs", passphrase=b"right")
    for passphrase in (None, b"wrong"):
        with pytest.raises(StartError, match="is no private key that could be read"):
            keys.read_private(made.private_path, passphrase=passphrase)
    made.private_path.chmod(0o644)
    with pytest.raises(StartError, match="can be read by others") as caught:
        keys.read_private(made.private_path)
    assert caught.value.hint.startswith("chmod 600")
    with pytest.raises(StartError, match="cannot be read"):
        keys.read_private(tmp_path / "none.key.pem")


def test_passphrases_come_from_the_environment() -> None:
    assert keys.passphrase_from(None, {}) is None
    assert keys.passphrase_from("PHRASE", {"PHRASE": "x"}) == b"x"
    with pytest.raises(StartError, match="`PHRASE` holds no passphrase"):
        keys.passphrase_from("PHRASE", {})


def test_roles_and_tiers_of_added_keys(tmp_path: Path) -> None:
    public = keys.PublicKey(key_id=PUBLISHER.key_id, public_key=PUBLISHER.public_key)
    with pytest.raises(StartError, match="`publisher` is no role for reviews"):
        keys.add(tmp_path, public, roles=("publisher",), not_before=START)
    with pytest.raises(StartError, match="`gold` is no tier"):
        keys.add(tmp_path, public, roles=("publisher",), tiers=("gold",), not_before=START)
    with pytest.raises(StartError, match="without a role"):
        keys.add(tmp_path, public, roles=(), tiers=("community",), not_before=START)
    found = keys.add(tmp_path, public, roles=("labs_reviewer",), not_before=START)
    assert set(found.reviewers) == {PUBLISHER.key_id}


def test_list_of_keys() -> None:
    rows = keys.list_keys(store(), NOW)
    assert [row["state"] for row in rows] == ["valid", "valid"]
    assert [row["state"] for row in keys.list_keys(store(), END)] == ["expired", "expired"]
    early = keys.list_keys(store(), datetime(2025, 1, 1, tzinfo=UTC))
    assert [row["state"] for row in early] == ["early", "early"]


@pytest.mark.parametrize(
    "text", ["", "ed25519:", "AAAA", "ed25519:" + "A" * 43, "ed25519:" + "A" * 42 + "B="]
)
def test_public_keys_have_one_writing(text: str) -> None:
    with pytest.raises(ValueError, match="a public key is"):
        read_public_text(text)


def test_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b.json", b"1")
    write_atomically(tmp_path / "a" / "b.json", b"2", mode=0o600)
    (only,) = (tmp_path / "a").iterdir()
    assert (only.read_bytes(), stat.S_IMODE(only.stat().st_mode)) == (b"2", 0o600)
    (tmp_path / "a" / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "a" / "folder", b"3")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b.json", "folder"]
