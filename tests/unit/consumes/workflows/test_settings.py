"""A `consumes` entry of workflows, read: templates, folders, policy, state, and what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from naftiko.consumes.workflows.building import confirm_key
from naftiko.consumes.workflows.settings import WorkflowSettings, read
from naftiko.document.reader import parse_document
from naftiko.errors import Problems
from naftiko.model.build_consumes import build_consumes
from naftiko.model.consumes import ConsumesWorkflows
from naftiko.model.fields import Fields
from naftiko.plan.ports import ClientContext
from naftiko.resources import data_folder
from naftiko.workflow.catalog import shipped
from naftiko.workflow.runtime.policy import Policy
from tests.live.aws.support import context

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def entry(text: str, folder: Path) -> ConsumesWorkflows:
    lines = f"type: workflows\nnamespace: workflows\n{text}".replace("\n", "\n    ")
    root = parse_document(f"consumes:\n  - {lines}\n", str(folder / "file.yaml"))
    (found,) = build_consumes(Fields(root.root), Problems())
    assert isinstance(found, ConsumesWorkflows)
    return found


def reading(
    text: str, folder: Path, environment: dict[str, str] | None = None, **bound: str
) -> tuple[WorkflowSettings, ClientContext]:
    using = replace(context(environment or {}, **bound), workspace_root=folder)
    return read(entry(text, folder), using), using


def codes(using: ClientContext) -> list[str]:
    return [problem.code for problem in using.problems]


def test_without_anything_it_is_the_shipped_catalog_in_memory(tmp_path: Path) -> None:
    settings, using = reading("", tmp_path)
    assert settings.folders == (shipped(),)
    assert settings.policy == Policy()
    assert (settings.state.type_, settings.state.folder) == ("memory", None)
    assert (settings.view, settings.allow_raw, settings.cancels) == ("redact", False, False)
    assert codes(using) == ["workflow-state-in-memory"]


def test_with_a_key_it_is_sqlite_in_the_workspace(tmp_path: Path) -> None:
    settings, using = reading("state: {key: '{{KEY}}'}", tmp_path, KEY=KEY)
    assert settings.state.type_ == "sqlite"
    assert settings.state.folder == tmp_path / ".naftiko/workflows"
    assert codes(using) == []
    assert KEY not in repr(settings.state)


def test_a_file_that_came_along_keeps_its_state_where_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = data_folder("capabilities")
    assert folder is not None
    monkeypatch.chdir(tmp_path)
    using = replace(context({}, KEY=KEY), workspace_root=folder)
    settings = read(entry("state: {key: '{{KEY}}'}", folder), using)
    assert settings.state.folder == tmp_path / ".naftiko/workflows"


def test_every_setting_is_read(tmp_path: Path) -> None:
    settings, using = reading(
        """\
catalog: [./one, ./two]
trustRoot: root-key
state: {type: dynamodb, kmsKeyId: alias/state, table: t, createTable: true, ttl: 2h}
policy:
  tiersEnabled: [verified]
  riskCeiling: 4.5
  permissionCheck: warn
  onIndeterminate: proceed
  executionRole: arn:aws:iam::123456789012:role/r
  dev: true
  target: step-functions
  isolate: false
  maxParallel: 2
  maxQueued: 0
view: label
allowRaw: true
onCancel: cancel
region: eu-west-1""",
        tmp_path,
    )
    assert codes(using) == []
    assert settings.folders == (tmp_path / "one", tmp_path / "two")
    assert settings.trust_root == "root-key"
    state = settings.state
    assert (state.type_, state.kms_key_id, state.table) == ("dynamodb", "alias/state", "t")
    assert (state.creates_table, state.ttl_s) == (True, 7200.0)
    assert settings.policy == Policy(
        tiers_enabled=("verified",),
        risk_ceiling=4.5,
        permission_check="warn",
        on_indeterminate="proceed",
        execution_role="arn:aws:iam::123456789012:role/r",
        dev=True,
        target="step-functions",
        isolate=False,
        max_parallel=2,
        max_queued=0,
    )
    assert (settings.view, settings.allow_raw, settings.cancels) == ("label", True, True)
    assert settings.aws.region == "eu-west-1"


def test_variables_without_a_value_are_as_if_not_there(tmp_path: Path) -> None:
    settings, using = reading(
        """\
catalog: "{{A}}"
trustRoot: "{{A}}"
state: {type: "{{A}}", path: "{{A}}", key: "{{A}}", ttl: "{{A}}"}
policy: {tiersEnabled: "{{A}}", riskCeiling: "{{A}}", dev: "{{A}}", executionRole: "{{A}}"}
onCancel: "{{A}}\"""",
        tmp_path,
        A="",
    )
    assert settings.policy == Policy()
    assert settings.folders == (shipped(),)
    assert settings.trust_root is None
    assert codes(using) == ["workflow-state-in-memory"]


def test_a_variable_may_name_several_folders_and_tiers(tmp_path: Path) -> None:
    folders = f"{tmp_path}/a, {tmp_path}/b"
    settings, using = reading(
        'catalog: "{{FOLDERS}}"\npolicy: {tiersEnabled: "{{TIERS}}"}',
        tmp_path / "elsewhere",
        {"FOLDERS": folders, "TIERS": "verified, community"},
        FOLDERS=folders,
        TIERS="verified, community",
    )
    # Those of the environment may stand outside of the workspace.
    assert "outside-workspace" not in codes(using)
    assert settings.folders == (tmp_path / "a", tmp_path / "b")
    assert settings.policy.tiers_enabled == ("community", "verified")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("catalog: /etc", "outside-workspace"),
        ("catalog: ../..", "outside-workspace"),
        ("catalog: {a: b}", "invalid-catalog"),
        (f"state: {{key: {KEY}, path: /var/lib/state}}", "outside-workspace"),
        # A default in the file is no word of whoever runs it.
        (f'state: {{key: {KEY}, path: "{{{{P}}}}"}}', "outside-workspace"),
        ("state: {type: redis}", "invalid-state"),
        ("state: {ttl: soon}", "invalid-state"),
        ("policy: {tiersEnabled: [gold]}", "invalid-policy"),
        ("policy: {riskCeiling: 11}", "invalid-policy"),
        ("policy: {riskCeiling: high}", "invalid-policy"),
        ("policy: {permissionCheck: maybe}", "invalid-policy"),
        ("policy: {dev: perhaps}", "invalid-policy"),
        ("policy: {maxParallel: 0}", "invalid-policy"),
        ("view: all", "invalid-view"),
        ("allowRaw: maybe", "invalid-allow-raw"),
        ("onCancel: stop", "invalid-on-cancel"),
    ],
)
def test_what_is_wrong_is_an_error(tmp_path: Path, text: str, code: str) -> None:
    _, using = reading(text, tmp_path, P="/var/lib/state")
    assert code in [problem.code for problem in using.problems.errors]


def test_an_unknown_tier_enables_nothing_more(tmp_path: Path) -> None:
    settings, _ = reading("policy: {tiersEnabled: [gold]}", tmp_path)
    assert settings.policy.tiers_enabled == ()


def test_unknown_names_are_told(tmp_path: Path) -> None:
    _, using = reading("policy: {tierEnabled: [verified]}", tmp_path)
    (problem,) = [one for one in using.problems if one.code == "unknown-field"]
    assert "did you mean `tiersEnabled`?" in problem.hint


def test_tokens_are_shared_by_those_who_share_the_key() -> None:
    assert confirm_key(KEY) == confirm_key(KEY)
    assert confirm_key(KEY) != confirm_key(KEY.replace("AAEC", "AAED"))
    assert confirm_key(None) != confirm_key(None)
