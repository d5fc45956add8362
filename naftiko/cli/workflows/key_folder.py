"""Where a person's keys lie, and how one of them is meant on the command line."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naftiko.workflow.plan.signing import SigningKey


def add_keys(parser: argparse.ArgumentParser) -> None:
    """Declare where keys lie."""
    parser.add_argument(
        "--keys",
        type=Path,
        metavar="DIR",
        help="the folder of your keys (default: $NAFTIKO_KEYS, else ~/.config/naftiko/keys)",
    )
    parser.add_argument(
        "--passphrase-env",
        metavar="VARIABLE",
        help="the environment variable that holds the passphrase of the private key",
    )


def key_folder(arguments: argparse.Namespace) -> Path:
    """Return the folder of the user's keys."""
    if arguments.keys is not None:
        return Path(arguments.keys)
    if os.environ.get("NAFTIKO_KEYS"):
        return Path(os.environ["NAFTIKO_KEYS"])
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "naftiko" / "keys"


def key_path(name: str, suffix: str, arguments: argparse.Namespace) -> Path:
    """Return the file that a name or path means: "me" -> ".../keys/me.key.pem"."""
    path = Path(name)
    if path.suffix or len(path.parts) > 1:
        return path
    return key_folder(arguments) / f"{name}{suffix}"


def signing_key(name: str, arguments: argparse.Namespace) -> SigningKey:
    """Return a private key.

    Raises: StartError.
    """
    from naftiko.workflow.plan.keys import PRIVATE_SUFFIX, passphrase_from, read_private

    passphrase = passphrase_from(arguments.passphrase_env, os.environ)
    return read_private(key_path(name, PRIVATE_SUFFIX, arguments), passphrase=passphrase)
