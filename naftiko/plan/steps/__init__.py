"""Orchestrated operations: steps, compiled to nodes, and the plan that runs them.

`StepCompiler` (compiler.py) turns the model's steps into `StepNode`s; each module beside it holds
one family of actions. `StepsPlan` (plan.py) runs them and builds the result.
"""
