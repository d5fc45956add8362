"""A Meter -> Prometheus' text format. Importing it imports prometheus_client."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

from naftiko.plan.meter import BUCKETS, Labels, Meter, Times
from naftiko.values import JsonObject

REQUEST = ("naftiko_adapter_type", "naftiko_operation_id", "status")
ERROR = ("naftiko_adapter_type", "naftiko_operation_id", "error_type")
CALL = ("http_request_method", "server_address", "http_response_status_code", "error_type")
DISCOVERY = ("naftiko_discovery", "naftiko_namespace")

_BOUNDS = (*(f"{bound:g}" for bound in BUCKETS), "+Inf")


class Exposition:
    """What `/metrics` answers for one capability. `discoveries` returns their states."""

    def __init__(
        self, meter: Meter, capability: str, discoveries: Callable[[], Sequence[JsonObject]]
    ) -> None:
        """Register what is collected."""
        self._meter = meter
        self._capability = capability
        self._discoveries = discoveries
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return all metrics as they are now."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, named as the reference engine names them."""
        yield _gauge(
            "naftiko_capability_active",
            "Whether the capability is served.",
            ("naftiko_capability",),
            {(self._capability,): 1},
        )
        meter = self._meter
        requests, calls = dict(meter.requests), dict(meter.calls)
        yield _counter(
            "naftiko_request_total", "Requests that were answered.", REQUEST, _counts(requests)
        )
        yield _histogram(
            "naftiko_request_duration_seconds", "Time until an answer.", REQUEST, requests
        )
        yield _counter("naftiko_request_errors", "Requests that failed.", ERROR, dict(meter.errors))
        yield _counter(
            "naftiko_http_client_total", "Requests that were sent.", CALL, _counts(calls)
        )
        yield _histogram(
            "naftiko_http_client_duration_seconds", "Time until their answer.", CALL, calls
        )
        yield from self._discovered()

    def _discovered(self) -> Iterator[Metric]:
        states = list(self._discoveries())
        if not states:
            return
        for name, text, value in (
            ("entries", "Entries that are known.", lambda one: one.get("known")),
            ("found", "Items that the last list had.", lambda one: one.get("found")),
            ("pending", "Items that are being asked for.", lambda one: one.get("pending")),
            ("failed", "Items that could not be asked for.", lambda one: one.get("failed")),
            ("up", "Whether the last list could be had.", lambda one: one.get("error") is None),
        ):
            values: dict[Labels, float] = {
                (str(one.get("name", "")), str(one.get("adapter", ""))): float(value(one) or 0)
                for one in states
            }
            yield _gauge(f"naftiko_discovery_{name}", text, DISCOVERY, values)


def _counts(times: Mapping[Labels, Times]) -> dict[Labels, float]:
    return {labels: found.count for labels, found in times.items()}


def _gauge(
    name: str, text: str, names: Sequence[str], values: Mapping[Labels, float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=names)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _counter(name: str, text: str, names: Sequence[str], values: Mapping[Labels, float]) -> Metric:
    """Return a counter; one whose name has no `_total` is untyped, as the library would add it."""
    is_plain = name.endswith("_total")
    metric = Metric(name.removesuffix("_total"), text, "counter" if is_plain else "unknown")
    for labels, value in values.items():
        metric.add_sample(name, _named(names, labels), value)
    return metric


def _histogram(
    name: str, text: str, names: Sequence[str], values: Mapping[Labels, Times]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=names)
    for labels, found in values.items():
        counts: Iterable[float] = itertools.accumulate(found.buckets)
        family.add_metric(labels, list(zip(_BOUNDS, counts, strict=True)), found.seconds)
    return family


def _named(names: Sequence[str], labels: Labels) -> dict[str, str]:
    return dict(zip(names, labels, strict=True))
