"""
How late the event loop is: a timer that is due every millisecond, and how long after that it ran.

Whatever holds the loop, or the interpreter in another thread, makes it late by as long. Tests use it as a fixture,
`scripts/bench lag` in every row, and a function while it has requests to answer.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple, Self

INTERVAL_S = 0.001

BOUNDS_MS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1_000, 5_000)
"""Upper bounds of what is counted; shares are read off at these."""


class Lag(NamedTuple):
    """What a probe saw: the looks, the longest, and for each of BOUNDS_MS the looks up to it; the rest exceeds all."""

    looks: int
    max_ms: float
    counts: Sequence[int]

    def share_ms(self, share: float) -> float:
        """Return a bound that at least *share* of the looks kept; the longest lag where no bound is."""
        seen = 0
        for bound_ms, count in zip(BOUNDS_MS, self.counts, strict=True):
            seen += count
            if seen >= share * self.looks:
                return min(float(bound_ms), self.max_ms)
        return self.max_ms


class LagProbe:
    """
    Watches the loop that it is entered in, until it is left. Costs about 10 µs a millisecond.

    A process that was stopped makes one late look, not one for each that it missed.
    """

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._looks = 0
        self._max_s = 0.0
        self._counts = [0] * len(BOUNDS_MS)
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._wait(asyncio.get_running_loop())
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def seen(self) -> Lag:
        """Return what was seen until now."""
        return Lag(self._looks, self._max_s * 1_000, tuple(self._counts))

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        due_at_s = time.monotonic() + self._interval_s
        self._timer = loop.call_at(due_at_s, self._look, loop, due_at_s)

    def _look(self, loop: asyncio.AbstractEventLoop, due_at_s: float) -> None:
        late_s = max(0.0, time.monotonic() - due_at_s)
        self._looks += 1
        self._max_s = max(self._max_s, late_s)
        for at, bound_ms in enumerate(BOUNDS_MS):
            if late_s * 1_000 <= bound_ms:
                self._counts[at] += 1
                break
        self._wait(loop)
