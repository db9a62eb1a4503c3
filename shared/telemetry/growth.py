"""
By how much an instance's memory grows with its requests: looked at as the ages end in which growth is told.

A leak shows as the same growth in every age, warming up as less in each; so a release is held against another one at
equal age. A look costs 5 µs; there are 3 in the first 256 requests, and one each 256 from there.
"""

from collections.abc import Callable

from shared.process.memory import read_resident_bytes
from shared.telemetry.deltas import Deltas
from shared.telemetry.series import age_of

FIRST_LOOK, EACH_LOOK = 16, 256
"""Requests. What loads with the first ones is no growth; the looks after it are at 64 and 256, and then each 256."""


class Growth:
    """What one instance held at its last look."""

    def __init__(self, resident_bytes: Callable[[], int] = read_resident_bytes) -> None:
        self._resident_bytes = resident_bytes
        self._next = FIRST_LOOK
        self._before: tuple[int, int] | None = None

    def look(self, answered: int, deltas: Deltas) -> None:
        """Count into *deltas* what an age brought that ends with the request number *answered*."""
        if answered < self._next:
            return
        held_bytes = self._resident_bytes()
        if self._before is not None:
            number, before_bytes = self._before
            age, grown_bytes = age_of(answered), held_bytes - before_bytes
            deltas.count(f"requests_by_age {age}", answered - number)
            direction = "up" if grown_bytes > 0 else "down"
            deltas.count(f"resident_growth {age} {direction}", abs(grown_bytes))
        self._before = answered, held_bytes
        self._next = answered + EACH_LOOK if answered >= EACH_LOOK else answered * 4
