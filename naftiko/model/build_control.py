"""Nodes -> control adapters. Spec: `exposes` of type `control`."""

from __future__ import annotations

from naftiko.document.nodes import Mapping, Scalar
from naftiko.errors import Problems
from naftiko.model.build_consumes import build_authentication
from naftiko.model.control import ExposesControl
from naftiko.model.fields import Fields

NOT_SERVED = "its endpoints answer 404; the rest of the control port is served"


def build_control(namespace: str, fields: Fields, problems: Problems) -> ExposesControl:
    """Build a control adapter; name what it turns on and is not served."""
    management, observability = fields.fields("management"), fields.fields("observability")
    metrics = observability.mapping("metrics") if observability is not None else None
    local = Fields(metrics).fields("local") if metrics is not None else None
    if management is not None:
        _check_management(management, problems)
    if observability is not None:
        _check_observability(observability, problems)
    return ExposesControl(
        namespace=namespace,
        port=fields.scalar("port"),
        location=fields.location,
        address=fields.scalar("address"),
        description=fields.text("description"),
        authentication=build_authentication(fields),
        health=_flag(management, "health", default=True),
        info=_flag(management, "info", default=False),
        measures=_flag(observability, "enabled", default=True)
        and _flag(local, "enabled", default=True),
        metrics=metrics.location if metrics is not None else None,
    )


def _flag(fields: Fields | None, name: str, *, default: bool) -> bool:
    found = fields.boolean(name) if fields is not None else None
    return default if found is None else found


def _check_management(management: Fields, problems: Problems) -> None:
    for name in ("reload", "validate", "logs"):
        node = management.node_of(name)
        if isinstance(node, Mapping) or (isinstance(node, Scalar) and node.value is True):
            problems.warn(
                "unsupported-management",
                f"`management.{name}` is not served by this version",
                node.location,
                NOT_SERVED,
            )
    scripting = management.mapping("scripting")
    if scripting is not None:
        problems.info(
            "unsupported-management",
            "the limits in `management.scripting` hold, but `/scripting`, which shows and changes "
            "them, is not served by this version",
            scripting.location,
        )


def _check_observability(observability: Fields, problems: Problems) -> None:
    traces, exporters = observability.mapping("traces"), observability.mapping("exporters")
    off = observability.boolean("enabled") is False
    local = Fields(traces).fields("local") if traces is not None else None
    if not off and traces is not None and _flag(local, "enabled", default=True):
        problems.warn(
            "unsupported-observability",
            "traces are not recorded by this version",
            traces.location,
            NOT_SERVED,
        )
    if not off and exporters is not None and exporters.entries:
        problems.warn(
            "unsupported-observability",
            "nothing is exported by this version: metrics are fetched from `/metrics`",
            exporters.location,
            "remove `exporters`, and let the collector scrape the control port",
        )
