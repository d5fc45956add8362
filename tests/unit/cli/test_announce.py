"""What `run` says once it listens."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from naftiko.cli.announce import Announcement
from naftiko.cli.console import Console
from naftiko.cli.loading import sandbox_environment
from naftiko.engine import check_capability

BROKEN = """
        - path: /broken
          name: broken
          operations:
            - {method: GET, name: broken, call: nowhere.at-all}
"""


def said(path: Path, address: tuple[str, int]) -> str:
    err = io.StringIO()
    plan = check_capability(path).plan
    capability: Any = SimpleNamespace(plan=plan)
    announcement = Announcement(
        [capability], Console(io.StringIO(), err), sandbox=None, examples=False
    )
    announcement.started(cast("Any", SimpleNamespace(addresses={"greetings-rest": address})))
    return err.getvalue()


def test_urls_can_be_opened_from_this_machine(greeting: Path) -> None:
    assert "  rest     http://127.0.0.1:81  1 operation\n" in said(greeting, ("0.0.0.0", 81))  # noqa: S104
    assert "http://[::1]:81/openapi.json" in said(greeting, ("::1", 81))
    assert "http://localhost:81/" in said(greeting, ("localhost", 81))


def test_nothing_is_suggested_for_an_account_of_the_users(greeting: Path) -> None:
    assert "to try" not in said(greeting, ("127.0.0.1", 81))


def test_what_is_not_served_is_said_with_its_reason(greeting: Path) -> None:
    text = greeting.read_text()
    greeting.write_text(text + BROKEN.lstrip("\n"))
    shown = said(greeting, ("127.0.0.1", 81))
    assert "  not served: 1\n" in shown
    assert "greetings-rest.broken: " in shown
    assert "nowhere" in shown


def test_the_sandbox_replaces_every_aws_setting() -> None:
    sandbox: Any = SimpleNamespace(environment=lambda: {"AWS_REGION": "us-east-1"})
    outer = {"PATH": "/bin", "AWS_PROFILE": "x", "AWS_ENDPOINT_URL_SFN": "y", "AWS_ROLE_ARN": "z"}
    assert sandbox_environment(outer, sandbox) == {"PATH": "/bin", "AWS_REGION": "us-east-1"}
