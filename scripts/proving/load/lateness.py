"""
How late the loops of instances were, in each few seconds of a stretch: as they hand it over, read past them.
"""

import asyncio
from collections.abc import Mapping

from scripts.proving.load.figures import LATE_MS, WINDOW_S, Late
from shared.store.upstash import Store
from shared.telemetry.fleet import Fields, read_fleet
from shared.telemetry.series import LAG_BOUNDS_S

LATE_FROM = next(number for number, bound_s in enumerate(LAG_BOUNDS_S) if bound_s * 1_000 > LATE_MS)
"""The first bucket in which looks were over 10 ms late."""


class Lateness:
    """What instances have handed over to *store* of their loops."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = Late()

    async def watch(self) -> None:
        """Look each WINDOW_S, until it is cancelled."""
        while True:
            await asyncio.sleep(WINDOW_S)
            await self.end()

    async def end(self) -> Late:
        """Return what was handed over until now; what came since the last look is one more window."""
        now, seen = _counted(await read_fleet(self._store)), self._seen
        more = (now.looks - seen.looks, now.late - seen.late)
        self._seen = now._replace(windows=(*seen.windows, more) if more[0] > 0 else seen.windows)
        return self._seen


def _counted(fleet: Mapping[str, Fields]) -> Late:
    counts = [0] * (len(LAG_BOUNDS_S) + 1)
    longest_us = 0
    for fields in fleet.values():
        for name, value in fields.items():
            key, _, number = name.partition(" ")
            if key == "lag" and number.isdecimal():
                counts[int(number)] += int(value)
            elif key == "lag_max":
                longest_us = max(longest_us, *map(int, value.split(" ")[1:]))
    return Late(sum(counts), sum(counts[LATE_FROM:]), longest_us / 1_000)
