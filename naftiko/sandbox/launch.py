"""Starting a sandbox, in the order that costs least: check, listen, load the rest meanwhile."""

from __future__ import annotations

import sys
import threading

from naftiko.sandbox import machinery
from naftiko.sandbox.account import INSTALL, SandboxUnavailable

machinery.check_moto()
try:
    from naftiko.sandbox.extension import Accounts
    from naftiko.sandbox.server import Application, Server
except (ImportError, AttributeError, TypeError) as error:
    raise SandboxUnavailable(f"moto is not as the sandbox knows it ({error}): {INSTALL}") from error


def listen(host: str, port: int) -> tuple[Server, Accounts]:
    """Return a server that listens, and what it answers from.

    Raises: OSError.
    """
    accounts = Accounts()
    return Server(host, port, Application(accounts)), accounts


def point_interpreter_at(endpoint_url: str | None) -> None:
    """Send the AWS calls that executions make to this endpoint and nowhere else."""
    machinery.endpoint_url = endpoint_url


def warm_up() -> threading.Thread:
    """Load the interpreter while the caller goes on."""
    thread = threading.Thread(target=machinery.warm_up, name="naftiko sandbox warm-up", daemon=True)
    thread.start()
    return thread


def reset_other_services() -> None:
    """Empty moto's backends of the services besides Step Functions."""
    base_backend = sys.modules["moto.core.base_backend"]
    base_backend.BackendDict.reset()
