"""
What series may be called, and how many there may be. Nothing that a caller sends becomes part of a name.

A series is kept under a field, `<metric> <label value>…`; a histogram has one for each of its buckets, with the number
of its bound behind, and `sum`, in millionths. What Prometheus calls them is in shared/telemetry/metrics.py.
"""

from shared.process.lag import BOUNDS_MS

DURATION_BOUNDS_S = tuple(2**power / 4_000 for power in range(18))
"""0.25 ms, which an answer from memory may take, doubled until 33 s, longer than a function may run."""

LAG_BOUNDS_S = tuple(bound_ms / 1_000 for bound_ms in BOUNDS_MS)

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE"})
STATUSES = frozenset({"2xx", "3xx", "4xx", "5xx"})
TIERS = frozenset({"L0", "L1", "L2", "source", "STALE"})
"""What the `detail` of a Cache-Status may be (shared/http/headers.py)."""

OTHER = "other"
"""The label of what has no route, or a method that no route has."""

SERIES_MAX = 2_000
"""Fields of one instance between two flushes. Of a script, too: Lua unpacks fewer than 8,000."""


def status_class(status: int) -> str:
    """Return `2xx` for 204."""
    name = f"{status // 100}xx"
    return name if name in STATUSES else OTHER
