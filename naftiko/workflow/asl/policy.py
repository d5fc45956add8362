"""The role that an exported state machine runs as: who may take it, and what it may do."""

from __future__ import annotations

import re
from typing import cast

from naftiko.values import JsonObject, JsonValue

_PARTITION = re.compile(r"\$\{partition\}", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\$\{[^{}]*\}")


def role_policy(plan: JsonObject, partition: str = "aws") -> JsonObject:
    """Return {"trust": policy, "permissions": policy}, each as IAM takes it.

    Actions with known resources get a statement each; what a resource's name takes from a
    parameter is `*`. Spec: section 11.
    """
    metadata = cast("JsonObject", plan["metadata"])
    actions = sorted(
        str(action) for action in cast("list[JsonValue]", metadata["required_permissions"])
    )
    known = cast("dict[str, JsonValue]", metadata.get("permission_resources") or {})
    groups: dict[tuple[str, ...], list[str]] = {}
    for action in actions:
        groups.setdefault(_resources(known.get(action), partition), []).append(action)
    statements: list[JsonValue] = [
        {"Effect": "Allow", "Action": [*names], "Resource": [*resources]}
        for resources, names in sorted(groups.items())
    ]
    return {
        "trust": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "states.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        },
        "permissions": {"Version": "2012-10-17", "Statement": statements},
    }


def _resources(value: JsonValue, partition: str) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        return ("*",)
    found = {_PLACEHOLDER.sub("*", _PARTITION.sub(partition, str(text))) for text in texts}
    # The ARN that a parameter gives may be any.
    return ("*",) if "*" in found else tuple(sorted(found))
