"""Strings with a meaning, compiled once: templates, JSONPath, durations, sizes. No I/O."""

from __future__ import annotations

from naftiko.errors import NaftikoError, Problem


class ExpressionError(NaftikoError):
    """A string in the file does not mean anything; `problem` says why and where."""

    def __init__(self, problem: Problem) -> None:
        """Keep the problem."""
        super().__init__(f"{problem.location}: {problem.message}")
        self.problem = problem
