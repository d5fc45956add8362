"""`naftiko workflow verify NAME...`: everything that is checked before a plan runs."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import ExitCode
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.catalog import Catalog
from naftiko.workflow.plan.integrity import Verified
from naftiko.workflow.plan.refused import IntegrityError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME|PLAN", help="a workflow, or the path of a plan"
    )
    common.add_all(parser)
    parser.add_argument(
        "--dev", action="store_true", help="let plans without a signature pass, as `run --dev` does"
    )
    common.add_trust_root(parser)
    common.add_catalog(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Verify every plan; 3 if one may not run."""
    catalog = common.open_catalog(arguments)
    if bool(arguments.names) is arguments.all:
        arguments.parser.error("name a workflow, or give --all")
    names = arguments.names or [entry.ref for entry in catalog.entries if entry.plan is not None]
    reports: list[JsonValue] = []
    is_bad = False
    for name in names:
        report = _one(name, catalog, arguments)
        is_bad = is_bad or not report["ok"]
        reports.append(report)
        if not arguments.json:
            _print(report, console)
    if arguments.json:
        common.print_json({"plans": reports}, console)
    return common.GATE_FAILED if is_bad else ExitCode.OK


def _one(name: str, catalog: Catalog, arguments: argparse.Namespace) -> JsonObject:
    try:
        found = _verified(name, catalog, arguments)
    except IntegrityError as error:
        return {
            "workflow": name,
            "ok": False,
            "error": type(error).__name__,
            "reason": str(error),
            "hint": error.hint,
        }
    plan = found.plan
    return {
        "workflow": f"{plan['name']}@{plan['version']}",
        "ok": True,
        "checksum": found.checksum,
        "tier": found.tier,
        "signers": list(found.signers),
    }


def _verified(name: str, catalog: Catalog, arguments: argparse.Namespace) -> Verified:
    from naftiko.workflow.plan.drift import check_drift
    from naftiko.workflow.plan.integrity import load_plan, verify
    from naftiko.workflow.plan.trust import TrustStore
    from naftiko.workflow.security.claims import check_claims

    path = Path(name)
    if path.suffix == ".json" or len(path.parts) > 1:
        plan = load_plan(common.read_file(path))
        folder = catalog.folders[0] / "trust"
        trust = TrustStore.load(folder, root=arguments.trust_root)
    else:
        entry = common.find_entry(name, catalog)
        plan = catalog.plan(entry)
        trust = catalog.trust(entry, root=arguments.trust_root)
    dev = arguments.dev
    found = verify(plan, trust, now=datetime.now(UTC), dev=dev, endpoint_is_loopback=dev)
    check_drift(plan)
    check_claims(plan)
    return found


def _print(report: JsonObject, console: Console) -> None:
    if not report["ok"]:
        console.error(f"{report['workflow']}: {report['reason']}", str(report["hint"]))
        return
    signers = report["signers"]
    by = ", ".join(map(str, signers)) if isinstance(signers, list) and signers else "nobody"
    console.data(
        f"{report['workflow']}: {report['checksum']}, tier {report['tier']}, signed by {by}"
    )
