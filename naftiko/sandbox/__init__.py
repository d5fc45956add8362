"""An AWS of one's own on loopback: moto's server with all of Step Functions, no account needed.

```python
with Sandbox.start(examples=True) as sandbox:
    client = boto3.client("stepfunctions", endpoint_url=sandbox.account.endpoint_url, ...)
```

Importing this package costs nothing; `Sandbox.start` imports moto. What works and what differs
from AWS: docs/sandbox.md.
"""

from __future__ import annotations

import threading
import types
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from naftiko.sandbox.account import SandboxAccount, SandboxUnavailable

if TYPE_CHECKING:
    from naftiko.sandbox.extension import Accounts
    from naftiko.sandbox.server import Server

__all__ = ["Sandbox", "SandboxAccount", "SandboxUnavailable"]

STOP_S = 5.0


class Sandbox:
    """A running sandbox; also a context manager that stops it.

    Several in one process each have their own Step Functions resources; the other services'
    are moto's, one set for the process.
    """

    _running: ClassVar[list[Sandbox]] = []

    account: SandboxAccount

    def __init__(
        self, account: SandboxAccount, server: Server, accounts: Accounts, examples: bool
    ) -> None:
        """Serve; use `Sandbox.start`."""
        self.account = account
        self._server = server
        self._accounts = accounts
        self._examples = examples
        self._thread = threading.Thread(
            target=server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="naftiko sandbox",
            daemon=True,
        )
        self._warm_up: threading.Thread | None = None
        self._stopped = False

    @classmethod
    def start(
        cls,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        region: str = "us-east-1",
        examples: bool = False,
    ) -> Sandbox:
        """Start a sandbox and return when it accepts connections; port 0 takes a free one.

        `examples` loads a few state machines, an activity, the role that they use, and functions.

        Raises: SandboxUnavailable, OSError if the port is taken.
        """
        from naftiko.sandbox import launch

        server, accounts = launch.listen(host, port)
        shown = f"[{host}]" if ":" in host else host
        account = SandboxAccount(endpoint_url=f"http://{shown}:{server.port}", region=region)
        accounts.endpoint_url = account.endpoint_url
        sandbox = cls(account, server, accounts, examples)
        cls._running.append(sandbox)
        launch.point_interpreter_at(account.endpoint_url)
        sandbox._load_examples()
        sandbox._thread.start()
        sandbox._warm_up = launch.warm_up()
        return sandbox

    def environment(self) -> dict[str, str]:
        """Return the variables that point any AWS SDK or the AWS CLI at the sandbox."""
        return {
            "AWS_ENDPOINT_URL": self.account.endpoint_url,
            "AWS_REGION": self.account.region,
            "AWS_DEFAULT_REGION": self.account.region,
            "AWS_ACCESS_KEY_ID": self.account.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.account.secret_access_key,
            # boto3 would send StartSyncExecution and TestState to "sync-127.0.0.1".
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        }

    def reset(self) -> None:
        """Abort what runs and forget everything; the examples are loaded again."""
        from naftiko.sandbox import launch

        self._accounts.clear()
        launch.reset_other_services()
        self._load_examples()

    def stop(self) -> None:
        """Abort what runs, hang up and stop; a second call does nothing."""
        if self._stopped:
            return
        self._stopped = True
        from naftiko.sandbox import launch

        self._running.remove(self)
        self._server.shutdown()
        self._accounts.clear()
        self._server.disconnect_all(STOP_S)
        self._server.server_close()
        for thread in (self._thread, self._warm_up):
            if thread is not None:
                thread.join(STOP_S)
        last = self._running[-1].account.endpoint_url if self._running else None
        launch.point_interpreter_at(last)
        if last is None:
            launch.reset_other_services()

    def __enter__(self) -> Sandbox:
        """Return the sandbox itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _load_examples(self) -> None:
        if self._examples:
            from naftiko.sandbox import example_machines, functions

            account_id, region = self.account.account_id, self.account.region
            example_machines.create_role(region)
            example_machines.load(self._accounts.backend(account_id, region))
            self._accounts.load_functions = partial(
                functions.load_examples, account_id, region, example_machines.ROLE_ARN
            )
