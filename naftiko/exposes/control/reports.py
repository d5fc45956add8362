"""What a control port tells of its capability, as JSON. Behaviour reference, section 9."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from naftiko.values import JsonObject, JsonValue
from naftiko.version import __version__

if TYPE_CHECKING:
    from naftiko.exposes.binding import Standing
    from naftiko.plan.capability import AdapterPlan, CapabilityPlan, ControlAdapterPlan

States: TypeAlias = Callable[[], "Mapping[str, Standing] | None"]
"""Tells by namespace how the adapters that are served here fare; None where another program serves
them, so that nothing is known of it."""


class Reports:
    """The answers of one control port."""

    def __init__(self, control: ControlAdapterPlan, plan: CapabilityPlan, states: States) -> None:
        """Start the clock of the uptime."""
        self._control = control
        self._plan = plan
        self._states = states
        self._started = time.monotonic()

    def ready(self) -> tuple[int, JsonObject]:
        """Return status and body of `/health/ready`.

        503 while an adapter that this process serves does not answer, and until discovered entries
        are there for the first time. A discovery that fails later keeps its last entries: 200.
        """
        states = self._states()
        discoveries = self.discoveries()
        stopped = states is not None and any(
            not states[adapter.namespace].started
            for adapter in self._adapters()
            if adapter.namespace in states
        )
        starting = any(item.get("state") == "starting" for item in discoveries)
        failing = any(item.get("state") == "failing" for item in discoveries)
        body: JsonObject = {
            "status": "DEGRADED" if stopped or starting or failing else "UP",
            "adapters": self.adapters(states),
        }
        if discoveries:
            body["discoveries"] = list[JsonValue](discoveries)
        return 503 if stopped or starting else 200, body

    def status(self) -> JsonObject:
        """Return the body of `/status`."""
        plan, control = self._plan, self._control
        name = "display" if control.generation == "ikanos" else "label"
        body: JsonObject = {
            "capability": {name: plan.info.label, "specVersion": control.spec_version},
            "engine": {
                "name": "naftiko",
                "version": __version__,
                "python": platform.python_version(),
            },
            "uptime": iso_duration(time.monotonic() - self._started),
            "otel": {"status": "inactive"},
            "adapters": self.adapters(self._states()),
            "notServed": [
                {"adapter": item.adapter, "name": item.name, "code": item.problem.code}
                for item in plan.disabled
            ],
        }
        discoveries = self.discoveries()
        if discoveries:
            body["discoveries"] = list[JsonValue](discoveries)
        return body

    def adapters(self, states: Mapping[str, Standing] | None) -> list[JsonValue]:
        """Return the adapters with their states; what is not served here counts as stopped."""
        found: list[JsonValue] = []
        for adapter in self._adapters():
            entry: JsonObject = {"type": adapter.kind, "namespace": adapter.namespace}
            standing = states.get(adapter.namespace) if states is not None else None
            port = standing.port if standing is not None else adapter.port
            if port is not None:
                entry["port"] = port
            runs = port is not None if states is None else standing is not None and standing.started
            found.append({**entry, "state": "started" if runs else "stopped"})
        return found

    def discoveries(self) -> list[JsonObject]:
        """Return what looks for entries of adapters, each with its state."""
        return [finder.status() for finder in self._plan.discoveries]

    def _adapters(self) -> list[AdapterPlan]:
        return [item for item in self._plan.adapters if item is not self._control]


def iso_duration(seconds: float) -> str:
    """Return a duration as ISO 8601 has it: 3725.5 -> "PT1H2M5.5S"."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}H" if hours else ""
    text += f"{minutes}M" if minutes else ""
    if rest or milliseconds or not text:
        fraction = f".{milliseconds:03d}".rstrip("0") if milliseconds else ""
        text += f"{rest}{fraction}S"
    return f"PT{text}"
