"""A version is revoked from the command line while a server executes it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.sandbox import Sandbox
from tests.live.cli.config_clients import in_process
from tests.live.waiting import until
from tests.live.workflows.stage import Stage, make_catalog

if TYPE_CHECKING:
    import pytest


def test_it_stops_before_its_next_operation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    naftiko = in_process(capsys)
    catalog = Path(shutil.copytree(make_catalog(tmp_path / "made"), tmp_path / "catalog"))
    with Sandbox.start() as sandbox:
        stage = Stage(sandbox, catalog, tmp_path)
        with stage.serving() as house:
            first = house.execute("make_queue", parameters={"queue_name": "one"})
            assert first.body["next"]["step_id"] == "make", first.body
            given = {"queue_name": "slow", "topic": "slow"}
            slow = house.execute("slow_queue", "?wait=0.2", parameters=given, execution_mode="full")
            assert slow.body["status"] == "running", slow.body
            second = house.confirm(first.body)
            assert second.body["next"]["step_id"] == "tag", second.body

            for name in ("make_queue@1.0", "slow_queue@1.0"):
                ran = naftiko(
                    *("workflow", "revoke", name, "--reason", "it lies"),
                    *("--catalog", str(catalog)),
                )
                assert ran.code == 0, ran.err
            third = house.confirm(second.body)

            assert third.body["status"] in {"failed", "rolled_back"}, third.body
            assert third.body["error"]["type"] == "IntegrityError"
            steps = {step["step_id"]: step["status"] for step in third.body["steps"]}
            assert steps.get("tag") != "succeeded"
            again = house.execute("make_queue", parameters={"queue_name": "two"})
            assert again.status >= 400
            place = slow.headers["location"]
            ended = until(
                lambda: found if (found := house.get(place).body)["status"] != "running" else None
            )
            assert ended["error"]["type"] == "IntegrityError", ended
            steps = {step["step_id"]: step["status"] for step in ended["steps"]}
            assert steps["make"] == "succeeded"
            assert steps.get("again") != "succeeded"
