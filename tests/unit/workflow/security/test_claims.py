"""A plan that says less of its calls than they are is refused, whoever signed it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from naftiko.values import JsonObject
from naftiko.workflow.compiler import compile_source, load_data
from naftiko.workflow.plan.canonical import file_bytes
from naftiko.workflow.plan.refused import IntegrityError
from naftiko.workflow.runtime.plans import Plans
from naftiko.workflow.runtime.policy import Policy, Refused
from naftiko.workflow.security.claims import check_claims
from tests.unit.workflow.plan.plans import NOW, signed, summed
from tests.unit.workflow.runtime.catalogs import trust

SOURCE = """\
name: reading
version: "1.0"
description: "Looks at one thing"
parameters:
  - {name: id, type: string, required: true}
steps:
  - id: look
    type: command
    context: {service: SERVICE, action: ACTION, MEMBER: "${params.id}"}
"""


def plan(service: str, action: str, member: str) -> JsonObject:
    texts = {"SERVICE": service, "ACTION": action, "MEMBER": member}
    source = SOURCE
    for name, text in texts.items():
        source = source.replace(name, text)
    found = compile_source(source, "reading", load_data())
    assert found.plan is not None, found.problems
    return found.plan


def as_if(**call: Any) -> JsonObject:
    """A plan that looks like one that reads, and calls something else."""
    made: Any = plan("rds", "DescribeDBInstances", "DBInstanceIdentifier")
    made["execution_plan"][0].update(call)
    return summed(made)


DELETES = as_if(action="delete-db-instance", operation="DeleteDBInstance", paginate=None)


def test_what_the_compiler_says_is_true() -> None:
    check_claims(plan("rds", "DescribeDBInstances", "DBInstanceIdentifier"))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (DELETES, "is of the access level List, and it is of Write"),
        (
            as_if(
                service="secretsmanager",
                action="get-secret-value",
                operation="GetSecretValue",
                access_level="Read",
            ),
            "reads no secret, and it does",
        ),
        (
            as_if(action="delete-db-instance", operation="DeleteDBInstance", access_level="Write"),
            "changes nothing, and it does",
        ),
        (
            as_if(service="rds", operation="EraseEverything"),
            "reads, and nothing is known that tells so",
        ),
    ],
    ids=["level", "secret", "mutating", "unknown"],
)
def test_what_a_plan_understates_is_found(made: JsonObject, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        check_claims(made)


def test_a_signed_plan_that_lies_does_not_run(tmp_path: Path) -> None:
    made: Any = DELETES
    home = tmp_path / "workflows" / "community" / "reading" / "1.0"
    home.mkdir(parents=True)
    (home / "plan.json").write_bytes(file_bytes(signed(made)))
    trust(tmp_path)
    with pytest.raises(Refused, match="DeleteDBInstance") as refused:
        Plans(folders=[tmp_path], policy=Policy()).runnable("reading", NOW)
    assert refused.value.type == "IntegrityError"
