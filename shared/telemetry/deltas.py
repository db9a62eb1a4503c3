"""
What one instance counted since it last handed over: plain numbers in memory, at most SERIES_MAX of them.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from shared.telemetry.series import SERIES_MAX


class Deltas:
    """
    *counts* add up when they are merged; of *maxima* the larger stays, of *latest*, pairs of a Unix time and a value,
    the later.
    """

    def __init__(self, series_max: int = SERIES_MAX) -> None:
        self.counts: dict[str, int] = {}
        self.maxima: dict[str, int] = {}
        self.latest: dict[str, tuple[int, int]] = {}
        self._series_max = series_max

    def count(self, field: str, times: int = 1) -> None:
        """Count *field*; where there is no room for it, count that."""
        counts = self.counts
        if field not in counts and not self._has_room():
            field = "dropped"
        counts[field] = counts.get(field, 0) + times

    def observe(self, series: str, value_s: float, bounds_s: Sequence[float]) -> None:
        """Count *value_s* in the bucket of the first of *bounds_s* that is not below it."""
        self.count(f"{series} {bisect_left(bounds_s, value_s)}")
        self.count(f"{series} sum", round(value_s * 1e6))

    def raise_to(self, field: str, value: int) -> None:
        """Let the maximum *field* be at least *value*."""
        if field in self.maxima or self._has_room():
            self.maxima[field] = max(value, self.maxima.get(field, 0))

    def note(self, field: str, at_unix_s: int, value: int) -> None:
        """Let *field* be *value* from *at_unix_s* on, unless there is a later one."""
        if field in self.latest or self._has_room():
            self.latest[field] = max((at_unix_s, value), self.latest.get(field, (0, 0)))

    def take_back(self, other: "Deltas") -> None:
        """Take in what *other* could not hand over."""
        self.add(other.counts)
        for field, value in other.maxima.items():
            self.raise_to(field, value)
        for field, (at_unix_s, value) in other.latest.items():
            self.note(field, at_unix_s, value)

    def add(self, counts: Mapping[str, int]) -> None:
        for field, times in counts.items():
            if times:
                self.count(field, times)

    def _has_room(self) -> bool:
        return len(self.counts) + len(self.maxima) + len(self.latest) < self._series_max
