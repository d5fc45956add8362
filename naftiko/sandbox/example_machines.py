"""The examples: data files beside this module -> state machines, activities and their role."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

from naftiko.sandbox import activities, aliases, machines
from naftiko.sandbox.account import ACCOUNT_ID
from naftiko.sandbox.backend import Backend

ROLE_NAME = "naftiko-sandbox-states"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT_ID}:role/{ROLE_NAME}"

EXAMPLES = ("hello-world", "order-processing", "human-approval", "flaky-import")

_ACTIVITY = re.compile(r"\{activity:([^}]+)\}")
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def load(backend: Backend) -> None:
    """Create the examples in a backend."""
    folder = resources.files("naftiko.sandbox") / "examples"
    for name in EXAMPLES:
        text = (folder / f"{name}.json").read_text(encoding="utf-8")
        with_arns = _ACTIVITY.sub(lambda match: backend.arn("activity", match[1]), text)
        _create(backend, json.loads(with_arns))


def create_role(region: str) -> None:
    """Create the role that the examples use in moto's IAM, unless it is there."""
    from moto.iam.models import iam_backends

    iam = iam_backends[ACCOUNT_ID]["aws"]
    if any(role.name == ROLE_NAME for role in iam.roles.values()):
        return
    iam.create_role(
        role_name=ROLE_NAME,
        assume_role_policy_document=json.dumps(_TRUST),
        path="/",
        permissions_boundary=None,
        description=f"What the example state machines in {region} run as",
        tags=[],
        max_session_duration="3600",
    )


def _create(backend: Backend, example: dict[str, Any]) -> None:
    for activity in example.get("activities", ()):
        activities.create(backend, {"name": activity})
    request = {
        "name": example["name"],
        "type": example["type"],
        "roleArn": ROLE_ARN,
        "definition": json.dumps(example["definition"], indent=2),
        "tags": [{"key": "naftiko:example", "value": "true"}],
    }
    if "publish" in example:
        request |= {"publish": True, "versionDescription": example["publish"]}
    created = machines.create_unchecked(backend, request)  # a test checks them all
    if "alias" in example:
        route = {"stateMachineVersionArn": created["stateMachineVersionArn"], "weight": 100}
        aliases.create(backend, {"name": example["alias"], "routingConfiguration": [route]})
