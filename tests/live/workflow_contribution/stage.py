"""A catalog with its owner, reviewers and publishers, and `naftiko workflow` on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from naftiko.workflow.plan.keys import PRIVATE_SUFFIX, add, generate, read_private, read_public
from naftiko.workflow.plan.signing import SigningKey
from tests.case_files import CASES
from tests.live.cli.config_clients import Naftiko, Ran

FOLDER = CASES / "contribution"
GOOD = FOLDER / "good"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
POINTS = "code=yes,security=yes,documentation=yes,tests=yes,community=yes"

REVIEWERS = {
    "bob": "community_reviewer",
    "carol": "community_reviewer",
    "dora": "labs_reviewer",
    "erin": "auditor",
}
PUBLISHERS = {
    "printer": ("community", "verified", "enterprise"),
    "pamphlets": ("community",),
}

Json = dict[str, Any]


@dataclass
class House:
    """A folder with a catalog and everybody's keys."""

    folder: Path
    naftiko: Naftiko
    submission: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def catalog(self) -> Path:
        return self.folder / "catalog"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def trust(self) -> Path:
        return self.catalog / "trust"

    @property
    def home(self) -> Path:
        """The folder of the submission."""
        return self.catalog / "submissions" / self.submission

    def open(self) -> House:
        """Make the keys, and trust those who are trusted."""
        (self.catalog / "workflows").mkdir(parents=True)
        for name in ("owner", "alice", *REVIEWERS, *PUBLISHERS):
            generate(self.keys, name)
        for name, role in REVIEWERS.items():
            self.trusted(name, (role,))
        for name, tiers in PUBLISHERS.items():
            self.trusted(name, ("publisher",), tiers)
        self.trusted("erin", ("auditor",), ("enterprise",))
        return self

    def trusted(
        self,
        name: str,
        roles: tuple[str, ...],
        tiers: tuple[str, ...] = (),
        not_before: datetime = LONG_AGO,
        not_after: datetime | None = None,
    ) -> None:
        """Trust a key, with data that the owner signs."""
        add(
            self.trust,
            read_public(self.keys / f"{name}.pub.json"),
            roles=roles,
            tiers=tiers,
            not_before=not_before,
            not_after=not_after,
            signer=self.key("owner"),
        )

    def key(self, name: str) -> SigningKey:
        return read_private(self.keys / f"{name}{PRIVATE_SUFFIX}")

    def key_id(self, name: str) -> str:
        return self.key(name).key_id

    def run(self, *arguments: str) -> Ran:
        """Run `naftiko workflow ...` on the catalog, with JSON."""
        return self.naftiko("workflow", *arguments, "--catalog", str(self.catalog), "--json")

    def contribution(self, source: Path) -> Path:
        """Copy the files of a contribution to where its author works."""
        work = self.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        for name in ("source.yaml", "tests.yaml", "README.md"):
            if (source / name).is_file():
                shutil.copy(source / name, work / name)
        return work / "source.yaml"

    def submit(self, source: Path, *more: str) -> Ran:
        """Submit the files of a folder."""
        ran = self.run("submit", str(self.contribution(source)), "--keys", str(self.keys), *more)
        answer = data(ran)
        self.submission = answer.get("submission", self.submission)
        return ran

    def review(self, name: str, decision: str = "approve", role: str = "", *more: str) -> Ran:
        """Review the submission."""
        return self.run(
            "review",
            self.submission,
            *("--key", name, "--keys", str(self.keys)),
            *("--role", role or REVIEWERS[name]),
            f"--{decision}",
            *("--checklist", POINTS),
            *more,
        )

    def audited(self, name: str = "erin") -> Ran:
        """Review it as an auditor, with both documents."""
        audit, test = self.folder / "audit.pdf", self.folder / "pentest.pdf"
        audit.write_bytes(b"%PDF all was looked at\n")
        test.write_bytes(b"%PDF nobody got in\n")
        documents = ("--audit", str(audit), "--penetration-test", str(test))
        return self.review(name, "approve", "auditor", *documents)

    def approve(self) -> Ran:
        return self.run("approve", self.submission)

    def publish(self, name: str = "printer") -> Ran:
        return self.run("publish", self.submission, "--key", name, "--keys", str(self.keys))

    def approved(self, tier: str) -> House:
        """Bring a good contribution up to its approval."""
        steps: list[Callable[[], Ran]] = [lambda: self.submit(GOOD / tier)]
        match tier:
            case "community":
                steps += [lambda: self.review("bob"), lambda: self.review("carol")]
            case "verified":
                steps += [lambda: self.review("dora")]
            case _:
                steps += [lambda: self.review("dora"), self.audited]
        for step in [*steps, self.approve]:
            ran = step()
            assert ran.code == 0, ran.out + ran.err
        return self

    def state(self) -> Json:
        """Return what `submissions` says of the submission."""
        rows = data(self.run("submissions"))["submissions"]
        found: Json = next(row for row in rows if row["submission"] == self.submission)
        return found


def data(ran: Ran) -> Json:
    """Return what a command printed."""
    found: Json = json.loads(ran.out) if ran.out.strip() else {"stderr": ran.err}
    return found


def codes(answer: Json) -> set[str]:
    """Return every code in an answer: of gates, of an error and what it lists."""
    found = set()
    error = answer.get("error") or {}
    found |= {error["code"]} if "code" in error else set()
    report = answer.get("report") or {}
    gates = [one for gate in report.get("gates", ()) for one in gate["findings"]]
    listed = [*error.get("findings", ()), *gates]
    return found | {one["code"] for one in listed if one["severity"] == "error"}


def failed_gates(answer: Json) -> list[str]:
    """Return the gates that failed, those that could not be run left out."""
    return [one["gate"] for one in answer["report"]["gates"] if one["status"] == "failed"]
