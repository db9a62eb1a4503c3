"""
What all instances counted, by deployment, in Prometheus' text format.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/, text format 0.0.4.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping

from shared.store import keys
from shared.store.upstash import Store
from shared.telemetry.metrics import METRICS, Kind, Metric
from shared.telemetry.telemetry import WINDOW_S

MEDIA_TYPE = "text/plain; version=0.0.4"

Fields = Mapping[str, str]


async def read_fleet(store: Store) -> dict[str, Fields]:
    """Return the fields of each deployment: two requests. Raises StoreUnavailable."""
    names = await store.command("ZRANGE", keys.METRICS_KEY, 0, -1, is_idempotent=True)
    replies = await asyncio.gather(
        *(store.command("HGETALL", keys.metrics_key(name), is_idempotent=True) for name in names)
    )
    return {
        name: dict(zip(reply[::2], reply[1::2], strict=True))
        for name, reply in zip(names, replies, strict=True)
        if reply
    }


def exposition(fleet: Mapping[str, Fields], now_unix_s: float | None = None) -> str:
    """Return *fleet* as text; what an older or newer deployment counts that is unknown here is left out."""
    window = int((time.time() if now_unix_s is None else now_unix_s) // WINDOW_S)
    lines: list[str] = []
    for key, metric in METRICS.items():
        lines += [f"# HELP {metric.name} {metric.text}", f"# TYPE {metric.name} {metric.kind.prometheus}"]
        for deployment, fields in fleet.items():
            lines += _samples(key, metric, deployment, fields, window)
    return "\n".join([*lines, ""])


def _samples(key: str, metric: Metric, deployment: str, fields: Fields, window: int) -> Iterator[str]:
    histograms: dict[str, dict[str, int]] = {}
    for field, value in sorted(fields.items()):
        name, *values = field.split(" ")
        is_histogram = metric.kind is Kind.HISTOGRAM
        if name != key or len(values) != len(metric.labels) + is_histogram:
            continue
        labels = _labels(("deployment", *metric.labels), (deployment, *values))
        if is_histogram:
            histograms.setdefault(labels, {})[values[-1]] = int(value)
        elif metric.kind is Kind.LATELY:
            if (largest := _maximum(value, window)) is not None:
                yield f"{metric.name}{{{labels}}} {_number(largest * metric.unit)}"
        else:
            yield f"{metric.name}{{{labels}}} {value}"
    for labels, counts in histograms.items():
        yield from _histogram(metric, labels, counts)


def _histogram(metric: Metric, labels: str, counts: Mapping[str, int]) -> Iterator[str]:
    seen = 0
    for bucket, bound in enumerate((*metric.bounds, float("inf"))):
        seen += counts.get(str(bucket), 0)
        yield f'{metric.name}_bucket{{{labels},le="{_number(bound)}"}} {seen}'
    yield f"{metric.name}_sum{{{labels}}} {_number(counts.get('sum', 0) * metric.unit)}"
    yield f"{metric.name}_count{{{labels}}} {seen}"


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=False))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else f"{value:.10g}"


def _maximum(value: str, window: int) -> int | None:
    """Return the largest value of *window* and the one before; None: there is none so new."""
    held_window, newest, before = map(int, value.split(" "))
    if held_window >= window:
        return max(newest, before)
    return newest if held_window == window - 1 else None
