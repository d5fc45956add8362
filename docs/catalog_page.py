"""The plans of capabilities/workflow-catalog -> docs/workflows/catalog.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.catalog import Catalog, Entry, version_key
from naftiko.workflow.plan.walk import mapping, objects, texts
from naftiko.workflow.runtime.policy import TIERS

CATALOG = Path(__file__).resolve().parent.parent / "capabilities" / "workflow-catalog"
LIMITS = ("min", "max", "pattern", "enum")

INTRODUCTION = """\
The workflows that come with naftiko, as their compiled plans have them: `naftiko workflow show
NAME` says the same, `naftiko workflow suggest "..."` finds one, and
[workflows](../guides/workflows.md) says how they are run. Risk is 0 to 10. Workflows of the tier
`enterprise` run only where `WORKFLOW_TIERS` names it."""


def catalog_page(note: str) -> str:
    """Return the page."""
    catalog = Catalog.open([CATALOG])
    newest = [catalog.versions(name)[-1] for name in catalog.names]
    plans = {entry.name: catalog.plan(entry) for entry in newest if entry.plan is not None}
    parts = ["# Catalog of workflows", note, INTRODUCTION, _counts(plans), _table(plans)]
    for entry in newest:
        if entry.name in plans:
            older = [one.version for one in catalog.versions(entry.name)[:-1]]
            parts += _section(entry, plans[entry.name], sorted(older, key=version_key))
    return "\n\n".join(parts) + "\n"


def _metadata(plan: JsonObject) -> JsonObject:
    return mapping(plan["metadata"])


def _counts(plans: dict[str, JsonObject]) -> str:
    services = {name for plan in plans.values() for name in texts(_metadata(plan)["services"])}
    tiers = [str(_metadata(plan)["tier"]) for plan in plans.values()]
    shown = ", ".join(f"{tiers.count(tier)} {tier}" for tier in TIERS)
    return f"{len(plans)} workflows ({shown}) over {len(services)} AWS services."


def _table(plans: dict[str, JsonObject]) -> str:
    rows = ["| workflow | does | tier | risk | changes | services |", "|---|---|---|---|---|---|"]
    for name, plan in plans.items():
        metadata = _metadata(plan)
        cells = (
            f"[{name}](#{name})",
            _cell(str(plan["description"])),
            str(metadata["tier"]),
            _number(metadata["risk_score"]),
            "no" if metadata["read_only"] is True else "yes",
            ", ".join(texts(metadata["services"])),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _section(entry: Entry, plan: JsonObject, older: list[str]) -> Iterator[str]:
    metadata = _metadata(plan)
    yield f"## {entry.name}"
    yield f"{plan['description']}."
    yield "\n".join(_facts(entry, plan, older))
    cases = texts(mapping(metadata["embedding"])["use_cases"])
    if cases:
        yield "\n".join(f"> {_cell(case)}<br>" for case in cases)
    parameters = objects(plan["parameters"])
    if parameters:
        yield "\n".join(
            ["| parameter | type | |", "|---|---|---|", *(_parameter(one) for one in parameters)]
        )
    command = f"naftiko workflow run {entry.name}{_arguments(parameters)} --catalog shipped"
    yield f"```shell\n{command}\n```"


def _facts(entry: Entry, plan: JsonObject, older: list[str]) -> Iterator[str]:
    metadata = _metadata(plan)
    kind = "only reads" if metadata["read_only"] is True else "changes things"
    yield (
        f"- {entry.version}, {plan['type']}, tier {metadata['tier']}, risk "
        f"{_number(metadata['risk_score'])}, {kind}, at most {metadata['max_duration']} s"
        + (f"; older: {', '.join(older)}" if older else "")
    )
    nested = [str(one.get("name", one)) for one in objects(plan["nested"])]
    if nested:
        yield f"- consists of {', '.join(f'[{name}](#{name})' for name in nested)}"
    permissions = ", ".join(f"`{one}`" for one in texts(metadata["required_permissions"]))
    yield f"- needs {permissions or 'no permissions'}"
    handlers = [str(one["handler"]) for one in objects(plan["rollback"])]
    if handlers:
        yield f"- takes back on failure: {', '.join(f'`{name}`' for name in handlers)}"


def _parameter(parameter: JsonObject) -> str:
    said = [str(parameter.get("description", ""))]
    if parameter["required"] is True:
        said.append("**required**")
    elif parameter.get("default") is not None:
        said.append(f"default `{json.dumps(parameter['default'])}`")
    said += [f"{name} `{_plain(parameter[name])}`" for name in LIMITS if name in parameter]
    return f"| `{parameter['name']}` | {parameter['type']} | {_cell('; '.join(said))} |"


def _arguments(parameters: list[JsonObject]) -> str:
    needed = (one for one in parameters if one["required"] is True)
    return "".join(f" -p {one['name']}={str(one['name']).upper()}" for one in needed)


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _number(value: JsonValue) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
