"""Workflows: source -> AST -> resolved operations -> plan, and the machine that runs plans.

A workflow is a data file. The compiler turns it into an immutable plan (`docs/workflow-plan.md`);
the machine runs plans, never source, and reaches AWS only through a function that it is given.
"""
