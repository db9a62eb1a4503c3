"""
Which keys were used, to the hour: noted where the store confirms one, and told to it with what travels there anyway
(shared/telemetry/last_uses.py).
"""

import time
from collections.abc import Callable

from cachetools import LRUCache

from shared.request.caller import Caller

HOUR_S = 3_600
KEYS_MAX = 4_096


class KeyUses:
    """What one instance saw, and has not told yet."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._told: LRUCache[Caller, int] = LRUCache(KEYS_MAX)
        self._open: dict[Caller, None] = {}

    def note(self, caller: Caller) -> None:
        """The key of *caller* is used now."""
        if self._told.get(caller) != self._hour() and len(self._open) < KEYS_MAX:
            self._open[caller] = None

    def take(self, tenants_max: int) -> tuple[int, dict[str, list[str]]]:
        """
        Return when this hour began, in Unix seconds, and the keys to tell of, by their hashes, of at most *tenants_max*
        tenants. They count as told, so each is once an hour: who could not tell them does not say so.
        """
        hour = self._hour()
        found: dict[str, list[str]] = {}
        for caller in list(self._open):
            if caller.tenant not in found and len(found) == tenants_max:
                continue
            found.setdefault(caller.tenant, []).append(caller.key_hash)
            self._told[caller] = hour
            del self._open[caller]
        return hour * HOUR_S, found

    def _hour(self) -> int:
        return int(self._clock()) // HOUR_S
