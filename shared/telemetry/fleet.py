"""
What all instances counted, by deployment, in Prometheus' text format.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/, text format 0.0.4.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping

from shared.store import keys
from shared.store.upstash import Store
from shared.telemetry.metrics import METRICS, Kind, Metric
from shared.telemetry.telemetry import WINDOW_S

MEDIA_TYPE = "text/plain; version=0.0.4"

REPLY_BYTES = 60_000
"""What a deployment takes in the store, about: a thousand series."""

EXPOSITION_BYTES_MAX = 4_000_000
"""The platform lets an answer have 4.5 MB. A deployment that counted 30 routes, long and evenly, takes 1.4 MB."""

Fields = Mapping[str, str]


async def read_fleet(store: Store) -> dict[str, Fields]:
    """Return the fields of each deployment, the newest first: two requests. Raises StoreUnavailable."""
    names = await store.command("ZRANGE", keys.METRICS_KEY, 0, -1, "REV", is_idempotent=True)
    replies = await asyncio.gather(
        *(
            store.command("HGETALL", keys.metrics_key(name), is_idempotent=True, reply_bytes_max=REPLY_BYTES)
            for name in names
        )
    )
    return {
        name: dict(zip(reply[::2], reply[1::2], strict=True))
        for name, reply in zip(names, replies, strict=True)
        if reply
    }


def exposition(fleet: Mapping[str, Fields], now_unix_s: float | None = None) -> bytes:
    """
    Return *fleet* as text, in EXPOSITION_BYTES_MAX: a deployment for which there is no room is left out, and those
    behind it. What an older or newer deployment counts that is unknown here is left out too.
    """
    window = int((time.time() if now_unix_s is None else now_unix_s) // WINDOW_S)
    bounds = {key: _shown_bounds(key, metric, fleet) for key, metric in METRICS.items() if metric.bounds}
    samples: dict[str, list[str]] = {key: [] for key in METRICS}
    left_bytes = EXPOSITION_BYTES_MAX
    for deployment, fields in fleet.items():
        found = _samples(deployment, _by_metric(fields), bounds, window)
        left_bytes -= sum(len(line) + 1 for lines in found.values() for line in lines)
        if left_bytes < 0:
            break
        for key, lines in found.items():
            samples[key] += lines
    text = []
    for key, metric in METRICS.items():
        text += [f"# HELP {metric.name} {metric.text}", f"# TYPE {metric.name} {metric.kind.prometheus}", *samples[key]]
    return "\n".join([*text, ""]).encode()


def _by_metric(fields: Fields) -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """Return the label values of each series and what is kept of it, by metric and in order."""
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for field, value in sorted(fields.items()):
        key, *values = field.split(" ")
        found.setdefault(key, []).append((tuple(values), value))
    return found


def _samples(
    deployment: str,
    series: Mapping[str, list[tuple[tuple[str, ...], str]]],
    bounds: Mapping[str, list[int]],
    window: int,
) -> dict[str, list[str]]:
    """Return the lines of a deployment, by metric."""
    found = {}
    for key, metric in METRICS.items():
        own = [(values, value) for values, value in series.get(key, []) if _is_known(metric, values)]
        if metric.kind is Kind.HISTOGRAM:
            found[key] = list(_histograms(metric, deployment, own, bounds[key]))
        elif metric.kind is Kind.COUNTER:
            found[key] = list(_counters(metric, deployment, dict(own)))
        else:
            found[key] = list(_gauges(metric, deployment, own, window))
    return found


def _is_known(metric: Metric, values: tuple[str, ...]) -> bool:
    return len(values) == len(metric.labels) + (metric.kind is Kind.HISTOGRAM)


def _counters(metric: Metric, deployment: str, series: dict[tuple[str, ...], str]) -> Iterator[str]:
    """Yield what was counted, and 0 where it may be soon: what appears with its first count shows no increase."""
    for last in metric.known:
        prefixes = {values[: len(values) - len(last)] for values in series} if len(last) < len(metric.labels) else {()}
        for prefix in prefixes:
            series.setdefault((*prefix, *last), "0")
    for values, value in series.items():
        yield f"{metric.name}{{{_labels(metric, deployment, values)}}} {value}"


def _gauges(metric: Metric, deployment: str, series: list[tuple[tuple[str, ...], str]], window: int) -> Iterator[str]:
    for values, kept in series:
        value = _maximum(kept, window) if metric.kind is Kind.LATELY else int(kept.partition(" ")[2])
        if value is not None:
            yield f"{metric.name}{{{_labels(metric, deployment, values)}}} {_number(value * metric.unit)}"


def _shown_bounds(key: str, metric: Metric, fleet: Mapping[str, Fields]) -> list[int]:
    """
    Return the numbers of the bounds that are shown: the same ones of every series, or sums over them would be wrong.
    Each coarse one is, each in whose bucket something was counted, and the one below it, from which is interpolated.
    None where each series shows its own.
    """
    if not metric.coarse:
        return []
    prefix = key + " "
    counted = {
        int(number)
        for fields in fleet.values()
        for field in fields
        if field.startswith(prefix) and (number := field.rpartition(" ")[2]).isdecimal()
    }
    return sorted({*range(0, len(metric.bounds), metric.coarse), *_beside(counted, metric)})


def _beside(counted: Iterable[int], metric: Metric) -> list[int]:
    """Return the numbers of the bounds on both sides of the buckets in which something was *counted*."""
    both = {number for each in counted for number in (each - 1, each)}
    return sorted(number for number in both if 0 <= number < len(metric.bounds))


def _histograms(
    metric: Metric, deployment: str, series: list[tuple[tuple[str, ...], str]], bounds: list[int]
) -> Iterator[str]:
    histograms: dict[tuple[str, ...], dict[str, int]] = {}
    for (*values, bucket), value in series:
        histograms.setdefault(tuple(values), {})[bucket] = int(value)
    for labelled, counts in histograms.items():
        labels = _labels(metric, deployment, labelled)
        sum_ = counts.pop("sum", 0)
        total, seen = sum(counts.values()), 0
        for number in bounds or _beside(map(int, counts), metric):
            seen += counts.get(str(number), 0)
            yield f'{metric.name}_bucket{{{labels},le="{metric.bounds[number]:.7g}"}} {seen}'
        yield f'{metric.name}_bucket{{{labels},le="+Inf"}} {total}'
        yield f"{metric.name}_sum{{{labels}}} {_number(sum_ * metric.unit)}"
        yield f"{metric.name}_count{{{labels}}} {total}"


def _labels(metric: Metric, deployment: str, values: tuple[str, ...]) -> str:
    pairs = zip(("deployment", *metric.labels), (deployment, *values), strict=True)
    return ",".join(f'{name}="{_escape(value)}"' for name, value in pairs)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return f"{value:.10g}"


def _maximum(value: str, window: int) -> int | None:
    """Return the largest value of *window* and the one before; None: there is none so new."""
    held_window, newest, before = map(int, value.split(" "))
    if held_window >= window:
        return max(newest, before)
    return newest if held_window == window - 1 else None
