"""Exit codes, usage, and what becomes of mistakes and bugs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from naftiko.cli import main as main_module
from naftiko.cli.console import Console, clean
from naftiko.cli.plan_tables import to_lines
from naftiko.engine import LoadOptions, check_capability
from naftiko.errors import ExitCode
from naftiko.resources import find_capability
from naftiko.version import __version__
from tests.unit.cli.conftest import Cli

HEAVY = ("asyncio", "boto3", "botocore", "jinja2", "jsonschema_rs", "mcp", "starlette", "yaml")


def test_help_lists_every_command(cli: Cli) -> None:
    ran = cli("--help")
    assert ran.code == 0
    for name in main_module.COMMANDS:
        assert f"\n    {name}" in ran.out


@pytest.mark.parametrize("command", main_module.COMMANDS)
def test_each_command_has_help(cli: Cli, command: str) -> None:
    ran = cli(command, "--help")
    assert ran.code == 0
    assert f"usage: naftiko {command}" in ran.out


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"naftiko {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, contextlib\n"
        "from naftiko.cli.main import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_exit_codes_are_those_of_the_library() -> None:
    names = {"OK", "PROBLEMS", "USAGE", "CANNOT_START", "BUG", "INTERRUPTED"}
    assert {name: getattr(main_module, name) for name in names} == {
        code.name: code.value for code in ExitCode
    }


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "required: COMMAND"),
        (("serve",), "invalid choice: 'serve'"),
        (("run",), "required: FILE"),
        (("run", "x.yaml", "--port", "8080"), "`8080` is not NAMESPACE=PORT"),
        (("run", "x.yaml", "--port", "api=99999"), "not a port from 0 to 65535"),
        (("run", "x.yaml", "--examples"), "--examples needs --sandbox"),
        (("run", "x.yaml", "--workspace", "/no/such"), "`/no/such` is not a folder"),
        (("call", "x.yaml", "op", "-p", "novalue"), "`novalue` is not key=value"),
        (("call", "x.yaml", "op", "--json", "[1]"), "must be a JSON object"),
        (("call", "x.yaml", "op", "--json", "{"), "not valid JSON"),
        (("validate", "x.yaml", "--format", "xml"), "invalid choice: 'xml'"),
    ],
)
def test_wrong_usage_is_2(cli: Cli, arguments: tuple[str, ...], text: str) -> None:
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert text in ran.err


@pytest.mark.parametrize("command", ["run", "validate", "inspect", "explain"])
def test_a_file_that_is_not_there_cannot_start(cli: Cli, command: str, greeting: Path) -> None:
    ran = cli(command, greeting.parent / "greetings.yaml")
    assert (ran.code, ran.out) == (3, "")
    assert "greetings.yaml` does not exist" in ran.err
    assert "did you mean" in ran.err


def test_an_unknown_name_lists_the_known_ones(cli: Cli) -> None:
    ran = cli("inspect", "stepfunktions")
    assert ran.code == 3
    assert "did you mean `stepfunctions`?" in ran.err
    assert "stepfunctions-full" in ran.err


def test_a_file_with_errors_is_1_and_shows_them(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("naftiko: [\n")
    ran = cli("run", path)
    assert (ran.code, ran.out) == (1, "")
    assert "error[" in ran.err
    assert "1 error" in ran.err
    assert "Traceback" not in ran.err


def test_strict_refuses_warnings(cli: Cli, greeting: Path) -> None:
    greeting.write_text(greeting.read_text() + "colour: red\n")
    assert cli("inspect", greeting).code == 0
    ran = cli("inspect", greeting, "--strict")
    assert ran.code == 1
    assert "unknown-field" in ran.err


def test_a_bug_shows_its_traceback_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.add_masker(lambda text: text.replace("canary", "***"))
    code = main_module._report(RuntimeError("it broke at canary"), console)
    shown = capsys.readouterr()
    assert (code, shown.out) == (70, "")
    assert "RuntimeError: it broke at ***" in shown.err
    assert "this is a bug in naftiko" in shown.err


def test_a_reader_that_leaves_is_no_error(greeting: Path) -> None:
    command = [sys.executable, "-m", "naftiko", "inspect", str(greeting), "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (0, b"")


def test_control_codes_never_reach_the_terminal(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_bytes(b'naftiko: "1.0.0-alpha1"\n"\\e[31mx\xe2\x80\xae": 1\n')
    ran = cli("validate", path, "--format", "text")
    assert "\x1b" not in ran.out + ran.err
    assert "\u202e" not in ran.out + ran.err
    assert clean("a\x1b[0m\tb\n") == "a\N{REPLACEMENT CHARACTER}[0m\tb\n"


def test_json_reports_hold_no_secret(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_TOKEN", "canary-8d1f")
    path = tmp_path / "secret.yaml"
    path.write_text(SECRET)
    for arguments in (
        ("validate", path),
        ("validate", path, "--format", "json"),
        ("validate", path, "--format", "github"),
        ("inspect", path),
        ("inspect", path, "--format", "json"),
        ("explain", path),
    ):
        ran = cli(*arguments)
        assert ran.code == 0, ran.err
        assert "canary-8d1f" not in ran.out + ran.err


SECRET = """\
naftiko: "1.0.0-alpha1"
info: {label: Secrets, description: Holds one.}
binds:
  - namespace: env
    keys: {TOKEN: CANARY_TOKEN}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: http://127.0.0.1:9/canary-8d1f
      authentication: {type: bearer, token: "{{TOKEN}}"}
      resources:
        - path: /things
          name: things
          operations:
            - {method: GET, name: list-things}
  exposes:
    - type: rest
      port: 8085
      namespace: api-rest
      resources:
        - path: /things
          name: things
          operations:
            - {method: GET, name: list-things, call: api.list-things, description: "canary-8d1f"}
"""


def test_inspect_json_is_one_document(cli: Cli, greeting: Path) -> None:
    shown = json.loads(cli("inspect", greeting, "--format", "json").out)
    (adapter,) = shown["exposes"]
    (route,) = adapter["routes"]
    assert (route["method"], route["path"], route["name"]) == ("GET", "/greetings/{name}", "greet")
    assert route["inputs"]["required"] == ["name"]


def test_many_warnings_are_brief_unless_asked_for(cli: Cli, greeting: Path) -> None:
    unknown = "".join(f"colour-{number}: red\n" for number in range(7))
    greeting.write_text(greeting.read_text() + unknown)
    brief = cli("inspect", greeting).err
    assert brief.count("warning[unknown-field]") == 5
    assert "7 warnings in all" in brief
    assert cli("inspect", greeting, "-v").err.count("warning[unknown-field]") == 7


def test_what_is_too_wide_for_the_terminal_is_shown_in_paragraphs() -> None:
    plan = check_capability(find_capability("stepfunctions"), LoadOptions(environment={})).plan
    assert plan is not None
    narrow = to_lines(plan, 80)
    assert max(map(len, narrow)) <= 80
    assert "  GET   /v1/state-machines/{arn}/describe" in narrow
    assert "      calls: step-functions.describe-state-machine" in narrow
    assert "      inputs: arn*, includedData" in narrow
    assert to_lines(plan, 400) == to_lines(plan)


@pytest.mark.parametrize("command", ["call", "explain"])
def test_an_operation_like_no_other_is_answered_with_where_they_are_listed(
    cli: Cli, command: str
) -> None:
    ran = cli(command, "stepfunctions", "zzz")
    assert ran.code == 3
    assert re.search("hint: `naftiko inspect .*stepfunctions.yaml` lists them", ran.err)


def test_an_unknown_option_is_answered_with_the_usage_of_the_command(cli: Cli) -> None:
    ran = cli("run", "stepfunctions", "--bogus")
    assert ran.code == 2
    assert "usage: naftiko run " in ran.err
    assert "unrecognized arguments: --bogus" in ran.err
