"""The environment of the processes that read strangers' data: where modules are, and no secret."""

from __future__ import annotations

import os
import sys

KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")
"""Without these some interpreters do not start, or find no folder for their files."""


def child_environment() -> dict[str, str]:
    """Return the environment of a process that a library may be tricked in.

    What the engine was given to keep is not in it.
    """
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def no_core_dumps() -> None:
    """Leave no picture of this process's memory on the disk when it is ended."""
    try:
        import resource
    except ImportError:  # there is none on Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
