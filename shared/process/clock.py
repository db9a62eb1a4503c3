"""
Time, as an instance sees it that may be suspended at any moment.

A suspended machine's monotonic clock may stand still, and its wall clock may be set back: an age is the larger of
what the two say, so that nothing looks younger than it is.
"""

import time
from typing import NamedTuple


class Instant(NamedTuple):
    """A moment on both clocks, in seconds."""

    monotonic_s: float
    wall_unix_s: float


class Clock:
    """The machine's clocks."""

    def now(self) -> Instant:
        return Instant(time.monotonic(), time.time())

    def age_s(self, instant: Instant) -> float:
        """Return the seconds since *instant*, rather too many than too few."""
        now = self.now()
        return max(now.monotonic_s - instant.monotonic_s, now.wall_unix_s - instant.wall_unix_s, 0.0)
