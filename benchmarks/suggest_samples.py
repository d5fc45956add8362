"""Ten thousand workflows and what people ask for: the shipped plans, told in other words."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

COUNT = 10_000

_TEAMS = (
    *("billing", "orders", "search", "identity", "payments", "catalogue", "shipping", "returns"),
    *("analytics", "marketing", "support", "platform", "mobile", "partners", "pricing", "tax"),
    *("media", "archive", "fraud", "loyalty", "forecast", "warehouse", "booking", "travel"),
)
_STAGES = ("production", "staging", "development", "testing", "training", "recovery")
_REASONS = (
    *("before a release", "after an incident", "at the end of the month", "for the auditors"),
    *("when traffic grows", "during the holidays", "while the region is moved", "for a customer"),
    *("after a merger", "before a migration", "to save money", "as the runbook says"),
)
_TASKS = (
    *("back up the database", "delete old snapshots", "rotate the keys", "list public buckets"),
    *(
        "find expiring certificates",
        "restart the service",
        "stop idle machines",
        "resize the group",
    ),
    *(
        "move messages back to the queue",
        "silence the alarms",
        "pause the rule",
        "encrypt the data",
    ),
    *(
        "set how long logs are kept",
        "promote a parameter",
        "stop stale executions",
        "shift traffic",
    ),
)


def questions() -> Iterator[str]:
    """Yield questions, over and over no two of which are the same for a long while."""
    for round_ in itertools.count():
        for task, team, stage in itertools.product(_TASKS, _TEAMS, _STAGES):
            yield f"{task} of {team} in {stage}" + (f" number {round_}" if round_ else "")


def make_catalog(folder: Path, count: int = COUNT) -> Path:
    """Write a catalog of so many signed plans, made from the shipped ones."""
    from naftiko.workflow.catalog import Catalog, shipped
    from naftiko.workflow.plan.canonical import file_bytes
    from naftiko.workflow.plan.keys import add, generate, read_private
    from naftiko.workflow.plan.signing import sign

    own = shipped()
    assert own is not None
    catalog, keys = folder / "catalog", folder / "keys"
    keys.mkdir(parents=True)
    made = generate(keys, "benchmark")
    (catalog / "trust").mkdir(parents=True)
    tiers = ("community", "verified")
    day = datetime(2020, 1, 1, tzinfo=UTC)
    add(catalog / "trust", made.public, roles=("publisher",), tiers=tiers, not_before=day)
    key = read_private(made.private_path)
    there = Catalog.open([own])
    plans: list[Any] = [there.plan(one) for one in there.entries if one.plan and one.tier in tiers]
    for number in range(count):
        plan = _variant(plans[number % len(plans)], number)
        tier = str(plan["metadata"]["tier"])
        home = catalog / "workflows" / tier / str(plan["name"]) / str(plan["version"])
        home.mkdir(parents=True)
        (home / "plan.json").write_bytes(file_bytes(sign(plan, key, "publisher", tier)))
    return catalog


def _variant(plan: Any, number: int) -> Any:
    from naftiko.workflow.plan.canonical import checksum

    team = _TEAMS[number // 3 % len(_TEAMS)]
    stage, reason = _STAGES[number // 7 % len(_STAGES)], _REASONS[number // 11 % len(_REASONS)]
    name = f"{plan['name'][:40]}_{team}_{number}"
    metadata, embedding = plan["metadata"], plan["metadata"]["embedding"]
    told = {
        **embedding,
        "primary_text": f"{embedding['primary_text']} {team} {stage}"[:500],
        "use_cases": [f"{text} of {team} {reason}" for text in embedding["use_cases"]],
    }
    made = {
        **plan,
        "name": name,
        "workflow_id": str(plan["workflow_id"]).replace(str(plan["name"]), name),
        "description": f"{plan['description'][:300]} for {team} in {stage}, {reason}",
        "metadata": {**metadata, "embedding": told},
        "nested": [],
        "signatures": [],
    }
    return {**made, "checksum": checksum(made)}
