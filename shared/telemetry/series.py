"""
What series may be called, and how many there may be. Nothing that a caller sends becomes part of a name.

A series is kept under a field, `<metric> <label value>…`; a histogram has one for each of its buckets, with the number
of its bound behind, and `sum`, in millionths. What Prometheus calls them is in shared/telemetry/metrics.py.
"""

from shared.process.lag import BOUNDS_MS

OCTAVE = 16
"""Buckets in which a duration doubles."""

DURATION_BOUNDS_S = tuple(2 ** (step / OCTAVE) / 16_000 for step in range(19 * OCTAVE + 1))
"""From 63 µs, which no answer takes, to 33 s, longer than a function may run. Each is 4.4 % above the
one before: no percentile that is read off, by whatever interpolation, is further from the exact one. Only those buckets
are kept in which something was counted, a few dozen for a route."""

LAG_BOUNDS_S = tuple(bound_ms / 1_000 for bound_ms in BOUNDS_MS)

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE"})
STATUSES = frozenset({"2xx", "3xx", "4xx", "5xx"})
TIERS = frozenset({"L0", "L1", "L2", "source", "STALE"})
"""What the `detail` of a Cache-Status may be (shared/http/headers.py)."""

PARTIAL = "partial"
"""Where reads are counted by age: of what L2 answered, the instance held a part."""

CRONS = ("sweep", "warm")
WINDOWS = ("tokens-day", "tokens-month", "usd-day", "usd-month")
"""Of budgets."""

OTHER = "other"
"""The label of what has no route, or a method that no route has."""

AGES = ("1", "2-4", "5-16", "17-64", "65-256", "257-1024", "over-1024")
"""Which of its instance's requests a request was, by powers of four: what an instance remembers grows with them."""

YOUNG = AGES[:3]
"""Ages whose durations are counted apart as well: until the code has run once, an instance is slower."""

SERIES_MAX = 2_000
"""Fields of one instance between two flushes. Of a script, too: Lua unpacks fewer than 8,000."""


def status_class(status: int) -> str:
    """Return `2xx` for 204."""
    name = f"{status // 100}xx"
    return name if name in STATUSES else OTHER


def age_of(number: int) -> str:
    """Return the age of an instance at its request *number*, the first of which is 1."""
    return AGES[min((number - 1).bit_length() + 1 >> 1, len(AGES) - 1)]
