"""Compiled workflows as state machines of AWS Step Functions. Spec: section 11."""

from __future__ import annotations

from naftiko.workflow.asl.deploy import DeployError, Deployment, deploy
from naftiko.workflow.asl.export import Export, definition_text, export
from naftiko.workflow.asl.start import execution_input

__all__ = [
    "DeployError",
    "Deployment",
    "Export",
    "definition_text",
    "deploy",
    "execution_input",
    "export",
]
