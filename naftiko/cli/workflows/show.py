"""`naftiko workflow show NAME`: what a workflow takes, does and gives."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import ExitCode
from naftiko.values import JsonObject
from naftiko.workflow.plan.walk import mapping, objects, texts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_name(parser)
    common.add_catalog(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Print it; 1 if the source has errors."""
    target = common.find_target(arguments.name, common.open_catalog(arguments))
    shown = common.plan_to_show(target, console)
    if shown is None:
        return ExitCode.PROBLEMS
    plan = shown.plan
    if arguments.json:
        names = ("name", "version", "type", "checksum", "parameters", "nested", "metadata")
        found: JsonObject = {name: plan[name] for name in names}
        found["outputs"] = list(mapping(plan["outputs"]))
        found["steps"] = [
            {"step_id": op["step_id"], "op": op["op"], "operation": op.get("operation")}
            for op in objects(plan["execution_plan"])
        ]
        found["rollback"] = [
            {"handler": one["handler"], "steps": one["steps"]} for one in objects(plan["rollback"])
        ]
        found["signed_by"] = [one["key_id"] for one in objects(plan["signatures"])]
        found["withdrawn"] = _withdrawn(target, plan)
        common.print_json(found, console)
    else:
        console.data("\n".join(_lines(plan)))
        withdrawn = _withdrawn(target, plan)
        if withdrawn is not None:
            console.note(f"{withdrawn['state']}: {withdrawn['reason']}")
    return ExitCode.OK


def _withdrawn(target: common.Target, plan: JsonObject) -> JsonObject | None:
    """Return whether a version was deprecated or revoked, and why."""
    if target.entry is None:
        return None
    trust, checksum = target.catalog.trust(target.entry), str(plan["checksum"])
    revoked, deprecated = trust.revoked_checksums.get(checksum), trust.deprecation(checksum)
    found = revoked or deprecated
    if found is None:
        return None
    return {"state": "revoked" if revoked is not None else "deprecated", **found.to_json()}


def _lines(plan: JsonObject) -> Iterator[str]:
    from naftiko.workflow.disassembler import headline

    metadata = mapping(plan["metadata"])
    does = "only reads" if metadata["read_only"] else "changes things"
    yield (
        f"{plan['name']}@{plan['version']}: {metadata['tier']}, risk {metadata['risk_score']}, "
        f"{does}, at most {metadata['max_duration']} s"
    )
    signers = ", ".join(str(one["key_id"]) for one in objects(plan["signatures"]))
    yield f"signed by    {signers or '-'}"
    yield f"permissions  {', '.join(texts(metadata['required_permissions'])) or 'none'}"
    yield "parameters"
    rows = [
        [
            f"  {one['name']}",
            str(one["type"]),
            "required" if one.get("required") else f"default {_default(one)}",
            str(one.get("description") or ""),
        ]
        for one in objects(plan["parameters"])
    ]
    yield from common.columns(rows) or ["  none"]
    yield "steps"
    yield from common.columns(
        [[f"  {op['step_id']}", headline(op)] for op in objects(plan["execution_plan"])]
    )
    handlers = objects(plan["rollback"])
    if handlers:
        yield "rollback"
        yield from common.columns(
            [[f"  {one['handler']}", f"of {', '.join(texts(one['steps']))}"] for one in handlers]
        )
    yield f"outputs      {', '.join(mapping(plan['outputs'])) or 'none'}"


def _default(parameter: JsonObject) -> str:
    import json

    return json.dumps(parameter.get("default"), ensure_ascii=False)
