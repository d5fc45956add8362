"""Optional parts of the installation: which extra brings a module, and what to say without it."""

from __future__ import annotations

from importlib.util import find_spec


def require_extra(extra: str, module: str) -> str | None:
    """Return how to install an extra whose module is not there; None where it is.

    `require_extra("xml", "defusedxml")` -> "install it with `pip install 'naftiko[xml]'`"
    """
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:  # the package that the module is part of
        found = False
    return None if found else f"install it with `pip install 'naftiko[{extra}]'`"
