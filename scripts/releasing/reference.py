"""
What is known of the stable before an interval is judged: its percentiles, and how a slowdown would show.

It is read anew at the first, second, fourth, eighth … look of a stage. So it follows the day, and depends on nothing of
the interval that is judged by it, which is what an e-value asks for (evidence.py).
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scripts.releasing.samples import Buckets, Labels, Sample
from shared.telemetry.series import OCTAVE

RELEASE_REQUESTS_FACTOR = 2
"""What the stable counted lately is preferred once it is so many times what is needed."""


class Percentile(NamedTuple):
    """
    The bucket below whose end *share* of a *reference* lies.
    """

    reference: Buckets
    number: int

    def above(self, buckets: Buckets) -> tuple[int, int]:
        """Return how many of *buckets* lie above, and how many there are."""
        return above(buckets, self.number), sum(buckets.values())

    def ratio(self, slowdown: float) -> float:
        """Return by what the share above would grow if all took *slowdown* times as long."""
        shift = round(math.log2(slowdown) * OCTAVE)
        return above(self.reference, self.number - shift) / above(self.reference, self.number)


class Reference:
    """What the stable counted: since the stage before began, *release*, and since itself began, its *history*."""

    def __init__(self, release: Sample, history: Sample) -> None:
        self.release = release
        self.history = history
        self._durations: dict[tuple[str, ...], tuple[Mapping[Labels, Buckets], ...]] = {}
        self._found: dict[tuple[str, Labels, float], Percentile | None] = {}

    def of_durations(self, labels: Labels, ages: tuple[str, ...], share: float, requests_min: int) -> Percentile | None:
        """Return a percentile of what `Sample.durations` of *ages* has under *labels*; None: there are too few."""
        if ages not in self._durations:
            self._durations[ages] = self.release.durations(ages), self.history.durations(ages)
        many = [each.get(labels, {}) for each in self._durations[ages]]
        return self._of(f"durations {len(ages)}", labels, share, requests_min, many)

    def of_cold_starts(self, share: float, requests_min: int) -> Percentile | None:
        buckets = [sample.buckets("cold_start") for sample in (self.release, self.history)]
        return self._of("cold_start", (), share, requests_min, buckets)

    def _of(
        self, key: str, labels: Labels, share: float, requests_min: int, many: Iterable[Buckets]
    ) -> Percentile | None:
        name = key, labels, share
        if name not in self._found:
            self._found[name] = percentile_of(many, share, requests_min)
        return self._found[name]


def percentile_of(references: Iterable[Buckets], share: float, requests_min: int) -> Percentile | None:
    """
    Return a percentile of the first of *references* that has twice *requests_min*, or of the last if it has those; a
    lower one where nothing lies above it. None: there are too few, or all lie in one bucket.
    """
    factor = RELEASE_REQUESTS_FACTOR
    last: Buckets = {}
    for last in references:
        if sum(last.values()) >= factor * requests_min:
            break
    total, seen = sum(last.values()), 0
    numbers = sorted(number for number, count in last.items() if count)
    if total < requests_min or len(numbers) < 2:
        return None
    for number in numbers[:-1]:
        seen += last[number]
        if seen >= share * total:
            return Percentile(last, number)
    return Percentile(last, numbers[-2])


def above(buckets: Buckets, number: int) -> int:
    """Return how many lie in buckets behind *number*."""
    return sum(count for each, count in buckets.items() if each > number)
