"""`naftiko workflow keys gen|add|list|state`: keys, and whose signatures are trusted."""

from __future__ import annotations

import argparse
import base64
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.cli.workflows.key_folder import add_keys, key_folder, key_path, signing_key
from naftiko.errors import ExitCode
from naftiko.values import JsonValue

if TYPE_CHECKING:
    from naftiko.workflow.plan.trust import TrustStore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands."""
    commands = parser.add_subparsers(dest="keys_command", metavar="COMMAND", required=True)
    gen = commands.add_parser("gen", help="make a key pair; the private part never leaves it")
    gen.add_argument("key_name", metavar="NAME", help="what the key is called")
    add_keys(gen)
    common.add_json(gen)
    gen.set_defaults(keys_run=_gen)
    add = commands.add_parser("add", help="trust a key: its signatures count from now on")
    add.add_argument("key_name", metavar="NAME|FILE", help="a key, or the file of its public part")
    add.add_argument(
        "--role",
        dest="roles",
        action="append",
        metavar="ROLE",
        help="publisher or auditor of plans, or without --tier one of the reviewers' "
        "(default: publisher); may be repeated",
    )
    add.add_argument(
        "--tier",
        dest="tiers",
        action="append",
        metavar="TIER",
        help="what it signs: community, verified, enterprise (default for plans: community and "
        "verified); may be repeated",
    )
    add.add_argument("--days", type=int, metavar="N", help="how long it is trusted (default: ever)")
    add.add_argument(
        "--sign-with", metavar="KEY", help="the owner's root key, which signs the trust data"
    )
    add_keys(add)
    common.add_trust_root(add)
    common.add_catalog(add)
    common.add_json(add)
    add.set_defaults(keys_run=_add)
    listed = commands.add_parser("list", help="list the keys that are trusted")
    common.add_trust_root(listed)
    common.add_catalog(listed)
    common.add_json(listed)
    listed.set_defaults(keys_run=_list)
    state = commands.add_parser("state", help="print a new value for NAFTIKO_STATE_KEY")
    common.add_json(state)
    state.set_defaults(keys_run=_state)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the subcommand."""
    code: int = arguments.keys_run(arguments, console)
    return code


def _gen(arguments: argparse.Namespace, console: Console) -> int:
    from naftiko.workflow.plan.keys import generate, passphrase_from

    passphrase = passphrase_from(arguments.passphrase_env, os.environ)
    made = generate(key_folder(arguments), arguments.key_name, passphrase=passphrase)
    if arguments.json:
        shown = {
            **made.public.to_json(),
            "private_path": str(made.private_path),
            "public_path": str(made.public_path),
        }
        common.print_json(shown, console)
        return ExitCode.OK
    console.data(f"{made.public.key_id}\n  {made.private_path}\n  {made.public_path}")
    console.note(f"next: naftiko workflow keys add {arguments.key_name}")
    return ExitCode.OK


def _add(arguments: argparse.Namespace, console: Console) -> int:
    from naftiko.workflow.plan.keys import PUBLIC_SUFFIX, add, read_public
    from naftiko.workflow.plan.trust import REVIEWER_ROLES

    public = read_public(key_path(arguments.key_name, PUBLIC_SUFFIX, arguments))
    roles = tuple(dict.fromkeys(arguments.roles or ["publisher"]))
    tiers = tuple(dict.fromkeys(arguments.tiers or []))
    is_reviewer = any(role in REVIEWER_ROLES and role != "auditor" for role in roles)
    if not tiers and not is_reviewer and roles != ("auditor",):
        tiers = ("community", "verified")
    signer = None
    if arguments.sign_with is not None:
        signer = signing_key(arguments.sign_with, arguments)
    folder = _trust_folder(arguments)
    now = datetime.now(UTC).replace(microsecond=0)
    add(
        folder,
        public,
        roles=roles,
        tiers=tiers,
        not_before=now,
        not_after=now + timedelta(days=arguments.days) if arguments.days else None,
        root=arguments.trust_root,
        signer=signer,
    )
    if arguments.json:
        shown: dict[str, JsonValue] = {
            "key_id": public.key_id,
            "roles": list(roles),
            "tiers": list(tiers),
            "folder": str(folder),
        }
        common.print_json(shown, console)
    else:
        signs = f" of {', '.join(tiers)} plans" if tiers else ""
        console.data(f"{public.key_id}: trusted as {', '.join(roles)}{signs}")
        console.note(f"written to {common.short(folder)}")
    return ExitCode.OK


def _trust_folder(arguments: argparse.Namespace) -> Path:
    common.need_own_catalog(arguments)
    return common.catalog_folders(arguments)[0] / "trust"


def _list(arguments: argparse.Namespace, console: Console) -> int:
    from naftiko.workflow.plan.keys import list_keys

    rows: list[JsonValue] = []
    now = datetime.now(UTC)
    for folder in common.catalog_folders(arguments):
        rows += list_keys(_store(folder, arguments.trust_root), now)
    if arguments.json:
        common.print_json({"keys": rows}, console)
        return ExitCode.OK
    table = [
        [str(row["key_id"]), str(row["state"]), _words(row["roles"]), _words(row["tiers"])]
        for row in rows
        if isinstance(row, dict)
    ]
    for line in common.columns(table):
        console.data(line)
    if not table:
        console.note("no key is trusted")
    return ExitCode.OK


def _store(folder: Path, root: str | None) -> TrustStore:
    from naftiko.workflow.catalog import shipped
    from naftiko.workflow.plan.trust import TrustStore

    own = folder / "trust"
    if not own.is_dir():
        fallback = shipped("trust")
        return TrustStore.load(fallback) if fallback is not None else TrustStore()
    return TrustStore.load(own, root=root)


def _words(value: JsonValue) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else ""


def _state(arguments: argparse.Namespace, console: Console) -> int:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    if arguments.json:
        common.print_json({"NAFTIKO_STATE_KEY": key}, console)
    else:
        console.data(key)
    return ExitCode.OK
