"""Which plans may run: signatures, tiers, revocation; and that no bit can change unseen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from naftiko.values import JsonObject
from naftiko.workflow.plan.drift import check_drift, check_drift_once
from naftiko.workflow.plan.integrity import IntegrityError, PlanDrift, load_plan, verify
from naftiko.workflow.plan.signing import public_text
from naftiko.workflow.plan.trust import Revocation, TrustStore
from tests.unit.workflow.plan.plans import (
    AUDITOR,
    NOW,
    PUBLISHER,
    ROOT,
    START,
    STRANGER,
    changed,
    data,
    rds,
    signed,
    small,
    store,
    summed,
)


def run(plan: bytes, trust: TrustStore) -> None:
    """Do what comes before the first call."""
    verify(load_plan(plan), trust, now=NOW)


def flipped(content: bytes, byte: int, bit: int) -> bytes:
    return content[:byte] + bytes([content[byte] ^ (1 << bit)]) + content[byte + 1 :]


def test_every_bit_of_a_small_signed_plan_counts() -> None:
    plan, trust = data(signed(small())), store()
    run(plan, trust)
    for byte in range(len(plan)):
        for bit in range(8):
            with pytest.raises(IntegrityError) as caught:
                run(flipped(plan, byte, bit), trust)
            assert caught.value.reason


def test_a_bit_of_every_byte_of_a_large_signed_plan_counts() -> None:
    plan, trust = data(signed(rds())), store()
    run(plan, trust)
    for byte in range(len(plan)):
        with pytest.raises(IntegrityError) as caught:
            run(flipped(plan, byte, (byte * 5 + byte // 8) % 8), trust)
        assert caught.value.reason


@pytest.mark.parametrize("name", ["manifest.json", "publishers.json", "revoked.json"])
@pytest.mark.parametrize("pinned", [True, False], ids=["pinned", "unpinned"])
def test_every_bit_of_trust_data_counts(tmp_path: Path, name: str, pinned: bool) -> None:
    store().save(tmp_path, signer=ROOT)
    root = public_text(ROOT.public_key) if pinned else None
    run(data(signed(small())), TrustStore.load(tmp_path, root=root))
    file = tmp_path / name
    content = file.read_bytes()
    for byte in range(len(content)):
        for bit in range(8):
            file.write_bytes(flipped(content, byte, bit))
            with pytest.raises(IntegrityError) as caught:
                TrustStore.load(tmp_path, root=root)
            assert caught.value.reason
    file.write_bytes(content)
    TrustStore.load(tmp_path, root=root)


def test_cut_and_lengthened_plans_are_refused() -> None:
    plan, trust = data(signed(small())), store()
    for other in (plan[:-2], plan[1:], plan + b"\n", b"", b"\n", plan + plan, b" " * 2**20 + plan):
        with pytest.raises(IntegrityError):
            run(other, trust)
    run(plan[:-1], trust)  # without the line feed it is the same document


def test_signers_are_told() -> None:
    found = verify(signed(rds()), store(), now=NOW)
    assert (found.tier, found.signers, found.is_signed) == ("verified", (PUBLISHER.key_id,), True)


def test_another_document_under_the_same_signature() -> None:
    other = summed(changed(signed(rds()), ["metadata", "max_duration"], 900))
    with pytest.raises(IntegrityError, match="is not one of this plan"):
        verify(other, store(), now=NOW)


def test_checksum_is_computed_again() -> None:
    other = changed(signed(rds()), ["metadata", "max_duration"], 900)
    with pytest.raises(IntegrityError, match="the checksum is not that of the plan"):
        verify(other, store(), now=NOW)


@pytest.mark.parametrize(
    ("dev", "loopback", "hint"),
    [(False, True, "`dev: true`"), (True, False, "`endpoint_url` on this machine")],
)
def test_unsigned(dev: bool, loopback: bool, hint: str) -> None:
    with pytest.raises(IntegrityError, match="not signed") as caught:
        verify(rds(), store(), now=NOW, dev=dev, endpoint_is_loopback=loopback)
    assert hint in caught.value.hint


def test_unsigned_in_development() -> None:
    found = verify(rds(), TrustStore(), now=NOW, dev=True, endpoint_is_loopback=True)
    assert not found.is_signed


def test_a_bad_signature_is_refused_in_development_too() -> None:
    with pytest.raises(IntegrityError, match="the trust store does not know"):
        verify(signed(rds(), by=STRANGER), store(), now=NOW, dev=True, endpoint_is_loopback=True)


def test_every_signature_must_be_known() -> None:
    both = signed(signed(rds()), by=STRANGER)
    with pytest.raises(IntegrityError, match=STRANGER.key_id):
        verify(both, store(), now=NOW)


@pytest.mark.parametrize("days", [-1, 400])
def test_validity_of_keys(days: int) -> None:
    with pytest.raises(IntegrityError, match="is not valid at this time"):
        verify(signed(rds()), store(), now=START + timedelta(days=days))


def test_revoked_key() -> None:
    trust = replace(store(), revoked_keys={PUBLISHER.key_id: Revocation(at=START)})
    with pytest.raises(IntegrityError, match=r"no publisher's signature counts: .* been revoked"):
        verify(signed(rds()), trust, now=NOW)


def test_revoked_plan() -> None:
    plan = signed(rds())
    revoked = {str(plan["checksum"]): Revocation(at=START, reason="deletes too much")}
    trust = replace(store(), revoked_checksums=revoked)
    with pytest.raises(IntegrityError, match="has been revoked: deletes too much"):
        verify(plan, trust, now=NOW)
    with pytest.raises(IntegrityError, match="has been revoked"):
        verify(rds(), trust, now=NOW, dev=True, endpoint_is_loopback=True)


def test_key_without_the_role_or_tier() -> None:
    with pytest.raises(IntegrityError, match="may not sign `verified` plans as auditor"):
        verify(signed(rds(), by=AUDITOR, role="auditor"), store(), now=NOW)


def enterprise() -> JsonObject:
    return summed(changed(rds(), ["metadata", "tier"], "enterprise"))


def test_enterprise_needs_an_auditor() -> None:
    plan = signed(enterprise())
    with pytest.raises(IntegrityError, match="needs an auditor's signature"):
        verify(plan, store(), now=NOW)
    found = verify(signed(plan, by=AUDITOR, role="auditor"), store(), now=NOW)
    assert found.signers == (PUBLISHER.key_id, AUDITOR.key_id)


def test_an_auditor_alone_is_no_publisher() -> None:
    with pytest.raises(IntegrityError, match="no publisher's signature counts"):
        verify(signed(enterprise(), by=AUDITOR, role="auditor"), store(), now=NOW)


def test_one_key_is_not_both() -> None:
    trust = store()
    both = replace(trust.publishers[PUBLISHER.key_id], roles=("publisher", "auditor"))
    plan = signed(signed(enterprise()), role="auditor")
    with pytest.raises(IntegrityError, match="are the same key"):
        verify(plan, replace(trust, publishers={PUBLISHER.key_id: both}), now=NOW)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (["metadata", "max_duration"], 1801, "may take 1800 s, not 1801 s"),
        (["metadata", "risk_score"], 7.1, "at most 7.0, not 7.1"),
        (["metadata", "tier"], "community", "a community plan may take 300 s"),
        (
            ["execution_plan", 0, "access_level"],
            "Permissions management",
            "`rds DescribeDBInstances` only with a rollback",
        ),
    ],
)
def test_signed_plans_stay_inside_their_tier(
    path: list[str | int], value: object, reason: str
) -> None:
    with pytest.raises(IntegrityError, match=reason):
        verify(signed(summed(changed(rds(), path, value))), store(), now=NOW)


def test_community_plans_change_nothing() -> None:
    plan = changed(rds(), ["metadata", "tier"], "community")
    plan = changed(changed(plan, ["metadata", "max_duration"], 60), ["metadata", "risk_score"], 1)
    with pytest.raises(
        IntegrityError, match="a community plan may not call `rds CreateDBSnapshot`"
    ):
        verify(signed(summed(plan)), store(), now=NOW)


def test_signing_needs_the_plans_own_checksum_and_tier() -> None:
    with pytest.raises(IntegrityError, match="the checksum is not that of the plan"):
        signed(changed(rds(), ["description"], "Something else entirely"))
    again = signed(signed(rds()))
    assert again == signed(rds())


def test_no_drift() -> None:
    check_drift(rds())
    check_drift(small())
    check_drift_once(rds())


@pytest.mark.parametrize(
    ("path", "value", "gone"),
    [
        (["service"], "rdz", "rdz"),
        (["operation"], "CreateDBSnapshots", "rds CreateDBSnapshots"),
        (["action"], "create-db-snapshots", "rds CreateDBSnapshot"),
        (["input_mapping", "Nope"], {"lit": 1, "t": "integer"}, "rds CreateDBSnapshot.Nope"),
        (
            ["input_mapping", "Tags"],
            {"list": [{"obj": {"Kex": {"lit": "x", "t": "string"}}}]},
            "rds CreateDBSnapshot.Tags.Kex",
        ),
        (
            ["input_mapping", "Tags"],
            {"lit": [{"Key": "a", "Vaule": "b"}], "t": "list"},
            "rds CreateDBSnapshot.Tags.Vaule",
        ),
        (
            ["output_schema"],
            {"DBSnapshot.Gone": "string"},
            "rds CreateDBSnapshot -> DBSnapshot.Gone",
        ),
        (
            ["idempotency", "observer", "created"],
            "DBSnapshots[0].Made",
            "rds DescribeDBSnapshots -> DBSnapshots[0].Made",
        ),
        (["idempotency"], {"kind": "token", "member": "Tokem"}, "rds CreateDBSnapshot.Tokem"),
    ],
)
def test_drift(path: list[str | int], value: object, gone: str) -> None:
    with pytest.raises(PlanDrift) as caught:
        check_drift(changed(rds(), ["execution_plan", 1, *path], value))
    assert gone in caught.value.gone
    assert "compile it again" in caught.value.hint


def test_drift_of_paging_and_polls() -> None:
    plan = changed(rds(), ["execution_plan", 4, "paginate", "result"], ["Snapshots"])
    plan = changed(plan, ["execution_plan", 4, "paginate", "size"], "PageSize")
    plan = changed(
        plan, ["execution_plan", 2, "call", "output_schema", "DBSnapshots[0].X"], "string"
    )
    with pytest.raises(PlanDrift) as caught:
        check_drift_once(summed(plan))
    assert set(caught.value.gone) == {
        "rds DescribeDBSnapshots -> DBSnapshots[0].X",
        "rds DescribeDBSnapshots.PageSize",
        "rds DescribeDBSnapshots -> Snapshots",
    }
