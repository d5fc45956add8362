"""naftiko: runs capabilities. One YAML file becomes REST routes and MCP tools.

>>> import naftiko
>>> capability = naftiko.load("stepfunctions")
>>> await capability.call("step-functions.list-state-machines")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from naftiko.version import __version__

if TYPE_CHECKING:
    from naftiko.capability import Capability, load
    from naftiko.errors import (
        ConsumedError,
        DeadlineError,
        FieldError,
        InputError,
        NaftikoError,
        Problem,
        RunError,
        Severity,
        SpecError,
        StartError,
    )
    from naftiko.plan.ports import Result
    from naftiko.serving import ServeOptions, serve, serve_capabilities

_HOMES = {
    "Capability": "naftiko.capability",
    "load": "naftiko.capability",
    "Result": "naftiko.plan.ports",
    "ServeOptions": "naftiko.serving",
    "serve": "naftiko.serving",
    "serve_capabilities": "naftiko.serving",
}
"""Where the public names live. They are imported when used, so that `naftiko --help` is quick."""
_ERRORS = "naftiko.errors"

__all__ = [
    "Capability",
    "ConsumedError",
    "DeadlineError",
    "FieldError",
    "InputError",
    "NaftikoError",
    "Problem",
    "Result",
    "RunError",
    "ServeOptions",
    "Severity",
    "SpecError",
    "StartError",
    "__version__",
    "load",
    "serve",
    "serve_capabilities",
]


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, _ERRORS)), name)
