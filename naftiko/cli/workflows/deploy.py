"""`naftiko workflow deploy NAME --role-arn ARN`: the plan as a state machine in an account."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from naftiko.cli.console import Console
from naftiko.cli.loading import start_sandbox
from naftiko.cli.workflows import common
from naftiko.cli.workflows.serving import add_aws
from naftiko.errors import ExitCode, StartError
from naftiko.sandbox import Sandbox
from naftiko.values import JsonObject


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    common.add_name(parser, files=False)
    parser.add_argument(
        "--role-arn", required=True, metavar="ARN", help="the role that the state machine runs as"
    )
    parser.add_argument(
        "--machine-name",
        metavar="NAME",
        help="what it is called (default: as `run --target step-functions` expects it)",
    )
    parser.add_argument(
        "--update", action="store_true", help="change one of that name that is different"
    )
    parser.add_argument(
        "--dev",
        action="store_true",
        help="let a plan without a signature pass, to an AWS on this machine only",
    )
    common.add_trust_root(parser)
    common.add_json(parser)
    common.add_catalog(parser)
    add_aws(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Register it; 3 if the plan may not run."""
    if not arguments.sandbox:
        return _deploy(arguments, console, None)
    with start_sandbox(region=arguments.region or "us-east-1") as sandbox:
        return _deploy(arguments, console, sandbox)


def _deploy(arguments: argparse.Namespace, console: Console, sandbox: Sandbox | None) -> int:
    from naftiko.serving import run_async
    from naftiko.workflow.asl.deploy import DeployError
    from naftiko.workflow.ports import AwsFailure

    try:
        made = run_async(_run(arguments, console, sandbox))
    except DeployError as error:
        common.print_found(error.problems, console)
        console.error(error.message, error.hint)
        return ExitCode.PROBLEMS
    except AwsFailure as failure:
        console.error(f"AWS refused: {failure.code or failure.kind}", failure.message)
        return ExitCode.PROBLEMS
    if arguments.json:
        common.print_json(made, console)
        return ExitCode.OK
    console.data(f"{made['arn']} {made['outcome']}")
    warnings = made["warnings"]
    for warning in warnings if isinstance(warnings, list) else []:
        console.note(f"warning: {warning}")
    console.note(
        f"what the role must be able to do: naftiko workflow export-asl {arguments.name} --policy"
    )
    return ExitCode.OK


async def _run(
    arguments: argparse.Namespace, console: Console, sandbox: Sandbox | None
) -> JsonObject:
    from naftiko.cli.workflows.aws import open_caller
    from naftiko.consumes.aws.settings import AwsSettings
    from naftiko.plan.masking import Masker
    from naftiko.workflow.asl.deploy import deploy
    from naftiko.workflow.plan.drift import check_drift
    from naftiko.workflow.plan.integrity import verify
    from naftiko.workflow.security.claims import check_claims

    masker = Masker()
    console.add_masker(masker)
    settings = AwsSettings(
        region=arguments.region, profile=arguments.profile, endpoint_url=arguments.endpoint_url
    )
    caller = open_caller(sandbox, masker, settings)
    try:
        if not caller.region:
            raise StartError("no region is set", hint="give --region, or set AWS_REGION")
        catalog = common.open_catalog(arguments)
        entry = common.find_entry(arguments.name, catalog)
        plan = catalog.plan(entry)
        verify(
            plan,
            catalog.trust(entry, root=arguments.trust_root),
            now=datetime.now(UTC),
            dev=arguments.dev,
            endpoint_is_loopback=caller.is_loopback,
        )
        check_drift(plan)
        check_claims(plan)
        made = await deploy(
            plan,
            caller,
            role_arn=arguments.role_arn,
            region=caller.region,
            name=arguments.machine_name,
            update=arguments.update,
        )
        return made.to_json()
    finally:
        await caller.close()
