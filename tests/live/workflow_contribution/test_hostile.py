"""Hostile contributions, each a folder: what somebody submits and does, and where that ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from naftiko.workflow.contribution.desk import APPROVAL_FORMAT
from naftiko.workflow.contribution.layout import seal
from naftiko.workflow.contribution.report import report_digest
from naftiko.workflow.contribution.reviews import Subject, review_name, signed_review
from naftiko.workflow.plan.canonical import file_bytes, parse_file
from naftiko.workflow.plan.keys import generate
from naftiko.workflow.plan.trust import parse_time
from tests.live.cli.config_clients import Ran
from tests.live.workflow_contribution.stage import (
    FOLDER,
    GOOD,
    REVIEWERS,
    House,
    Json,
    codes,
    data,
    failed_gates,
)

CASES = sorted(FOLDER.glob("hostile/*"))


class Actions:
    """What an `expect.yaml` may script. Those that run a command return what it left."""

    def __init__(self, house: House, case: Path) -> None:
        self.house, self.case = house, case

    def run(self, action: str | Json) -> Ran | None:
        """Do one thing: "approve", or {"publish": {"key": "alice"}}."""
        name, given = (action, {}) if isinstance(action, str) else next(iter(action.items()))
        method: Callable[..., Ran | None] = getattr(self, f"do_{name}")
        return method(**given) if isinstance(given, dict) else method(given)

    def do_submit(
        self, sign: str = "", append: tuple[str, str] | None = None, *, fails: bool = False
    ) -> Ran | None:
        folder = self.case
        if append is not None:
            folder = Path(shutil.copytree(self.case, self.house.folder / "again"))
            with (folder / append[0]).open("a") as file:
                file.write(append[1])
        ran = self.house.submit(folder, *(("--sign", sign) if sign else ()))
        if not fails:
            return ran
        assert ran.code == 3
        return None

    def do_review(self, by: str, decision: str = "approve", role: str = "") -> Ran:
        return self.house.review(by, decision, role)

    def do_audit(self, by: str) -> Ran:
        return self.house.audited(by)

    def do_reject(self, *, reason: str) -> Ran:
        return self.house.run("reject", self.house.submission, "--reason", reason)

    def do_approve(self) -> Ran:
        return self.house.approve()

    def do_publish(self, key: str = "printer") -> Ran:
        return self.house.publish(key)

    def do_call(self, arguments: list[str]) -> Ran:
        return self.house.run(*arguments)

    def do_trust(self, key: str, role: str, until: str = "", *, new: bool = False) -> None:
        if new:
            generate(self.house.keys, key)
            if role == "auditor":
                self.house.trusted(key, (role,), ("enterprise",))
        end = parse_time(until) if until else None
        self.house.trusted(key, (role,), not_after=end)

    def do_alias(self, of: str, name: str, role: str) -> None:
        """Trust somebody's key under another name as well."""
        keys = self.house.keys
        shutil.copy(keys / f"{of}.key.pem", keys / f"{name}.key.pem")
        public = parse_file((keys / f"{of}.pub.json").read_bytes())
        public["key_id"] = self.house.key_id(name)
        (keys / f"{name}.pub.json").write_bytes(file_bytes(public))
        self.house.trusted(name, (role,))

    def do_revoke(self, name: str) -> None:
        ran = self.house.run(
            *("revoke", "--key-id", self.house.key_id(name), "--reason", "lost"),
            *("--key", "owner", "--keys", str(self.house.keys)),
        )
        assert ran.code == 0, ran.out

    def do_append(self, file: str, text: str) -> None:
        with (self.house.home / file).open("a") as opened:
            opened.write(text)

    def do_put(self, file: str, text: str) -> None:
        (self.house.home / file).write_text(text)

    def do_link(self, name: str, to: str) -> None:
        outside, inside = self.house.folder / to, self.house.home / name
        if inside.is_file():
            shutil.move(inside, outside)
        else:
            outside.mkdir()
        inside.symlink_to(outside)

    def do_record(self, file: str, member: str, value: Any) -> None:
        """Change a record, and give it the checksum that it has then."""
        self._changed(
            self.house.home / file, lambda record: record.update(seal({**record, member: value}))
        )

    def do_report(self, member: str, value: Any) -> None:
        def change(report: Json) -> None:
            report[member] = value
            report["report_sha256"] = report_digest(report)

        self._changed(self.house.home / "report.json", change)

    def do_approval(self, names: list[str]) -> None:
        """Write what `approve` would have written."""
        report = parse_file((self.house.home / "report.json").read_bytes())
        approval = {
            name: report[name]
            for name in ("submission", "source_sha256", "plan_checksum", "report_sha256")
        }
        approval |= {
            "format": APPROVAL_FORMAT,
            "counted": [self.house.key_id(name) for name in names],
            "approved_at": "2026-01-01T00:00:00Z",
        }
        (self.house.home / "approval.json").write_bytes(file_bytes(seal(approval)))

    def do_alter(self, review: str, member: str, value: str) -> None:
        path = self.house.home / self._review(review)
        self._changed(path, lambda found: found["statement"].update({member: value}))

    def do_forge(self, of: str, name: str, sign: str, change: Json | None = None) -> None:
        """Write a review of `name`'s after one of somebody else, signed by whoever it is."""
        review = parse_file((self.house.home / self._review(of)).read_bytes())
        statement = review["statement"]
        assert isinstance(statement, dict)
        forged = {**statement, "reviewer": self.house.key_id(name), **(change or {})}
        subject = Subject(
            submission="",
            source_sha256="",
            plan_checksum="",
            report_sha256="",
            tier="community",
            author="",
        )
        document = signed_review(forged, self.house.key(sign), subject)
        path = self.house.home / review_name(self.house.key_id(name), str(statement["role"]))
        path.write_bytes(file_bytes(document))

    def do_swap_audits(self) -> None:
        for path in (self.house.home / "audits").iterdir():
            path.write_bytes(b"%PDF nothing was found\n")

    def _review(self, name: str) -> str:
        return review_name(self.house.key_id(name), REVIEWERS[name])

    @staticmethod
    def _changed(path: Path, change: Callable[[Json], None]) -> None:
        record = parse_file(path.read_bytes())
        change(record)
        path.write_bytes(file_bytes(record))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_refused(house: House, case: Path) -> None:
    expect = yaml.safe_load((case / "expect.yaml").read_text("utf-8"))
    for tier in expect.get("catalog", ()):
        assert house.approved(tier).publish().code == 0
    before = _published(house)
    *first, last = expect.get("actions", ["submit"])
    actions = Actions(house, case)

    for action in first:
        ran = actions.run(action)
        assert ran is None or ran.code == 0, (action, ran.out + ran.err)
    ran = actions.run(last)

    assert ran is not None
    assert ran.code == 3, ran.out + ran.err
    answer = data(ran)
    assert expect["code"] in codes(answer), answer
    if "report" in answer:
        assert failed_gates(answer) == [expect["gate"]], answer
    assert _published(house) == before


def _published(house: House) -> list[str]:
    return sorted(path.name for path in house.catalog.glob("workflows/*/*/*/plan.json"))


def test_there_are_enough() -> None:
    assert len(CASES) >= 15
    assert all((case / "source.yaml").is_file() for case in CASES)
    assert {path.name for path in GOOD.iterdir()} == {"community", "verified", "enterprise"}
