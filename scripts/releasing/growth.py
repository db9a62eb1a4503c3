"""
Whether the canary's memory grows with its requests: of each block of them one bet on whether it grew too much.

Instances look at their resident memory at the end of each age, from the 16th request on, and count by how much it grew
or shrank over it. A block is of ages of the canary that together have at least Policy.growth_requests requests; what
the stable grew by at equal age is taken off. Under the hypothesis that the canary's blocks are as often below half of
what is harmful as above it, a bet of a share b of what one has on either side, e = 1 + b or 1 - b, is fair: an e-value,
whatever the distribution of what an allocator does. Half of what is harmful is where a bet is to turn: what does not
grow lies as far below as what grows by as much as is harmful lies above.
"""

from collections.abc import Mapping
from typing import Any

from scripts.releasing.samples import GROWTH, REQUESTS_BY_AGE, Sample
from shared.telemetry.series import YOUNG

BETS = (0.3, 0.6, 0.9)
"""Shares that are bet; which is best depends on how clear the blocks are."""


class Growth:
    """What the canary's instances grew by in the block that is being filled."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        self._requests = int(kept["requests"]) if kept else 0
        self._bytes = float(kept["bytes"]) if kept else 0.0

    def add(self, canary: Sample, history: Sample) -> None:
        """Add an interval of the canary; *history*: all that the stable counted before it."""
        own, usual = growth_by_age(canary), growth_by_age(history)
        for age, (requests, grown_bytes) in own.items():
            usual_requests, usual_bytes = usual.get(age, (0, 0))
            if usual_requests:
                self._requests += requests
                self._bytes += grown_bytes - requests * usual_bytes / usual_requests

    def take(self, requests_min: int) -> float | None:
        """Return the growth a request, in bytes, of a block that is full, and begin the next; None: it is not full."""
        if self._requests < requests_min:
            return None
        growth_bytes = self._bytes / self._requests
        self._requests, self._bytes = 0, 0.0
        return growth_bytes

    def to_json(self) -> dict[str, Any]:
        return {"requests": self._requests, "bytes": self._bytes}


def growth_by_age(sample: Sample) -> dict[str, tuple[int, int]]:
    """Return the requests, and by how many bytes memory grew with them, by age of what is older than YOUNG."""
    grown = sample.counters.get(GROWTH, {})
    return {
        age: (requests, grown.get((age, "up"), 0) - grown.get((age, "down"), 0))
        for (age,), requests in sample.counters.get(REQUESTS_BY_AGE, {}).items()
        if age not in YOUNG
    }


def tells_growth(*samples: Sample) -> bool:
    return all(sample.tells(GROWTH) and sample.tells(REQUESTS_BY_AGE) for sample in samples)
