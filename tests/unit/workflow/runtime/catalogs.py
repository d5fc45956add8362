"""Catalogs made for a test: sources compiled, signed and laid out as section 13 has it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from naftiko.values import JsonObject
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.lowering.lowering import Data
from naftiko.workflow.plan.canonical import file_bytes
from naftiko.workflow.plan.trust import Revocation, TrustStore
from tests.unit.workflow.front.sources import FOLDER
from tests.unit.workflow.plan.plans import signed, store

SEED = (FOLDER / "rds_backup_with_retention.yaml").read_text(encoding="utf-8")


@cache
def data() -> Data:
    return load_data()


@cache
def compiled(source: str) -> JsonObject:
    """Compile a source that has no errors."""
    found = compile_source(source, "source.yaml", data())
    assert found.plan is not None, [f"{one.location.line} {one.message}" for one in found.problems]
    return found.plan


def dedent(source: str) -> str:
    return textwrap.dedent(source).lstrip()


def catalog(folder: Path, *sources: str, is_signed: bool = True) -> Path:
    """Make a catalog that holds these workflows."""
    root = folder / "catalog"
    for source in sources:
        plan = compiled(source)
        metadata = plan["metadata"]
        assert isinstance(metadata, dict)
        home = root / "workflows" / str(metadata["tier"]) / str(plan["name"]) / str(plan["version"])
        home.mkdir(parents=True)
        (home / "source.yaml").write_text(source, encoding="utf-8")
        (home / "plan.json").write_bytes(file_bytes(signed(plan) if is_signed else plan))
    trust(root)
    return root


def trust(
    root: Path,
    revoked: Mapping[str, Revocation] | None = None,
    deprecated: Mapping[str, Revocation] | None = None,
) -> None:
    """Write the trust data of a catalog."""
    folder = root / "trust"
    folder.mkdir(exist_ok=True)
    TrustStore(
        publishers=store().publishers,
        revoked_checksums=dict(revoked or {}),
        deprecated=dict(deprecated or {}),
    ).save(folder)


def revoke(root: Path, source: str) -> None:
    """Revoke the plan of a source."""
    checksum = str(compiled(source)["checksum"])
    trust(root, {checksum: Revocation(at=datetime(2026, 1, 1, tzinfo=UTC), reason="a test")})
