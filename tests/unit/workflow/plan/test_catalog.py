"""Catalog folders: what is found in them, and what is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from naftiko.workflow.catalog import Catalog, CatalogError, UnknownWorkflow, version_key
from naftiko.workflow.files import write_atomically
from naftiko.workflow.plan.integrity import IntegrityError
from naftiko.workflow.plan.trust import Revocation, TrustStore
from tests.unit.workflow.plan.plans import NOW, PUBLISHER, data, rds, signed, store

SOURCE = "name: {name}\nversion: '{version}'\nmetadata:\n  tier: {tier}\n"


def put(
    root: Path, name: str, version: str = "1.0", tier: str = "verified", plan: bytes | None = None
) -> Path:
    home = root / "workflows" / tier / name / version
    home.mkdir(parents=True)
    (home / "source.yaml").write_text(SOURCE.format(name=name, version=version, tier=tier))
    if plan is not None:
        (home / "plan.json").write_bytes(plan)
    return home


def test_layout(tmp_path: Path) -> None:
    home = put(tmp_path, "rds_backup_with_retention", plan=data(signed(rds())))
    (home / "tests.yaml").touch()
    put(tmp_path, "list_buckets", tier="community")
    (tmp_path / "workflows" / "community" / ".hidden").mkdir()
    (tmp_path / "workflows" / "verified" / "empty_one" / "1.0").mkdir(parents=True)
    catalog = Catalog.open([tmp_path])
    assert [(entry.ref, entry.tier, entry.state) for entry in catalog.entries] == [
        ("list_buckets@1.0", "community", "uncompiled"),
        ("rds_backup_with_retention@1.0", "verified", "compiled"),
    ]
    entry = catalog.find("rds_backup_with_retention")
    assert (entry.tests, entry.readme) == (home / "tests.yaml", None)
    assert entry.read_source().startswith(b"name: rds_backup")
    assert catalog.plan(entry) is catalog.plan(entry)
    assert catalog.plan(entry)["checksum"] == rds()["checksum"]
    with pytest.raises(CatalogError, match="has not been compiled"):
        catalog.plan(catalog.find("list_buckets"))


def test_versions_are_ordered_by_number(tmp_path: Path) -> None:
    for version in ("1.9", "1.10", "1.10.1", "0.99"):
        put(tmp_path, "backup", version)
    catalog = Catalog.open([tmp_path])
    assert [one.version for one in catalog.versions("backup")] == ["0.99", "1.9", "1.10", "1.10.1"]
    assert catalog.find("backup").version == "1.10.1"
    assert catalog.find("backup@1.9").version == "1.9"
    newest = catalog.find("backup", is_revoked=lambda entry: version_key(entry.version) > (1, 9))
    assert newest.version == "1.9"
    with pytest.raises(UnknownWorkflow, match="every version of `backup` has been revoked"):
        catalog.find("backup", is_revoked=lambda entry: True)


def test_unknown_names(tmp_path: Path) -> None:
    for name in ("rds_backup", "rds_backup_all", "rds_restore", "s3_backup", "lambda_deploy"):
        put(tmp_path, name)
    catalog = Catalog.open([tmp_path])
    with pytest.raises(UnknownWorkflow, match="there is no workflow `rds_bakup`") as caught:
        catalog.find("rds_bakup")
    assert caught.value.near[0] == "rds_backup"
    assert len(caught.value.near) <= 3
    assert caught.value.hint.startswith("did you mean `rds_backup`")
    with pytest.raises(UnknownWorkflow, match="has no version `9`") as caught:
        catalog.find("rds_backup@9")
    assert caught.value.near == ("rds_backup@1.0",)
    with pytest.raises(UnknownWorkflow) as caught:
        catalog.find("x" * 5_000)
    assert (caught.value.near, caught.value.hint) == ((), "")


def test_a_version_stands_once(tmp_path: Path) -> None:
    put(tmp_path / "a", "backup")
    put(tmp_path / "b", "backup")
    with pytest.raises(CatalogError, match=r"`backup@1.0` lies in .* and in "):
        Catalog.open([tmp_path / "a", tmp_path / "b"])
    assert len(Catalog.open([tmp_path / "a", tmp_path / "a"]).entries) == 1
    put(tmp_path / "a", "backup", tier="community")
    with pytest.raises(CatalogError, match="lies in"):
        Catalog.open([tmp_path / "a"])


@pytest.mark.parametrize("depth", ["workflows", "workflows/verified/backup", "trust", "iam"])
def test_links_out_of_the_folder(tmp_path: Path, depth: str) -> None:
    outside = tmp_path / "outside"
    put(outside, "backup")
    catalog = tmp_path / "catalog"
    (catalog / depth).parent.mkdir(parents=True)
    (catalog / depth).symlink_to(outside)
    with pytest.raises(CatalogError, match="leads out of the catalog"):
        Catalog.open([catalog])


def test_a_linked_file_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    home = put(tmp_path / "catalog", "backup")
    (home / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(CatalogError, match="leads out of the catalog"):
        Catalog.open([tmp_path / "catalog"])


def test_a_link_inside_the_folder(tmp_path: Path) -> None:
    home = put(tmp_path, "backup")
    (home / "notes.md").write_text("x")
    (home / "README.md").symlink_to("notes.md")
    assert Catalog.open([tmp_path]).find("backup").readme == home / "README.md"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("gold/backup/1.0", "is named for no tier"),
        ("verified/Backup/1.0", "has no name that a workflow may have"),
        ("verified/backup/v1", "has no name that a version may have"),
        ("verified/backup/01.0", "has no name that a version may have"),
    ],
)
def test_broken_layout(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "workflows" / path).mkdir(parents=True)
    with pytest.raises(CatalogError, match=reason):
        Catalog.open([tmp_path])


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="is no folder"):
        Catalog.open([tmp_path / "none"])


def test_plain_files(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(SOURCE.format(name="one", version="2.0", tier="verified"))
    (tmp_path / "other.yaml").write_text("just: data\n")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "notes.md").touch()
    (tmp_path / "two_of").mkdir()
    (tmp_path / "two_of" / "source.yaml").write_text("name: two_of\n")
    entries = Catalog.open([tmp_path]).entries
    assert [(one.ref, one.tier, one.state) for one in entries] == [
        ("one@2.0", "verified", "uncompiled"),
        ("two_of@1.0", "community", "uncompiled"),
    ]


def test_plan_of_another_workflow(tmp_path: Path) -> None:
    put(tmp_path, "other_one", plan=data(rds()))
    catalog = Catalog.open([tmp_path])
    with pytest.raises(IntegrityError, match="holds the plan of verified `rds_backup_with_ret"):
        catalog.plan(catalog.find("other_one"))


def test_changes_are_seen(tmp_path: Path) -> None:
    home = put(tmp_path, "rds_backup_with_retention", plan=data(rds()))
    catalog = Catalog.open([tmp_path])
    assert not catalog.has_changed()
    entry = catalog.find("rds_backup_with_retention")
    before = catalog.plan(entry)
    (home / "plan.json").write_bytes(data(signed(rds())))
    assert catalog.has_changed()
    assert catalog.plan(entry) != before
    catalog = Catalog.open([tmp_path])
    (home / "plan.json").unlink()
    assert catalog.has_changed()
    catalog = Catalog.open([tmp_path])
    store().save(tmp_path / "trust")
    assert catalog.has_changed()


def test_with_an_index_folders_are_looked_at_and_not_each_file(tmp_path: Path) -> None:
    home = put(tmp_path, "backup")
    manifest = tmp_path / "index" / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text("{}")
    os.utime(home, ns=(1, 1))
    catalog = Catalog.open([tmp_path])
    (home / "source.yaml").write_text("longer than it was")
    assert not catalog.has_changed()
    os.utime(manifest, ns=(1, 1))
    assert catalog.has_changed()


def test_an_index_hides_no_workflow_that_comes_later(tmp_path: Path) -> None:
    home = put(tmp_path, "backup")
    manifest = tmp_path / "index" / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text("{}")
    os.utime(home, ns=(1, 1))
    catalog = Catalog.open([tmp_path])
    write_atomically(home / "plan.json", b"{}")
    assert catalog.has_changed()
    catalog = Catalog.open([tmp_path])
    put(tmp_path, "restore")
    assert catalog.has_changed()
    catalog = Catalog.open([tmp_path])
    shutil.rmtree(home)
    assert catalog.has_changed()


def test_trust_of_the_own_folder_and_revocations_of_all(tmp_path: Path) -> None:
    put(tmp_path / "a", "rds_backup_with_retention", plan=data(signed(rds())))
    store().save(tmp_path / "a" / "trust")
    total = str(rds()["checksum"])
    TrustStore(revoked_checksums={total: Revocation(at=NOW)}).save(tmp_path / "b" / "trust")
    catalog = Catalog.open([tmp_path / "a", tmp_path / "b"])
    trust = catalog.trust(catalog.find("rds_backup_with_retention"))
    assert PUBLISHER.key_id in trust.publishers
    assert trust.is_revoked(total)
    assert not Catalog.open([tmp_path / "a"]).trust(catalog.entries[0]).is_revoked(total)
