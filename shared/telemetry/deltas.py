"""
What one instance counted since it last handed over: plain numbers in memory, at most SERIES_MAX of them.
"""

import math
from collections.abc import Mapping, Sequence

from shared.telemetry.series import SERIES_MAX


class Deltas:
    """*counts* add up when they are merged; of *maxima* the larger stays."""

    def __init__(self, series_max: int = SERIES_MAX) -> None:
        self.counts: dict[str, int] = {}
        self.maxima: dict[str, int] = {}
        self._series_max = series_max

    def __bool__(self) -> bool:
        return bool(self.counts)

    def count(self, field: str, times: int = 1) -> None:
        """Count *field*; where there is no room for it, count that."""
        counts = self.counts
        if field not in counts and len(counts) + len(self.maxima) >= self._series_max:
            field = "dropped"
        counts[field] = counts.get(field, 0) + times

    def observe(self, series: str, value_s: float, bounds_s: Sequence[float]) -> None:
        """Count *value_s* in a histogram each of whose *bounds_s* is twice the one before."""
        self.count(f"{series} {doubling_bucket(value_s, bounds_s)}")
        self.count(f"{series} sum", round(value_s * 1e6))

    def raise_to(self, field: str, value: int) -> None:
        """Let the maximum *field* be at least *value*."""
        if field in self.maxima or len(self.counts) + len(self.maxima) < self._series_max:
            self.maxima[field] = max(value, self.maxima.get(field, 0))

    def take_back(self, other: "Deltas") -> None:
        """Take in what *other* could not hand over."""
        self.add(other.counts)
        for field, value in other.maxima.items():
            self.raise_to(field, value)

    def add(self, counts: Mapping[str, int]) -> None:
        for field, times in counts.items():
            if times:
                self.count(field, times)


def doubling_bucket(value: float, bounds: Sequence[float]) -> int:
    """Return the number of the least of *bounds*, each twice the one before, that is not below *value*."""
    mantissa, exponent = math.frexp(max(value, 0.0) / bounds[0])
    return min(len(bounds), max(0, exponent - 1 if mantissa == 0.5 else exponent))
