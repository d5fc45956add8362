"""Consumed workflows: a catalog of plans, and the service that executes them."""

from naftiko.consumes.workflows.adapter import WorkflowsAdapter, compile_workflows
from naftiko.consumes.workflows.caller import AwsCaller

__all__ = ["AwsCaller", "WorkflowsAdapter", "compile_workflows"]
