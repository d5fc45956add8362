"""Every subcommand by itself: what it prints, what it writes, how it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.live.cli_workflow.conftest import Workflow, data

if TYPE_CHECKING:
    import pytest

ROLE = "arn:aws:iam::123456789012:role/workflows"


def test_help_names_every_subcommand_and_loads_none() -> None:
    code = (
        "import sys\nfrom naftiko.cli.main import build_parser\nbuild_parser('workflow')\n"
        "print([n for n in sys.modules if n.startswith(('naftiko.workflow', 'naftiko.cli.w'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['naftiko.cli.workflow']"


def test_an_unknown_workflow_is_wrong_usage(workflow: Workflow, flow: Path) -> None:
    ran = workflow("check", "my_flwo")
    assert ran.code == 2
    assert "did you mean `my_flow`?" in ran.err


def test_the_catalog_that_comes_along_can_be_named(workflow: Workflow, flow: Path) -> None:
    ran = workflow("show", "dynamodb_backup_table")
    assert ran.code == 2
    assert "`dynamodb_backup_table --catalog shipped`" in ran.err
    assert workflow("show", "dynamodb_backup_table", "--catalog", "shipped").code == 0


def test_a_wrong_option_is_told_by_the_subcommand(workflow: Workflow, here: Path) -> None:
    ran = workflow("check", "--nothing")
    assert ran.code == 2
    assert "naftiko workflow check" in ran.err


# new, fmt, check


def test_new_touches_nothing_that_is_there(workflow: Workflow, flow: Path) -> None:
    ran = workflow("new", "my_flow")
    assert ran.code == 2
    assert "has a workflow `my_flow` already" in ran.err


def test_new_goes_into_another_catalog(workflow: Workflow, here: Path) -> None:
    ran = workflow("new", "other", "--catalog", "elsewhere", "--json")
    assert data(ran)["files"][0] == "elsewhere/workflows/community/other/1.0/source.yaml"
    assert workflow("check", "other", "--catalog", "elsewhere").code == 0


def test_fmt_checks_and_writes(workflow: Workflow, flow: Path) -> None:
    source = flow / "source.yaml"
    written = source.read_text()
    source.write_text(written.replace("  max_duration: 120s", "  max_duration:    120s"))
    assert workflow("fmt", "my_flow", "--check").code == 1
    assert workflow("fmt", "my_flow").code == 0
    assert source.read_text() == written
    assert workflow("fmt", "--all", "--check").code == 0


def test_check_says_risk_and_permissions(workflow: Workflow, flow: Path) -> None:
    ran = workflow("check", "my_flow")
    assert ran.code == 0
    assert "risk         1.2 of 10" in ran.out
    assert "sqs:CreateQueue, sqs:DeleteQueue, sqs:GetQueueAttributes" in ran.out


def test_check_shows_the_place_the_line_and_the_way_out(workflow: Workflow, flow: Path) -> None:
    source = flow / "source.yaml"
    source.write_text(source.read_text().replace("action: create_queue", "action: create_queu"))
    ran = workflow("check", "my_flow")
    assert ran.code == 1
    line = source.read_text().splitlines().index("      action: create_queu") + 1
    shown = source.relative_to(Path.cwd())
    assert f"{shown}:{line}:15: error[WF301]: " in ran.out
    assert "^^^^^^^^^^^" in ran.out
    assert "hint: " in ran.out
    found = data(workflow("check", "my_flow", "--json"))["workflows"][0]
    assert not found["ok"]
    assert found["diagnostics"][0] | {"message": "", "hint": ""} == {
        "code": "WF301",
        "severity": "error",
        "stage": "resolve",
        "message": "",
        "pointer": "/steps/0/context/action",
        "path": str(shown),
        "line": line,
        "column": 15,
        "hint": "",
    }


def test_check_reads_the_tests_as_well(workflow: Workflow, flow: Path) -> None:
    tests = flow / "tests.yaml"
    tests.write_text(tests.read_text().replace("status: rolled_back", "status: rolled_bakc"))
    ran = workflow("check", "my_flow")
    assert ran.code == 1
    assert "tests.yaml:17:13: error[WF204]" in ran.out


def test_check_takes_the_path_of_a_source(workflow: Workflow, flow: Path, here: Path) -> None:
    (here / "loose.yaml").write_text((flow / "source.yaml").read_text())
    assert workflow("check", "./loose.yaml").code == 0
    assert workflow("check", "nothing.yaml").code == 2


def test_warnings_fail_with_strict(workflow: Workflow, flow: Path) -> None:
    source = flow / "source.yaml"
    source.write_text(source.read_text().replace('  - "sqs:DeleteQueue"\n', ""))
    assert workflow("check", "my_flow").code == 0
    assert workflow("check", "my_flow", "--strict").code == 1


# test


def test_test_runs_the_tests(workflow: Workflow, flow: Path) -> None:
    ran = workflow("test", "my_flow", "--coverage")
    assert ran.code == 0, ran.err
    assert ran.out.count("passed  my_flow@1.0: ") == 3
    found = data(workflow("test", "--all", "--json"))["workflows"][0]
    assert found["coverage"]["complete"]


def test_test_says_what_was_not_as_expected(workflow: Workflow, flow: Path) -> None:
    tests = flow / "tests.yaml"
    tests.write_text(tests.read_text().replace("status: rolled_back", "status: failed"))
    ran = workflow("test", "my_flow", "-k", "takes")
    assert ran.code == 1
    assert "FAILED  my_flow@1.0: takes the queue back when it cannot be used" in ran.out
    assert "tests.yaml:17: the status is `rolled_back`" in ran.out
    assert "called: CreateQueue, GetQueueAttributes, DeleteQueue" in ran.out
    assert "no test expects a success" in ran.err


def test_test_without_tests_says_where_they_belong(workflow: Workflow, flow: Path) -> None:
    (flow / "tests.yaml").unlink()
    ran = workflow("test", "my_flow")
    assert ran.code == 2
    assert "has no tests" in ran.err


# graph, disasm, list, show


def test_graph_as_mermaid_and_svg(workflow: Workflow, flow: Path, here: Path) -> None:
    assert workflow("graph", "my_flow").out.startswith("flowchart TD\n")
    assert workflow("graph", "my_flow", "--svg").out.startswith("<svg")
    assert workflow("graph", "my_flow", "--out", "flow.svg").out == ""
    assert (here / "flow.svg").read_text().startswith("<svg")


def test_disasm_shows_source_lines(workflow: Workflow, signed: Path) -> None:
    assert "| - id: create" in workflow("disasm", "my_flow").out
    assert data(workflow("disasm", "my_flow", "--json")) == json.loads(
        (signed / "plan.json").read_text()
    )


def test_a_source_that_has_changed_is_shown_as_it_is_now(workflow: Workflow, signed: Path) -> None:
    source = signed / "source.yaml"
    source.write_text(source.read_text().replace("timeout: 30s", "timeout: 31s"))
    ran = workflow("disasm", "my_flow")
    assert "timeout 31 s" in ran.out
    assert "the source has changed since it was compiled" in ran.err


def test_list_and_show(workflow: Workflow, signed: Path) -> None:
    (row,) = data(workflow("list", "--json"))["workflows"]
    assert (row["name"], row["state"], row["risk_score"]) == ("my_flow", "signed", 1.2)
    assert "my_flow@1.0  verified  1.2   signed" in workflow("list").out
    found = data(workflow("show", "my_flow", "--json"))
    assert [step["operation"] for step in found["steps"]] == ["CreateQueue", "GetQueueAttributes"]
    assert "name  string  required" in workflow("show", "my_flow").out


# compile, keys, verify


def test_keys(workflow: Workflow, flow: Path, here: Path) -> None:
    made = data(workflow("keys", "gen", "me", "--json"))
    assert Path(made["private_path"]) == here / "keys/me.key.pem"
    assert workflow("keys", "gen", "me").code == 2
    assert workflow("keys", "add", "me", "--tier", "verified", "--days", "3").code == 0
    (key,) = data(workflow("keys", "list", "--json"))["keys"]
    assert (key["key_id"], key["tiers"], key["state"]) == (made["key_id"], ["verified"], "valid")
    assert len(workflow("keys", "state").out) == 45


def test_keys_are_not_added_to_the_catalog_that_comes_with_naftiko(
    workflow: Workflow, here: Path
) -> None:
    workflow("keys", "gen", "me")
    ran = workflow("keys", "add", "me")
    assert ran.code == 2
    assert "not yours to change" in ran.err


def test_compile_is_repeatable_and_keeps_signatures(workflow: Workflow, signed: Path) -> None:
    before = (signed / "plan.json").read_bytes()
    ran = workflow("compile", "--all")
    assert ran.code == 0
    assert (signed / "plan.json").read_bytes() == before


def test_compile_does_not_replace_a_signed_plan(workflow: Workflow, signed: Path) -> None:
    before = (signed / "plan.json").read_bytes()
    source = signed / "source.yaml"
    source.write_text(source.read_text().replace("timeout: 30s", "timeout: 31s"))
    ran = workflow("compile", "my_flow", "--sign", "me")
    assert ran.code == 3
    assert "raise `version`, or give --force" in ran.err
    assert (signed / "plan.json").read_bytes() == before
    assert workflow("compile", "my_flow", "--force").code == 0
    assert workflow("verify", "my_flow").code == 3


def test_verify_refuses_a_flipped_bit(workflow: Workflow, signed: Path) -> None:
    assert workflow("verify", "my_flow").code == 0
    plan = signed / "plan.json"
    content = bytearray(plan.read_bytes())
    content[len(content) // 2] ^= 1
    plan.write_bytes(bytes(content))
    for command in ("verify my_flow", "run my_flow -p name=x --sandbox --yes", "disasm my_flow"):
        ran = workflow(*command.split())
        assert ran.code == 3, (command, ran.err)


def test_verify_says_why_an_unsigned_plan_does_not_run(workflow: Workflow, flow: Path) -> None:
    workflow("compile", "my_flow")
    ran = workflow("verify", "my_flow")
    assert ran.code == 3
    assert "the plan is not signed" in ran.err
    assert workflow("verify", "my_flow", "--dev").code == 0
    found = data(workflow("verify", "--all", "--json"))
    assert found["plans"][0]["error"] == "IntegrityError"


# run


def test_run_prints_outputs_and_progress(workflow: Workflow, signed: Path) -> None:
    ran = workflow("run", "my_flow", "-p", "name=one", "--mode", "full", "--sandbox")
    assert ran.code == 0, ran.err
    assert data(ran)["url"].endswith("/one")
    assert "[1/2] look succeeded" in ran.err


def test_run_dev_lets_an_unsigned_plan_run(workflow: Workflow, flow: Path) -> None:
    workflow("compile", "my_flow")
    arguments = ("run", "my_flow", "-p", "name=one", "--mode", "full", "--sandbox")
    refused = workflow(*arguments)
    assert refused.code == 3
    assert "--dev" in refused.err
    assert workflow(*arguments, "--dev").code == 0


def test_run_names_wrong_parameters(workflow: Workflow, signed: Path) -> None:
    ran = workflow("run", "my_flow", "-p", "nam=one", "--mode", "full", "--sandbox", "--json")
    assert ran.code == 2
    assert data(ran)["error"]["type"] == "InvalidParameters"
    assert "did you mean `name`?" in ran.err


def test_run_of_what_is_not_there_says_where_to_look(workflow: Workflow, signed: Path) -> None:
    ran = workflow("run", "rds_backup_with_retention", "--mode", "plan")
    assert ran.code == 2
    assert "there is no workflow `rds_backup_with_retention`" in ran.err
    assert "naftiko workflow list" in ran.err


def test_run_says_that_the_source_is_newer(workflow: Workflow, signed: Path) -> None:
    arguments = ("run", "my_flow", "-p", "name=one", "--mode", "plan", "--sandbox")
    assert "has changed" not in workflow(*arguments).err
    source = signed / "source.yaml"
    source.write_text(source.read_text().replace("timeout: 30s", "timeout: 31s"))
    ran = workflow(*arguments)
    assert ran.code == 0
    assert "my_flow@1.0: the source has changed since it was compiled" in ran.err


def test_run_says_what_aws_said(workflow: Workflow) -> None:
    ran = workflow(
        *("run", "rds_backup_with_retention", "-p", "instance_id=db1"),
        *("--mode", "full", "--sandbox"),
    )
    assert ran.code == 1
    assert "AwsError DBInstanceNotFound in `validate_instance`" in ran.err
    assert "AWS: DBInstance db1 not found" in ran.err


def test_run_says_that_there_are_no_credentials(
    workflow: Workflow, signed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    ran = workflow("run", "my_flow", "-p", "name=one", "--mode", "full")
    assert ran.code == 1
    assert "there are no AWS credentials" in ran.err


def test_run_reads_parameters_from_a_file(workflow: Workflow, signed: Path, here: Path) -> None:
    (here / "given.yaml").write_text("name: from-file\n")
    ran = workflow("run", "my_flow", "--parameters", "given.yaml", "--mode", "plan", "--sandbox")
    assert ran.code == 0
    assert data(ran)[0]["rendered"]["input"] == {"QueueName": "from-file"}


def test_run_asks_before_a_change(
    workflow: Workflow, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("what\nyes\n"))
    ran = workflow("run", "my_flow", "-p", "name=one", "--sandbox", "--confirm")
    assert ran.code == 0
    assert 'create: sqs CreateQueue {"QueueName": "one"}' in ran.err
    assert ran.err.count("send it?") == 2


def test_run_cancels_when_the_answer_is_no(
    workflow: Workflow, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ran = workflow("run", "my_flow", "-p", "name=one", "--sandbox", "--confirm", "--json")
    assert ran.code == 1
    assert data(ran)["status"] == "cancelled"


def test_run_does_not_begin_where_nobody_could_confirm(workflow: Workflow, signed: Path) -> None:
    ran = workflow("run", "my_flow", "-p", "name=one", "--sandbox")
    assert ran.code == 2
    assert "NAFTIKO_STATE_KEY" in ran.err


def test_nobody_has_to_confirm_what_only_reads(workflow: Workflow, here: Path) -> None:
    assert workflow("new", "my_look").code == 0
    assert workflow("compile", "my_look").code == 0
    ran = workflow("run", "my_look", "--sandbox", "--dev")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["count"] == 0


def test_run_keeps_the_tiers(workflow: Workflow, signed: Path) -> None:
    ran = workflow(
        *"run my_flow -p name=one --sandbox --mode full --tiers community".split()  # noqa: SIM905
    )
    assert ran.code == 3
    assert "TierDenied" in ran.err
    assert workflow("run", "my_flow", "--tiers", "comunity").code == 2


def test_nothing_is_kept_without_a_key(workflow: Workflow, signed: Path) -> None:
    for command in (("executions",), ("resume",)):
        ran = workflow(*command)
        assert ran.code == 2
        assert "NAFTIKO_STATE_KEY" in ran.err


# Step Functions


def test_export_asl(workflow: Workflow, signed: Path, here: Path) -> None:
    ran = workflow("export-asl", "my_flow", "--out", "machine.json")
    assert ran.code == 0
    assert json.loads((here / "machine.json").read_text())["QueryLanguage"] == "JSONata"
    policy = data(workflow("export-asl", "my_flow", "--policy"))
    assert "sqs:CreateQueue" in json.dumps(policy["permissions"])


def test_deploy(workflow: Workflow, signed: Path) -> None:
    found = data(workflow("deploy", "my_flow", "--role-arn", ROLE, "--sandbox", "--json"))
    assert found["outcome"] == "created"
    ran = workflow("deploy", "my_flow", "--role-arn", "nobody", "--sandbox")
    assert ran.code == 1
    assert "is not the ARN of a role" in ran.err
