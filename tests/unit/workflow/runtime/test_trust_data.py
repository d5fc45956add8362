"""Trust data that was taken away, or put back as it was before something was revoked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from naftiko.workflow.plan.signing import public_text
from naftiko.workflow.plan.trust import Revocation, TrustStore
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.policy import Policy, Refused
from tests.unit.workflow.plan.plans import NOW, ROOT, START, store
from tests.unit.workflow.runtime.catalogs import catalog, dedent

SOURCE = dedent("""
    name: listing
    version: "1.0"
    description: "Lists the databases that there are"
    steps:
      - id: list
        type: command
        context: {service: rds, action: DescribeDBInstances}
""")


def plans(root: Path) -> Plans:
    shutil.rmtree(root / "trust")
    store().save(root / "trust", signer=ROOT)
    return Plans(folders=[root], policy=Policy(), root=public_text(ROOT.public_key))


def test_trust_data_of_the_engine_do_not_stand_in_where_a_root_is_set(tmp_path: Path) -> None:
    root = catalog(tmp_path, SOURCE)
    made = plans(root)
    made.runnable("listing", NOW)
    shutil.rmtree(root / "trust")
    with pytest.raises(Refused, match="has no trust data") as refused:
        made.runnable("listing", NOW)
    assert refused.value.type == "IntegrityError"


def test_older_trust_data_do_not_come_back(tmp_path: Path) -> None:
    root = catalog(tmp_path, SOURCE)
    made = plans(root)
    checksum = str(made.runnable("listing", NOW).plan["checksum"])
    folder = root / "trust"
    old = shutil.copytree(folder, tmp_path / "old")
    known = TrustStore.load(folder)
    revoked = {checksum: Revocation(at=START)}
    newer = TrustStore(publishers=known.publishers, revoked_checksums=revoked, serial=known.serial)
    newer.save(folder, signer=ROOT)
    with pytest.raises(Refused):
        made.runnable("listing", NOW)
    shutil.rmtree(folder)
    shutil.copytree(old, folder)
    with pytest.raises(Refused, match="older than those"):
        made.runnable("listing", NOW)
    entry = made.entry_of(checksum)
    assert entry is not None
    assert made.is_revoked_checksum(entry, checksum)
