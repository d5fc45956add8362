"""moto found, checked and loaded: what the sandbox stands on, or a clear error."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
import os
import sys
import threading
import types

from naftiko.sandbox.account import INSTALL, SandboxUnavailable

SUPPORTED = ((5, 2, 5), (5, 3))

endpoint_url: str | None = None
"""Where the AWS calls of executions go; None while no sandbox runs."""

TIME_SCALE = "NAFTIKO_SANDBOX_TIME_SCALE"
"""The variable that says how long a second of waiting takes: 0.01, or 0 for not at all."""

_loading = threading.Lock()


def time_scale() -> float:
    """Return how long a second of a Wait state, or of a pause before a retry, really takes."""
    try:
        scale = float(os.environ.get(TIME_SCALE) or 1.0)
    except ValueError:
        return 1.0
    return scale if 0.0 <= scale <= 1.0 else 1.0


def check_moto() -> None:
    """See that moto is there in a version that the extension knows.

    Raises: SandboxUnavailable.
    """
    for package in ("moto", "antlr4", "jsonpath_ng", "flask", "flask_cors", "werkzeug"):
        if importlib.util.find_spec(package) is None:
            raise SandboxUnavailable(f"the sandbox needs `{package}`: {INSTALL}")
    version = importlib.metadata.version("moto")
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    lowest, beyond = SUPPORTED
    if not lowest <= numbers < beyond:
        raise SandboxUnavailable(
            f"the sandbox extends moto 5.2.5 or later, before 5.3; found {version}: {INSTALL}"
        )


def load_interpreter() -> types.ModuleType:
    """Import and patch moto's interpreter, once; later calls cost nothing.

    Raises: SandboxUnavailable.
    """
    loaded = sys.modules.get("naftiko.sandbox.patches")
    if loaded is not None and getattr(loaded, "is_applied", False):
        return sys.modules["naftiko.sandbox.interpreter"]
    with _loading:
        stand_in = _batch_without_ec2()
        try:
            module = importlib.import_module("naftiko.sandbox.interpreter")
            patches = importlib.import_module("naftiko.sandbox.patches")
            patches.apply()
            patches.is_applied = True  # type: ignore[attr-defined] # a mark for the check above
        except (ImportError, AttributeError) as error:
            raise SandboxUnavailable(
                f"moto's interpreter is not as the sandbox knows it ({error}): {INSTALL}"
            ) from error
        finally:
            _put_batch_back(stand_in)
    return module


def warm_up() -> None:
    """Load the interpreter ahead of the first use, for a background thread."""
    try:
        load_interpreter().parse('{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}')
    except SandboxUnavailable:
        logging.getLogger(__name__).exception("the interpreter could not be loaded")


def _batch_without_ec2() -> types.ModuleType | None:
    # The interpreter wants one enum of `moto.batch.utils`; the package's own __init__ loads the
    # EC2 models with it: 0.5 s and 60 MB for nothing.
    if "moto.batch" in sys.modules:
        return None
    moto = importlib.import_module("moto")
    package = types.ModuleType("moto.batch")
    package.__path__ = [f"{path}/batch" for path in moto.__path__]
    sys.modules["moto.batch"] = package
    return package


def _put_batch_back(stand_in: types.ModuleType | None) -> None:
    if stand_in is None:
        return
    for name in ("moto.batch", "moto.batch.utils", "moto.batch.exceptions"):
        sys.modules.pop(name, None)
    vars(sys.modules["moto"]).pop("batch", None)


def drop_finished_threads() -> None:
    """Empty moto's list of every thread that it ever started of those that are done."""
    utils = sys.modules.get("moto.stepfunctions.parser.utils")
    if utils is not None:
        utils.TMP_THREADS[:] = [thread for thread in utils.TMP_THREADS if thread.is_alive()]
