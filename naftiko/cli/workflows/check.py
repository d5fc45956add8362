"""`naftiko workflow check NAME...`: what is wrong with a workflow, what it may do, its risk."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from naftiko.cli.console import Console
from naftiko.cli.problems import summary
from naftiko.cli.workflows import common
from naftiko.errors import ExitCode, Problem
from naftiko.values import JsonObject, JsonValue
from naftiko.workflow.compiler import Compiled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_name(parser, several=True)
    common.add_all(parser)
    parser.add_argument("--strict", action="store_true", help="fail on warnings as well")
    parser.add_argument(
        "--gates",
        action="store_true",
        help="run all gates of a contribution, its tests too; also of submissions, by their ids, "
        "whose report has to be what comes out; 3 where one fails",
    )
    common.add_catalog(parser)
    common.add_json(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Compile every workflow and say everything there is to say; nothing is written."""
    if arguments.gates:
        from naftiko.cli.workflows.gates import run_gates

        return run_gates(arguments, console)
    reports: list[JsonValue] = []
    is_bad = False
    for target in common.find_targets(arguments, common.open_catalog(arguments)):
        compiled = common.compile_target(target)
        problems = [*compiled.problems, *_problems_of_tests(target, compiled)]
        is_bad = is_bad or common.has_errors(problems, strict=arguments.strict)
        if arguments.json:
            reports.append(_report(target, compiled, problems))
        else:
            _print(target, compiled, problems, console)
    if arguments.json:
        common.print_json({"workflows": reports}, console)
    return ExitCode.PROBLEMS if is_bad else ExitCode.OK


def _problems_of_tests(target: common.Target, compiled: Compiled) -> list[Problem]:
    from naftiko.errors import Problems
    from naftiko.workflow.testing import check_cases, parse_tests

    tests = target.entry.tests if target.entry is not None else None
    if tests is None or compiled.plan is None:
        return []
    problems = Problems()
    cases = parse_tests(common.read_file(tests), common.short(tests), problems)
    if cases is not None:
        check_cases(cases, compiled.plan, problems)
    return list(problems)


def _report(target: common.Target, compiled: Compiled, problems: list[Problem]) -> JsonObject:
    found: JsonObject = {
        "workflow": target.ref,
        "path": target.shown,
        "ok": not common.has_errors(problems),
        "diagnostics": common.diagnostics_json(problems, target.read(), target.shown),
    }
    if compiled.plan is not None:
        metadata = _metadata(compiled.plan)
        found["checksum"] = compiled.plan["checksum"]
        for name in (
            "tier",
            "risk_score",
            "risk",
            "max_duration",
            "read_only",
            "services",
            "required_permissions",
            "advisory_permissions",
        ):
            found[name] = metadata[name]
    return found


def _metadata(plan: JsonObject) -> JsonObject:
    metadata = plan["metadata"]
    assert isinstance(metadata, dict)  # the compiler made it
    return metadata


def _print(
    target: common.Target, compiled: Compiled, problems: list[Problem], console: Console
) -> None:
    common.print_found(problems, console, to_stdout=True)
    if compiled.plan is not None:
        console.data("\n".join(_summary(compiled.plan)))
    console.note(f"{target.shown}: {summary(problems)}")


def _summary(plan: JsonObject) -> Iterator[str]:
    metadata = _metadata(plan)
    kind = "only reads" if metadata["read_only"] else "changes things"
    yield f"{plan['name']}@{plan['version']}: tier {metadata['tier']}, {kind}"
    yield f"  risk         {metadata['risk_score']} of 10"
    for term in _objects(metadata["risk"]):
        added = "".join(f", {_signed(pair[1])} {pair[0]}" for pair in _lists(term["add"]))
        yield f"    {term['step_id']}: {term['base']}{added}"
    yield f"  takes        at most {metadata['max_duration']} s"
    yield f"  permissions  {_joined(metadata['required_permissions']) or 'none'}"
    if metadata["advisory_permissions"]:
        yield f"  may need     {_joined(metadata['advisory_permissions'])}"


def _signed(value: JsonValue) -> str:
    return f"{value:+g}" if isinstance(value, int | float) else str(value)


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _lists(value: JsonValue) -> list[list[JsonValue]]:
    return [item for item in value if isinstance(item, list)] if isinstance(value, list) else []


def _joined(value: JsonValue) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else ""
