"""Clocks that a test moves."""

from shared.process.clock import Clock, Instant


class ManualClock(Clock):
    """Both clocks of the machine; called, the monotonic one alone."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def now(self) -> Instant:
        return Instant(self.now_s, self.now_s)

    def __call__(self) -> float:
        return self.now_s
