"""Compiles and signs every workflow of capabilities/workflow-catalog: `make catalog [KEY=FILE]`.

    python docs/workflow_catalog.py [--key NAME|FILE] [--keys DIR] [--passphrase-env VARIABLE]

Without `--key` it takes the key `naftiko-catalog` of the user's key folder, and makes one where
there is none. Afterwards the catalog's trust data name that one key; reviewers and revocations are
kept.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from naftiko.cli.workflows.key_folder import add_keys, key_folder, key_path, signing_key
from naftiko.errors import NaftikoError, Severity, StartError
from naftiko.workflow.catalog import PLAN, Catalog, Entry
from naftiko.workflow.compiler import Compiler, load_data
from naftiko.workflow.files import write_atomically
from naftiko.workflow.library import CatalogLibrary
from naftiko.workflow.plan.canonical import canonical
from naftiko.workflow.plan.keys import PRIVATE_SUFFIX, generate
from naftiko.workflow.plan.signing import SigningKey, sign
from naftiko.workflow.plan.trust import MANIFEST, TrustedKey, TrustStore

ROOT = Path(__file__).resolve().parent.parent
CATALOG = ROOT / "capabilities" / "workflow-catalog"
KEY = "naftiko-catalog"
TIERS = ("community", "verified")
NOT_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
"""Long before the first plan: a machine whose clock is slow runs them as well."""


def main() -> int:
    """Compile, sign, trust; 1 if a workflow has errors: its plan stays as it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--key", default=KEY, help=f"a key's name or file (default: {KEY})")
    add_keys(parser)
    arguments = parser.parse_args()
    try:
        key = _key(arguments)
        catalog = Catalog.open([CATALOG])
        compiler = Compiler(data=load_data([CATALOG], CatalogLibrary(catalog)), is_published=True)
        published = [_publish(compiler, entry, key) for entry in catalog.entries]
        _trust(key)
    except NaftikoError as error:
        hint = getattr(error, "hint", "")
        sys.stderr.write(f"{error}\n{hint}\n" if hint else f"{error}\n")
        return 1
    return 0 if all(published) else 1


def _key(arguments: argparse.Namespace) -> SigningKey:
    path = key_path(arguments.key, PRIVATE_SUFFIX, arguments)
    if path.resolve().is_relative_to(ROOT):
        raise StartError(f"`{path}` lies in the repository", hint="keep private keys elsewhere")
    if arguments.key == KEY and not path.exists():
        made = generate(key_folder(arguments), KEY)
        sys.stdout.write(f"made the key {made.public.key_id}: {made.private_path}\n")
    return signing_key(arguments.key, arguments)


def _publish(compiler: Compiler, entry: Entry, key: SigningKey) -> bool:
    source = entry.source or entry.home / "source.yaml"
    compiled = compiler.compile(entry.read_source(), str(source.relative_to(ROOT)))
    for one in compiled.problems:
        if one.severity is not Severity.INFO:
            sys.stderr.write(f"{one.location}: {one.code}: {one.message}\n")
    if compiled.plan is None:
        return False
    plan = sign(compiled.plan, key, "publisher", entry.tier)
    write_atomically(entry.home / PLAN, canonical(plan) + b"\n")
    sys.stdout.write(f"{entry.ref}: {plan['checksum']}\n")
    return True


def _trust(key: SigningKey) -> None:
    folder = CATALOG / "trust"
    store = TrustStore.load(folder)
    trusted = TrustedKey(
        key_id=key.key_id,
        public_key=key.public_key,
        roles=("publisher",),
        tiers=TIERS,
        not_before=NOT_BEFORE,
    )
    publishers = {key.key_id: trusted}
    if store.publishers == publishers and (folder / MANIFEST).is_file():
        return
    saved = replace(store, publishers=publishers).save(folder, signer=key)
    sys.stdout.write(f"trusted: {key.key_id}, serial {saved.serial}\n")


if __name__ == "__main__":
    sys.exit(main())
