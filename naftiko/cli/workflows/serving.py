"""A service for one command: AWS, the catalog, the state, the policy, as the arguments say."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from naftiko.cli.console import Console
from naftiko.cli.workflows import common
from naftiko.errors import StartError
from naftiko.workflow.plan.schema import TIERS

if TYPE_CHECKING:
    from naftiko.consumes.workflows.settings import StateSettings
    from naftiko.sandbox import Sandbox
    from naftiko.workflow.runtime.policy import Policy
    from naftiko.workflow.runtime.service import WorkflowService

STATE_KEY = "NAFTIKO_STATE_KEY"
DEFAULT_STATE = Path(".naftiko", "workflows")
"""Under the process's folder, where `naftiko run workflow-system` keeps them too."""


def add_aws(parser: argparse.ArgumentParser) -> None:
    """Declare which AWS is meant."""
    group = parser.add_argument_group("AWS")
    group.add_argument(
        "--sandbox",
        action="store_true",
        help="an AWS on this machine, as long as the command runs; no account is needed",
    )
    group.add_argument("--region", help="(default: that of the environment)")
    group.add_argument("--profile", help="a profile of the AWS settings")
    group.add_argument("--endpoint-url", metavar="URL", help="where AWS is, if not at AWS")


def add_state(parser: argparse.ArgumentParser) -> None:
    """Declare where executions are kept."""
    group = parser.add_argument_group("state")
    group.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help=f"where executions are kept, sealed with ${STATE_KEY}; without that key they are "
        "forgotten at the end (default: $NAFTIKO_STATE_DIR, else ./.naftiko/workflows)",
    )


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Declare what may run."""
    group = parser.add_argument_group("policy")
    group.add_argument(
        "--dev",
        action="store_true",
        help="let plans without a signature run, against an AWS on this machine only",
    )
    group.add_argument(
        "--tiers",
        default="community,verified",
        metavar="LIST",
        help="the tiers that may run (default: community,verified)",
    )
    group.add_argument(
        "--risk-ceiling",
        type=float,
        default=10.0,
        metavar="N",
        help="the highest risk (default: 10)",
    )
    group.add_argument(
        "--permission-check",
        choices=("enforce", "warn", "off"),
        help="look first whether all calls are permitted (default: enforce; on a sandbox, which "
        "has none, off; at an endpoint on this machine, warn)",
    )
    group.add_argument(
        "--on-indeterminate",
        choices=("fail", "proceed"),
        default="fail",
        help="where that cannot be said (default: fail)",
    )
    group.add_argument(
        "--execution-role", metavar="ARN", help="the role to run with, limited to the plan's calls"
    )
    group.add_argument(
        "--no-isolation",
        action="store_true",
        help="run community plans in this process, not in one of their own",
    )
    group.add_argument(
        "--target",
        choices=("local", "step-functions"),
        default="local",
        help="where plans run (default: local)",
    )
    group.add_argument(
        "--view",
        choices=("label", "redact", "raw"),
        default="label",
        help="how AWS's texts are shown: without control characters, without what reads like an "
        "instruction too, or as they are (default: label)",
    )
    common.add_trust_root(group)  # type: ignore[arg-type]  # a group takes arguments as well


def read_policy(arguments: argparse.Namespace, *, is_sandbox: bool, is_loopback: bool) -> Policy:
    """Return the policy; wrong tiers end the command with 2."""
    from naftiko.workflow.runtime.policy import Policy

    tiers = tuple(tier.strip() for tier in arguments.tiers.split(",") if tier.strip())
    for tier in tiers:
        if tier not in TIERS:
            arguments.parser.error(f"`{tier}` is no tier: choose from {', '.join(TIERS)}")
    otherwise = "off" if is_sandbox else "warn" if is_loopback else "enforce"
    return Policy(
        tiers_enabled=tiers,
        risk_ceiling=arguments.risk_ceiling,
        permission_check=arguments.permission_check or otherwise,
        on_indeterminate=arguments.on_indeterminate,
        execution_role=arguments.execution_role,
        dev=arguments.dev,
        target=arguments.target,
        isolate=not arguments.no_isolation,
    )


def state_folder(arguments: argparse.Namespace) -> Path:
    """Return where executions are kept."""
    if arguments.state is not None:
        return Path(arguments.state)
    if os.environ.get("NAFTIKO_STATE_DIR"):
        return Path(os.environ["NAFTIKO_STATE_DIR"])
    return Path.cwd() / DEFAULT_STATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A service. `is_durable` tells whether executions outlive the command."""

    service: WorkflowService
    is_durable: bool


@contextlib.asynccontextmanager
async def serve(
    arguments: argparse.Namespace,
    console: Console,
    sandbox: Sandbox | None,
    *,
    needs_state: bool = False,
    scans: bool = False,
) -> AsyncIterator[Served]:
    """Give a service for as long as the block runs; what runs then is left to be resumed.

    `scans`: it takes up what other workers left. Raises: StartError.
    """
    from naftiko.cli.workflows.aws import open_caller
    from naftiko.consumes.aws.settings import AwsSettings
    from naftiko.consumes.workflows.building import build_service
    from naftiko.consumes.workflows.settings import WorkflowSettings
    from naftiko.plan.masking import Masker

    state = read_state(arguments, sandbox)
    if needs_state and state.key is None:
        raise StartError(
            f"without `{STATE_KEY}` no executions are kept",
            hint=f"export {STATE_KEY}=$(naftiko workflow keys state), before they are started",
        )
    masker = Masker()
    console.add_masker(masker)
    if state.key is not None:
        masker.add(state.key)
    aws = AwsSettings(
        region=arguments.region, profile=arguments.profile, endpoint_url=arguments.endpoint_url
    )
    caller = open_caller(sandbox, masker, aws)
    settings = WorkflowSettings(
        namespace="workflows",
        folders=tuple(common.catalog_folders(arguments)),
        trust_root=arguments.trust_root,
        state=state,
        policy=read_policy(
            arguments, is_sandbox=sandbox is not None, is_loopback=caller.is_loopback
        ),
        view=arguments.view,
        allow_raw=True,
        cancels=True,
        aws=aws,
    )
    service = build_service(settings, caller)
    service.scans = scans
    try:
        yield Served(service=service, is_durable=state.key is not None)
    finally:
        await service.close()
        await caller.close()


def read_state(arguments: argparse.Namespace, sandbox: Sandbox | None) -> StateSettings:
    """Return where executions are kept; what a sandbox knows is gone with the command."""
    from naftiko.consumes.workflows.settings import StateSettings

    key = os.environ.get(STATE_KEY)
    if not key or sandbox is not None:
        return StateSettings()
    return StateSettings(type_="sqlite", folder=state_folder(arguments), key=key)
