"""Schemathesis against the Step Functions capability on the sandbox: no 5xx, no broken promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from naftiko.sandbox import Sandbox
from tests.case_files import ROOT
from tests.live.serving import serving


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    path = ROOT / "capabilities" / "stepfunctions.yaml"
    with (
        Sandbox.start(examples=True) as sandbox,
        serving(path, environment=sandbox.environment(), sandbox=True) as served,
    ):
        url = served.urls["workflow-orchestration-api"]
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{url}/openapi.json",
            # A long poll of up to a minute each.
            "--exclude-path=/v1/activities/tasks",
            "--max-examples=12",
            "--generation-deterministic",
            "--checks=all",
            # AWS refuses values that its published model allows (a malformed ARN, a bad role).
            "--exclude-checks=positive_data_acceptance,use_after_free,ensure_resource_availability",
            "--no-color",
        ]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False
        )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
