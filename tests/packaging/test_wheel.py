"""The wheel, built and installed into an environment of its own, away from the checkout.

To be quick, the environment borrows the dependencies of the one the tests run in, through a .pth
file; naftiko itself is there as the wheel only, which the first test makes sure of.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import urllib.request
import venv
from pathlib import Path

import pytest

from tests.case_files import ROOT
from tests.live.cli.processes import running

NO_CHECKOUT = {"PYTHONPATH": ""}

pytestmark = pytest.mark.packaging

FREE = (
    "--port",
    "workflow-orchestration-api=0",
    "--port",
    "workflow-orchestration-mcp=0",
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment that holds the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT],
        check=True,
    )
    (wheel,) = folder.glob("naftiko-*.whl")
    venv.create(folder / "venv", with_pip=False)
    interpreter = folder / "venv" / "bin" / "python"
    site = subprocess.run(
        [interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    subprocess.run(
        [*pip, "--python", str(interpreter), "install", "--no-deps", "--no-index", wheel],
        check=True,
    )
    # addsitedir would follow the editable install's own .pth into the checkout; a path does not.
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return interpreter


def test_the_wheel_is_what_runs(python: Path, tmp_path: Path) -> None:
    code = "import naftiko; print(naftiko.__file__)"
    done = subprocess.run(
        [python, "-c", code],
        cwd=tmp_path,
        env=NO_CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(python.parents[1])


def test_a_shipped_capability_is_valid_by_name(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(python, "-m", "naftiko", "validate", "stepfunctions", "stepfunctions-full"),
            *("stepfunctions-tools", "lambda-tools"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"AWS_REGION": "eu-west-1", **NO_CHECKOUT},
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_a_shipped_capability_runs_by_name(python: Path, tmp_path: Path) -> None:
    with running(
        "run",
        "stepfunctions",
        "--sandbox",
        "--examples",
        *FREE,
        cwd=tmp_path,
        python=python,
        environment=NO_CHECKOUT,
    ) as process:
        rest = process.urls()["rest"]
        with urllib.request.urlopen(f"{rest}/v1/state-machines", timeout=30) as answer:  # noqa: S310  # loopback
            names = {machine["name"] for machine in json.load(answer)["stateMachines"]}
        assert "hello-world" in names
        assert process.stop() == 0


def test_the_command_is_installed(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python.with_name("naftiko"), "--version"],
        cwd=tmp_path,
        env=NO_CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("naftiko ")
