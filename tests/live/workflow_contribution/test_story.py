"""From a submission to a version that runs, and to the end of it; for each tier."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from naftiko.workflow.catalog import Catalog
from naftiko.workflow.plan.integrity import verify
from tests.live.workflow_contribution.stage import GOOD, House, codes, data

TIERS = ("community", "verified", "enterprise")
NAMES = {
    "community": "list_team_queues",
    "verified": "make_owned_queue",
    "enterprise": "drain_and_delete_queue",
}


@pytest.mark.parametrize("tier", TIERS)
def test_a_good_contribution_is_published(house: House, tier: str) -> None:
    house.approved(tier)
    assert house.state()["state"] == "approved"

    ran = house.publish()

    assert ran.code == 0, ran.err
    home = house.catalog / "workflows" / tier / NAMES[tier] / "1.0"
    reviews = {"community": 2, "verified": 1, "enterprise": 2}[tier]
    assert len(list((home / "reviews").glob("*.json"))) == reviews
    names = {path.name for path in home.iterdir() if path.is_file()}
    assert names == {"source.yaml", "plan.json", "tests.yaml", "README.md", "report.json"}
    assert len(list(home.glob("audits/*"))) == (2 if tier == "enterprise" else 0)
    assert not house.home.exists()
    assert data(house.run("submissions")) == {"submissions": []}
    assert house.run("verify", NAMES[tier]).code == 0


def test_states_one_after_the_other(house: House) -> None:
    house.submit(GOOD / "community")
    assert house.state()["state"] == "checked"
    assert house.state()["missing"] == ["0 of 2 community_reviewer"]

    house.review("bob")
    assert house.state()["state"] == "in_review"
    assert house.state()["missing"] == ["1 of 2 community_reviewer"]
    assert codes(data(house.approve())) == {"WF960"}

    house.review("carol")
    assert house.state()["missing"] == ["approve"]
    assert house.approve().code == 0
    assert house.state()["state"] == "approved"
    assert house.state()["missing"] == ["publish"]


def test_what_does_not_follow_is_refused_with_what_does(house: House) -> None:
    house.submit(GOOD / "community")

    answer = data(house.publish())
    assert answer["error"]["code"] == "WF964"
    assert answer["error"]["hint"] == "what may follow: submit, check, review, reject"

    assert house.run("reject", house.submission, "--reason", "we have one").code == 0
    assert house.state()["state"] == "rejected"
    assert "WF964" in codes(data(house.review("bob")))
    assert codes(data(house.submit(GOOD / "community"))) == {"WF964"}


def test_the_same_inputs_give_the_same_report(house: House) -> None:
    house.submit(GOOD / "verified")
    first = (house.home / "report.json").read_bytes()

    house.submit(GOOD / "verified")

    assert (house.home / "report.json").read_bytes() == first
    assert str(house.folder).encode() not in first


def test_a_version_never_changes(house: House) -> None:
    house.approved("community").publish()

    assert codes(data(house.submit(GOOD / "community"))) == {"WF963"}


def test_a_request_for_changes_stands_until_it_is_taken_back(house: House) -> None:
    house.submit(GOOD / "community")
    house.review("bob")
    house.review("carol")
    assert house.approve().code == 0
    house.trusted("dora", ("labs_reviewer",))

    assert house.review("dora", "request-changes", "", "--comment", "say more").code == 0

    assert house.state()["state"] == "in_review"
    answer = data(house.approve())
    assert codes(answer) == {"WF960", "WF959"}
    assert answer["error"]["findings"][0]["hint"] == "they say: say more"
    assert house.review("dora").code == 0
    assert house.approve().code == 0


def test_deprecated_runs_and_another_is_preferred(house: House) -> None:
    house.approved("community").publish()
    key = ("--key", "owner", "--keys", str(house.keys))

    ran = house.run("deprecate", "list_team_queues@1.0", "--reason", "use another", *key)

    assert ran.code == 0, ran.out + ran.err
    (row,) = data(house.run("list"))["workflows"]
    assert row["state"] == "deprecated"
    shown = data(house.run("show", "list_team_queues"))
    assert shown["withdrawn"]["reason"] == "use another"
    ran = house.run(
        *("run", "list_team_queues", "-p", "prefix=blue", "--mode", "full", "--sandbox")
    )
    assert ran.code == 0, ran.err
    assert "deprecated: use another" in json.dumps(data(ran)["warnings"])


def test_revoked_runs_no_more(house: House) -> None:
    house.approved("community").publish()
    key = ("--key", "owner", "--keys", str(house.keys))

    assert house.run("revoke", "list_team_queues@1.0", "--reason", "bad", *key).code == 0

    assert data(house.run("list"))["workflows"][0]["state"] == "revoked"
    assert house.run("verify", "list_team_queues").code == 3
    again = house.run("revoke", "list_team_queues@1.0", "--reason", "bad", *key)
    assert codes(data(again)) == {"WF964"}


def test_a_revoked_key_takes_its_plans_along(house: House) -> None:
    house.approved("community").publish()
    key = ("--key", "owner", "--keys", str(house.keys))

    ran = house.run("revoke", "--key-id", house.key_id("printer"), "--reason", "lost", *key)

    assert ran.code == 0
    assert house.run("verify", "list_team_queues").code == 3


def test_trust_data_keep_their_signer(house: House) -> None:
    house.approved("community").publish()
    key = ("--key", "printer", "--keys", str(house.keys))

    answer = data(house.run("revoke", "list_team_queues@1.0", "--reason", "x", *key))

    assert codes(answer) == {"WF962"}


def test_gates_before_and_after_submitting(house: House) -> None:
    source = house.contribution(GOOD / "verified")
    ran = house.run("check", "--gates", str(source))
    assert ran.code == 0, ran.out

    house.submit(GOOD / "verified")
    ran = house.run("check", "--gates", house.submission)
    assert ran.code == 0, ran.out
    assert house.run("check", "--gates", str(house.home)).code == 0

    text = (house.home / "README.md").read_text()
    (house.home / "README.md").write_text(text + "More.\n")
    ran = house.run("check", "--gates", house.submission)
    assert ran.code == 3
    assert data(ran)["reports"][0]["error"]["code"] == "WF951"


def test_a_draft_in_the_catalog_becomes_the_version(house: House) -> None:
    draft = house.catalog / "workflows/community/list_team_queues/1.0"
    draft.mkdir(parents=True)
    for name in ("source.yaml", "tests.yaml", "README.md"):
        (draft / name).write_bytes((GOOD / "community" / name).read_bytes())

    house.approved("community").publish()

    catalog = Catalog.open([house.catalog])
    entry = catalog.find("list_team_queues")
    plan = catalog.plan(entry)
    found = verify(plan, catalog.trust(entry), now=datetime.now(UTC))
    assert found.is_signed
    assert sorted(path.name for path in draft.parent.iterdir()) == ["1.0"]
