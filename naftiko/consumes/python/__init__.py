"""Python functions as consumed operations, for programs that embed the engine."""

from naftiko.consumes.python.adapter import PythonClientAdapter, compile_functions

__all__ = ["PythonClientAdapter", "compile_functions"]
