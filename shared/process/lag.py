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
    """
    Looks, the longest, for each of BOUNDS_MS the looks up to it (the rest exceeds all), the sum.

    *ran_max_ms* is the longest of which the process itself can have taken all: of each wait no more than the processor
    time that its threads used meanwhile. What is longer, the machine was busy elsewhere, or a call waited for it.
    """

    looks: int
    max_ms: float
    counts: Sequence[int]
    sum_ms: float = 0.0
    ran_max_ms: float = 0.0

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
        self._sum_s = 0.0
        self._due_at_s = 0.0
        self._ran_s = self._ran_max_s = 0.0
        self._counts = [0] * len(BOUNDS_MS)
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Watch from now on."""
        self._wait(asyncio.get_running_loop())

    def stop(self) -> None:
        """Watch no longer; `start` goes on. A look that is overdue is made now: what held the loop last counts too."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        if time.monotonic() > self._due_at_s:
            self._note()

    def seen(self) -> Lag:
        """Return what was seen until now."""
        sums = self._sum_s * 1_000, self._ran_max_s * 1_000
        return Lag(self._looks, self._max_s * 1_000, tuple(self._counts), *sums)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due_at_s = time.monotonic() + self._interval_s
        self._ran_s = time.process_time()
        self._timer = loop.call_at(self._due_at_s, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._note()
        self._wait(loop)

    def _note(self) -> None:
        late_s = max(0.0, time.monotonic() - self._due_at_s)
        self._looks += 1
        self._sum_s += late_s
        self._max_s = max(self._max_s, late_s)
        self._ran_max_s = max(self._ran_max_s, min(late_s, time.process_time() - self._ran_s))
        for at, bound_ms in enumerate(BOUNDS_MS):
            if late_s * 1_000 <= bound_ms:
                self._counts[at] += 1
                break
