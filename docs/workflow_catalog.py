"""Publishes every workflow of capabilities/workflow-catalog: `make catalog [KEY=FILE]`.

    python docs/workflow_catalog.py [--key NAME|FILE] [--keys DIR] [--passphrase-env VARIABLE]

Without `--key` it takes the key `naftiko-catalog` of the user's key folder, and makes one where
there is none. Enterprise plans need a second signature, an auditor's: that of
`naftiko-catalog-auditor`, which stands in for one. Afterwards the catalog's trust data name those
two keys; reviewers and revocations are kept. A `report.json` beside each plan says how it came
through the gates. These keys are for development: what they sign nobody else has reviewed.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from naftiko.cli.workflows.key_folder import add_keys, key_folder, key_path, signing_key
from naftiko.cli.workflows.trying import Trial
from naftiko.errors import NaftikoError, Severity, StartError
from naftiko.workflow.catalog import PLAN, Catalog, Entry
from naftiko.workflow.compiler import Compiler, load_data
from naftiko.workflow.contribution.report import write_entry_report
from naftiko.workflow.files import write_atomically
from naftiko.workflow.library import CatalogLibrary
from naftiko.workflow.plan.canonical import canonical
from naftiko.workflow.plan.keys import PRIVATE_SUFFIX, generate
from naftiko.workflow.plan.signing import SigningKey, sign
from naftiko.workflow.plan.trust import MANIFEST, TrustedKey, TrustStore
from naftiko.workflow.plan.walk import objects
from naftiko.workflow.runtime.policy import TIERS

ROOT = Path(__file__).resolve().parent.parent
CATALOG = ROOT / "capabilities" / "workflow-catalog"
KEY, AUDITOR = "naftiko-catalog", "naftiko-catalog-auditor"
NOT_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
"""Long before the first plan: a machine whose clock is slow runs them as well."""


def main() -> int:
    """Compile, sign, trust; 1 if a workflow has errors: its plan stays as it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--key", default=KEY, help=f"a key's name or file (default: {KEY})")
    add_keys(parser)
    arguments = parser.parse_args()
    try:
        key, auditor = _key(arguments.key, arguments), _key(AUDITOR, arguments)
        catalog = Catalog.open([CATALOG])
        compiler = Compiler(data=load_data([CATALOG], CatalogLibrary(catalog)), is_published=True)
        published = [_publish(compiler, entry, key, auditor) for entry in catalog.entries]
        _trust(key, auditor)
        _report()
    except NaftikoError as error:
        hint = getattr(error, "hint", "")
        sys.stderr.write(f"{error}\n{hint}\n" if hint else f"{error}\n")
        return 1
    return 0 if all(published) else 1


def _key(name: str, arguments: argparse.Namespace) -> SigningKey:
    path = key_path(name, PRIVATE_SUFFIX, arguments)
    if path.resolve().is_relative_to(ROOT):
        raise StartError(f"`{path}` lies in the repository", hint="keep private keys elsewhere")
    if name in {KEY, AUDITOR} and not path.exists():
        made = generate(key_folder(arguments), name)
        sys.stdout.write(f"made the key {made.public.key_id}: {made.private_path}\n")
    return signing_key(name, arguments)


def _publish(compiler: Compiler, entry: Entry, key: SigningKey, auditor: SigningKey) -> bool:
    source = entry.source or entry.home / "source.yaml"
    compiled = compiler.compile(entry.read_source(), str(source.relative_to(ROOT)))
    for one in compiled.problems:
        if one.severity is not Severity.INFO:
            sys.stderr.write(f"{one.location}: {one.code}: {one.message}\n")
    if compiled.plan is None:
        return False
    plan = sign(compiled.plan, key, "publisher", entry.tier)
    if entry.tier == "enterprise":
        plan = sign(plan, auditor, "auditor", entry.tier)
    write_atomically(entry.home / PLAN, canonical(plan) + b"\n")
    sys.stdout.write(f"{entry.ref}: {plan['checksum']}\n")
    return True


def _report() -> None:
    """Write how each workflow comes through the gates; says which do not."""
    catalog = Catalog.open([CATALOG])
    with Trial.open() as trial:
        for entry in catalog.entries:
            report = write_entry_report(
                catalog, entry, monotonic=time.monotonic, run_tests=trial.run_plan
            )
            failed = [one["gate"] for one in objects(report["gates"]) if one["passed"] is not True]
            sys.stdout.write(f"{entry.ref}: {', '.join(map(str, failed)) or 'all gates passed'}\n")


def _trust(key: SigningKey, auditor: SigningKey) -> None:
    folder = CATALOG / "trust"
    store = TrustStore.load(folder)
    publishers = {
        key.key_id: _trusted(key, "publisher", TIERS),
        auditor.key_id: _trusted(auditor, "auditor", ("enterprise",)),
    }
    if store.publishers == publishers and (folder / MANIFEST).is_file():
        return
    saved = replace(store, publishers=publishers).save(folder, signer=key)
    sys.stdout.write(f"trusted: {', '.join(publishers)}, serial {saved.serial}\n")


def _trusted(key: SigningKey, role: str, tiers: tuple[str, ...]) -> TrustedKey:
    return TrustedKey(
        key_id=key.key_id,
        public_key=key.public_key,
        roles=(role,),
        tiers=tiers,
        not_before=NOT_BEFORE,
    )


if __name__ == "__main__":
    sys.exit(main())
