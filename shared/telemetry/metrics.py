"""
Every metric there is, as Prometheus is told of it. Only who shows them needs this.
"""

from collections.abc import Sequence
from typing import NamedTuple

from shared.telemetry.series import DURATION_BOUNDS_S, LAG_BOUNDS_S


class Metric(NamedTuple):
    """
    *kind* as Prometheus has it; a `gauge` here is the largest value that any instance had lately. What is kept is whole
    numbers: a *unit* of 1e-6 says that they are millionths.
    """

    name: str
    kind: str
    text: str
    labels: tuple[str, ...] = ()
    bounds: Sequence[float] = ()
    unit: float = 1


METRICS = {
    "requests": Metric(
        "warmthread_requests_total",
        "counter",
        "Requests by route template and class of status.",
        ("method", "route", "status"),
    ),
    "duration": Metric(
        "warmthread_request_duration_seconds",
        "histogram",
        "From the arrival of a request to the end of its answer.",
        ("method", "route"),
        DURATION_BOUNDS_S,
        1e-6,
    ),
    "reads": Metric(
        "warmthread_reads_total", "counter", "Answers by the tier that their Cache-Status names.", ("tier",)
    ),
    "lag": Metric(
        "warmthread_loop_lag_seconds",
        "histogram",
        "How late the event loop was while requests were under way.",
        (),
        LAG_BOUNDS_S,
        1e-6,
    ),
    "lag_max": Metric(
        "warmthread_loop_lag_max_seconds", "gauge", "The longest wait of any event loop lately.", (), (), 1e-6
    ),
    "pressure": Metric(
        "warmthread_pressure_steps_total", "counter", "How often a step of memory pressure was entered.", ("step",)
    ),
    "resident_max": Metric(
        "warmthread_resident_max_bytes", "gauge", "The most memory that any instance was seen to hold lately."
    ),
    "store": Metric(
        "warmthread_store_requests_total",
        "counter",
        "HTTP requests to the store, and those without a good answer.",
        ("outcome",),
    ),
    "instances": Metric("warmthread_instances_total", "counter", "Instances that handed over for the first time."),
    "dropped": Metric("warmthread_series_dropped_total", "counter", "Counts that found no room."),
}
