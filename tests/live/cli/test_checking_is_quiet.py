"""Checking a file, a stranger's too, opens no connection whatever it names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.case_files import ROOT

FILES = sorted(
    str(path)
    for folder in ("docs/examples", "capabilities", "tests/cases/capabilities")
    for path in (ROOT / folder).rglob("*.y*ml")
)
WATCHED = """
import sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        print("CONNECTS", event, arguments, file=sys.stderr)

sys.addaudithook(watch)
from naftiko.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", ["validate", "inspect", "explain"])
def test_no_connection_is_opened(command: str) -> None:
    files = [FILES] if command == "validate" else [[file] for file in FILES[:6]]
    for some in files:
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, command, *some],
            env={
                "PATH": "",
                "PYTHONPATH": str(ROOT),
                "VAULT_ADDR": "http://127.0.0.1:1",
                "VAULT_TOKEN": "canary",
                "AWS_REGION": "us-east-1",
                "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in (0, 1, 3), done.stderr
        assert "CONNECTS" not in done.stderr
