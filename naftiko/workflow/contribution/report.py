"""What the gates found, as a record: the same inputs give the same bytes. Spec: section 12."""

from __future__ import annotations

from pathlib import Path

from naftiko.values import JsonObject
from naftiko.version import __version__
from naftiko.workflow.catalog import Catalog, Entry
from naftiko.workflow.contribution.gates import run_gates
from naftiko.workflow.contribution.layout import REPORT
from naftiko.workflow.contribution.material import Files, Material, Monotonic, RunTests, Workshop
from naftiko.workflow.files import write_atomically
from naftiko.workflow.plan.canonical import canonical, digest, file_bytes
from naftiko.workflow.plan.walk import mapping

FORMAT = "naftiko.report/1"
_RELIED_UPON = (
    *("submission", "author_key", "revision", "source_sha256", "tests_sha256", "readme_sha256"),
    *("plan_checksum", "report_sha256", "passed"),
)


def make_report(
    material: Material, submission: str = "", author_key: str = "", revision: int = 0
) -> JsonObject:
    """Run the gates, and return the report. It holds no time, no duration and no path outside.

    `author_key` is the author's public key, if they have given one. A workflow that was never
    submitted has the submission "" and the revision 0.
    """
    gates = run_gates(material)
    plan, workflow = material.plan, material.workflow
    metadata = mapping(plan["metadata"]) if plan is not None else {}
    source = mapping(plan["source"]) if plan is not None else {}
    report: JsonObject = {
        "format": FORMAT,
        "submission": submission,
        "name": workflow.name if workflow is not None else None,
        "version": workflow.version if workflow is not None else None,
        "tier": workflow.metadata.tier if workflow is not None else None,
        "author": workflow.metadata.author if workflow is not None else None,
        "author_key": author_key or None,
        "revision": revision,
        "engine": __version__,
        "data": {name: source.get(name) for name in ("botocore", "iam_data", "resolution")},
        **digests(material.files),
        "plan_checksum": plan["checksum"] if plan is not None else None,
        "risk_score": metadata.get("risk_score"),
        "required_permissions": metadata.get("required_permissions", []),
        "passed": all(one.passed for one in gates),
        "gates": [one.to_json() for one in gates],
    }
    return {**report, "report_sha256": report_digest(report)}


def digests(files: Files) -> JsonObject:
    """Return the digests of a contribution's files, as records have them."""
    return {
        "source_sha256": digest(files.source),
        "tests_sha256": digest(files.tests),
        "readme_sha256": digest(files.readme),
    }


def report_digest(report: JsonObject) -> str:
    """Return the digest of a report, which reviews name: of all but this member."""
    rest = {name: value for name, value in report.items() if name != "report_sha256"}
    return digest(canonical(rest))


def is_report(report: JsonObject) -> bool:
    """Tell whether a record has the members of a report that are relied upon."""
    gates = report.get("gates")
    if not isinstance(gates, list) or not {*_RELIED_UPON} <= set(report):
        return False
    passed = report["passed"]
    return isinstance(passed, bool) and all(
        isinstance(one, dict) and isinstance(one.get("gate"), str) and "passed" in one
        for one in gates
    )


def entry_report(
    catalog: Catalog, entry: Entry, *, monotonic: Monotonic, run_tests: RunTests
) -> JsonObject:
    """Return the report of a workflow that stands in a catalog already."""
    shop = Workshop(catalog=catalog, root=entry.catalog, monotonic=monotonic, run_tests=run_tests)
    return make_report(shop.material(entry_files(entry)))


def write_entry_report(
    catalog: Catalog, entry: Entry, *, monotonic: Monotonic, run_tests: RunTests
) -> JsonObject:
    """Write the `report.json` of a workflow beside its plan, and return it."""
    report = entry_report(catalog, entry, monotonic=monotonic, run_tests=run_tests)
    write_atomically(entry.home / REPORT, file_bytes(report))
    return report


def entry_files(entry: Entry) -> Files:
    """Return the files of a workflow of a catalog."""
    return Files(source=entry.read_source(), tests=_bytes(entry.tests), readme=_bytes(entry.readme))


def _bytes(path: Path | None) -> bytes:
    return path.read_bytes() if path is not None else b""
