"""AWS for commands that have no capability file: the environment's, or the embedded one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naftiko.consumes.aws.settings import AwsSettings
    from naftiko.consumes.workflows.caller import AwsCaller
    from naftiko.plan.masking import Masker
    from naftiko.plan.ports import ClientContext
    from naftiko.sandbox import Sandbox


def client_context(
    environment: Mapping[str, str], masker: Masker, *, sandbox: bool
) -> ClientContext:
    """Return what a client adapter is made with where there is no file: no variables are bound."""
    from naftiko.errors import Problems
    from naftiko.plan.ports import ClientContext
    from naftiko.plan.templates import PlanTemplates
    from naftiko.resolve.binds import BoundVariables

    problems = Problems()
    bound = BoundVariables([], environment)
    templates = PlanTemplates(variables=bound, namespaces=(), problems=problems, masker=masker)
    return ClientContext(
        problems=problems,
        templates=templates,
        environment=environment,
        bound=bound.value,
        workspace_root=Path.cwd(),
        add_secret=masker.add,
        forget_secret=masker.forget,
        sandbox=sandbox,
    )


def open_caller(
    sandbox: Sandbox | None, masker: Masker, settings: AwsSettings | None = None
) -> AwsCaller:
    """Return the function by which AWS is reached: the embedded one, or the environment's."""
    from naftiko.cli.loading import sandbox_environment
    from naftiko.consumes.aws.settings import AwsSettings
    from naftiko.consumes.workflows.caller import AwsCaller

    environment = dict(os.environ) if sandbox is None else sandbox_environment(os.environ, sandbox)
    context = client_context(environment, masker, sandbox=sandbox is not None)
    return AwsCaller(settings or AwsSettings(), context)
