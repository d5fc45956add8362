"""ExposesControl -> ControlAdapterPlan."""

from __future__ import annotations

from naftiko.errors import Problems
from naftiko.extras import require_extra
from naftiko.model.capability import Capability
from naftiko.model.control import ExposesControl
from naftiko.plan.capability import ControlAdapterPlan
from naftiko.plan.settings import AdapterSettings

DEFAULT_NAME = "control"
DEFAULT_ADDRESS = "localhost"
"""127.0.0.1 and ::1: a control port is nobody's business but this machine's, unless it says so."""


def compile_control(
    exposes: ExposesControl,
    *,
    capability: Capability,
    settings: AdapterSettings,
    problems: Problems,
) -> ControlAdapterPlan:
    """Compile a control adapter."""
    if exposes.measures:
        _check_metrics(exposes, problems)
    return ControlAdapterPlan(
        namespace=exposes.namespace or DEFAULT_NAME,
        address=settings.address(exposes.address) or DEFAULT_ADDRESS,
        port=settings.port(exposes.port, "control", exposes.location),
        description=exposes.description,
        auth=settings.auth(exposes.authentication),
        health=exposes.health,
        status=exposes.info,
        metrics=exposes.measures,
        generation=capability.generation,
        spec_version=capability.spec_version,
        location=exposes.location,
    )


def _check_metrics(exposes: ExposesControl, problems: Problems) -> None:
    """Say that a package is missing: a warning where the file itself asks for metrics."""
    missing = require_extra("metrics", "prometheus_client")
    if missing is None:
        return
    message = "`/metrics` answers 503, as a package is missing"
    if exposes.metrics is not None:
        problems.warn("missing-extra", message, exposes.metrics, missing)
    else:
        problems.info("missing-extra", message, exposes.location, missing)
