"""
Every metric there is, as Prometheus is told of it. Only who shows them needs this.

The table of docs/operating.md is made of it (`scripts/tables`).
"""

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import NamedTuple

from shared.problem_types import refusal_reasons
from shared.telemetry.series import CRONS, DURATION_BOUNDS_S, LAG_BOUNDS_S, OCTAVE, TIERS


class Kind(Enum):
    """
    What is kept of a series, and what Prometheus calls that. A *LATELY* is the largest value that any instance had in
    the last 10 to 20 minutes; a *LATEST* stays until there is a newer one.
    """

    COUNTER = auto()
    HISTOGRAM = auto()
    LATELY = auto()
    LATEST = auto()

    @property
    def prometheus(self) -> str:
        return "gauge" if self in (Kind.LATELY, Kind.LATEST) else self.name.lower()


class Metric(NamedTuple):
    """
    What is kept is whole numbers: a *unit* of 1e-6 says that they are millionths. *bounds* are those of a histogram's
    buckets, of which each *coarse* one is always shown, any other where something was counted beside it; where that is
    0, each series shows its own only, too few to sum over series by bound. *known*: last label values of a counter that
    is shown, as 0, before anything was counted.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    bounds: Sequence[float] = ()
    unit: float = 1
    coarse: int = 1
    known: tuple[tuple[str, ...], ...] = ()


def _counter(name: str, text: str, *labels: str, known: Iterable[str | tuple[str, ...]] = ()) -> Metric:
    each = tuple(value if isinstance(value, tuple) else (value,) for value in known)
    return Metric(f"warmthread_{name}_total", Kind.COUNTER, text, labels, known=each if labels else ((),))


def _lately(name: str, text: str, *labels: str, unit: float = 1) -> Metric:
    return Metric(f"warmthread_{name}", Kind.LATELY, text, labels, unit=unit)


def _latest(name: str, text: str, *labels: str, unit: float = 1) -> Metric:
    return Metric(f"warmthread_{name}", Kind.LATEST, text, labels, unit=unit)


def _durations(name: str, text: str, *labels: str) -> Metric:
    return Metric(f"warmthread_{name}_seconds", Kind.HISTOGRAM, text, labels, DURATION_BOUNDS_S, 1e-6, OCTAVE)


SWEPT = [("sweep", each) for each in ("same", "changed", "removed")]
"""What a sweep finds."""

NOTICED = [("notice", each) for each in ("outdated", "unknown")]

METRICS = {
    "requests": _counter(
        "requests",
        "Requests by route template and class of status.",
        "method",
        "route",
        "status",
        known=("2xx", "4xx", "5xx"),
    ),
    "duration": _durations(
        "request_duration", "From the arrival of a request to the end of its answer.", "method", "route"
    ),
    "young_duration": _durations(
        "young_duration",
        "The same of an instance's first 16 requests: 1, 2-4, 5-16. Each series has bounds of its own.",
        "age",
        "method",
        "route",
    )._replace(coarse=0),
    "refusals": _counter(
        "refusals",
        "Answers of 4xx and 503 by their reason: rate, budget, storage (a tenant's bytes), memory, slots (too many "
        "requests wait), or the name of the problem.",
        "reason",
        known=sorted(refusal_reasons()),
    ),
    "reads": _counter(
        "reads", "Answers by what their Cache-Status says: L0, L1, L2, source, STALE.", "tier", known=sorted(TIERS)
    ),
    "reads_by_age": _counter(
        "reads_by_age",
        "The same by how many requests their instance had answered with them: 1, 2-4, 5-16, 17-64, 65-256, 257-1024, "
        "over-1024. What an instance remembers grows with its age. `partial`: L2 answered, the instance held a part.",
        "age",
        "tier",
    ),
    "document_reads": _counter(
        "document_reads",
        "Documents that were asked for, inside of contexts too, by what answered: L1, L2, source, STALE, none (the "
        "source is away, and no copy will do).",
        "tier",
        known=("L1", "L2", "source", "STALE", "none"),
    ),
    "source_loads": _counter(
        "source_loads",
        "What the object store was asked for documents, by what it said: loaded, unmodified, missing, failed.",
        "outcome",
        known=("loaded", "unmodified", "missing", "failed"),
    ),
    "loads_shared": _counter(
        "loads_shared",
        "Callers that shared a load of another one instead of starting their own: conversation, document.",
        "kind",
        known=("conversation", "document"),
    ),
    "lease_waits": _counter(
        "lease_waits", "Loads of a document that waited for another instance, which was loading the same."
    ),
    "evictions": _counter(
        "evictions",
        "What left an instance's memory for want of room: conversations, documents.",
        "cache",
        known=("conversations", "documents"),
    ),
    "cache_bytes": _lately(
        "cache_max_bytes", "The most that any instance was seen to remember: conversations, documents.", "cache"
    ),
    "invalidations": _counter(
        "invalidations",
        "Documents that change notices named, by whether something was kept of them (outdated, unknown); that sweeps "
        "compared, by what they found (same, changed, removed).",
        "source",
        "outcome",
        known=NOTICED + SWEPT,
    ),
    "lag": Metric(
        "warmthread_loop_lag_seconds",
        Kind.HISTOGRAM,
        "How late the event loop was, looked at every 5 ms while requests are under way.",
        (),
        LAG_BOUNDS_S,
        1e-6,
    ),
    "lag_max": _lately("loop_lag_max_seconds", "The longest wait of any event loop.", unit=1e-6),
    "pressure": _counter(
        "pressure_steps",
        "How often a step of memory pressure was entered: none, high, critical.",
        "step",
        known=("none", "high", "critical"),
    ),
    "resident_max": _lately("resident_max_bytes", "The most memory that any instance was seen to hold."),
    "requests_by_age": _counter(
        "requests_by_age",
        "Requests of the ages that ended, from 17-64 on, over which instances looked by how much they grew.",
        "age",
    ),
    "resident_growth": _counter(
        "resident_growth_bytes",
        "By how much the memory of instances grew (up), or shrank (down), over these requests.",
        "age",
        "direction",
    ),
    "memory_limit": _lately("memory_limit_bytes", "The memory that an instance may hold; nothing where it is unknown."),
    "store": _counter(
        "store_requests",
        "Requests to the store: ok, failed (without a good answer).",
        "outcome",
        known=("ok", "failed"),
    ),
    "store_commands": _counter(
        "store_commands",
        "Commands sent to the store, each time that they were: by the name of the script, or of the command. A script "
        "counts as one; the store bills what it runs besides.",
        "command",
    ),
    "breaker_opened": _counter(
        "breaker_opened",
        "How often an instance took the store, or the documents' source, for away.",
        "of",
        known=("store", "documents"),
    ),
    "breaker_open": _lately(
        "breaker_open", "1: an instance took the store, or the documents' source, for away lately.", "of"
    ),
    "tokens_counted": _counter("tokens_counted", "Tokens that were counted, by encoding.", "encoding"),
    "context_tokens": _counter(
        "context_tokens", "Tokens of contexts: kept in them, omitted from them.", "part", known=("kept", "omitted")
    ),
    "budget_used": _lately(
        "budget_used_max_ratio",
        "The largest share that any tenant had used or reserved of a budget when it asked for more: tokens-day, "
        "tokens-month, usd-day, usd-month.",
        "window",
        unit=1e-6,
    ),
    "cron_last_run": _latest(
        "cron_last_run_timestamp_seconds",
        "When a run of a cron ended last that did not fail: sweep, warm.",
        "cron",
    ),
    "cron_duration": _latest("cron_duration_seconds", "How long the last run of a cron took.", "cron", unit=1e-6),
    "cron_failures": _counter(
        "cron_failures", "Runs of a cron that failed, or a half of which did.", "cron", known=CRONS
    ),
    "cold_start": _durations(
        "cold_start",
        "From the begin of an instance's process until it is ready, and from the arrival of its first request to the "
        "begin of the answer.",
    ),
    "instances": _counter("instances", "Instances that handed over for the first time."),
    "dropped": _counter(
        "series_dropped", "Counts beyond the limit of series: 2,000 of an instance, 8,000 of a deployment."
    ),
}
