"""
What this instance knows of callers: that their keys are valid, whether their roles were found too low, and how many
requests their rate lets it answer.

The store decides (admit.lua): a script takes permits from the tenant's rate in the step in which it does its work.
It may take a few more than it needs, a lot, for the answers that need no store. A lot is sized by what the last one was
used for, and lives as long as it takes to earn again, at most LOT_S: what an instance leaves unused is lost to its
tenant. A caller that was refused is refused from here until its reset, and one whose role would not do, for what takes
more than that role, for KNOWN_S: such a refusal takes no permit, so it must not cost much either.

Everything is kept by key and not by tenant, so that a stranger who knows a tenant's name can use up nothing.
"""

from dataclasses import dataclass
from typing import NamedTuple

from cachetools import LRUCache

from shared.process.clock import Clock, Instant
from shared.request.caller import Caller
from shared.request.key_uses import KeyUses
from shared.request.roles import is_enough

KNOWN_S = 5.0
"""How long a key that the store confirmed needs no other confirmation: a revoked one ends everywhere within this."""

KNOWN_IN_OUTAGE_S = 3_600.0
"""The same for a store that is away, and for nothing but what this instance still holds."""

CALLERS_MAX = 4_096
LOT_S = 1.0
MINUTE_S = 60


class Rate(NamedTuple):
    """
    What the store said of a tenant's rate when it was last asked.

    *granted*: permits taken then; *left*: what was left of the burst; *wait_s*: until there are as many as were
    refused, or until the next one, 0 when there is one; *refill_s*: until the burst is whole again.
    """

    per_minute: int
    burst: int
    granted: int
    left: int
    wait_s: float
    refill_s: float

    @property
    def interval_s(self) -> float:
        return MINUTE_S / self.per_minute

    @property
    def lot_max(self) -> int:
        """The largest lot: what the rate earns in LOT_S, at least the one permit that is used at once."""
        return max(1, min(self.burst, int(LOT_S / self.interval_s)))


def read_rate(fields: list[str]) -> Rate | None:
    """Return the rate that a script replied, None for a tenant without one."""
    if not fields:
        return None
    per_minute, burst, granted, left, wait_us, refill_us = map(int, fields)
    return Rate(per_minute, burst, granted, left, wait_us / 1e6, refill_us / 1e6)


@dataclass(slots=True)
class Standing:
    """
    One key: when the store confirmed it, its tenant's rate (None: it has none), what is left of its lot; where it was
    refused, how many permits it had asked for.
    """

    confirmed_at: Instant
    rate: Rate | None
    lot: int = 0
    refused: int = 0


class Permits:
    """The standings of one instance's callers. *uses*: which of them the store confirmed, for whoever tells it so."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._standings: LRUCache[Caller, Standing] = LRUCache(CALLERS_MAX)
        self._roles: LRUCache[Caller, tuple[str, Instant]] = LRUCache(CALLERS_MAX)
        self.uses = KeyUses()

    def now(self) -> Instant:
        return self._clock.now()

    def is_confirmed(self, caller: Caller, *, in_outage: bool = False) -> bool:
        """Tell whether the store said lately that the key is valid; while it cannot be asked, older news will do."""
        standing = self._standings.get(caller)
        return standing is not None and self._is_confirmed(standing, in_outage)

    def is_unlimited(self, caller: Caller, *, in_outage: bool = False) -> bool:
        """Tell whether the tenant is known to have no rate; while the store cannot be asked, older news will do."""
        standing = self._standings.get(caller)
        return standing is not None and standing.rate is None and self._is_confirmed(standing, in_outage)

    def rate(self, caller: Caller) -> Rate | None:
        """Return the last news of the rate, its `left` with the lot added, None when there is none."""
        standing = self._standings.get(caller)
        if standing is None or standing.rate is None:
            return None
        return standing.rate._replace(left=standing.rate.left + standing.lot)

    def take(self, caller: Caller, weight: int = 1) -> bool:
        """Take *weight* permits from the lot that is held here, if it has as many and is still good."""
        standing = self._standings.get(caller)
        if standing is None or standing.rate is None or not standing.lot:
            return False
        weight = min(weight, standing.rate.burst)
        if self._age_s(standing) >= min(LOT_S, standing.rate.granted * standing.rate.interval_s):
            standing.lot = 0
            return False
        if standing.lot < weight:
            return False
        standing.lot -= weight
        return True

    def denied_s(self, caller: Caller, weight: int = 1) -> float:
        """
        Return for how long a request of *weight* permits is refused from memory; never longer than a change of the rate
        may take. Where a heavier one was refused, there may be enough for this one.
        """
        standing = self._standings.get(caller)
        if standing is None or standing.rate is None or standing.rate.granted:
            return 0.0
        rate, weight = standing.rate, min(weight, standing.rate.burst)
        if weight <= rate.left:
            return 0.0
        wait_s = rate.wait_s - (standing.refused - weight) * rate.interval_s
        return max(0.0, min(wait_s, KNOWN_S) - self._age_s(standing))

    def wanted(self, caller: Caller, weight: int = 1) -> int:
        """Return how many permits to ask for: as many as are needed, or twice a lot that was used up in time."""
        if weight > 1:
            return weight
        standing = self._standings.get(caller)
        if standing is None or standing.rate is None or not standing.rate.granted or standing.lot:
            return 1
        is_in_time = self._age_s(standing) < min(LOT_S, standing.rate.granted * standing.rate.interval_s)
        return min(2 * standing.rate.granted, standing.rate.lot_max) if is_in_time else 1

    def learn(self, caller: Caller, asked_at: Instant, rate: Rate | None, weight: int = 1) -> bool:
        """
        Take in what a script replied that was sent at *asked_at* for a request of *weight* permits; return whether the
        caller may go on.

        A lot counts from then: the store took it no earlier. A refusal counts from now.
        """
        self.uses.note(caller)
        if rate is None:
            self._standings[caller] = Standing(asked_at, None)
            return True
        weight = min(weight, rate.burst)
        if not rate.granted:
            self._standings[caller] = Standing(self._clock.now(), rate, refused=weight)
            return False
        self._standings[caller] = Standing(asked_at, rate, rate.granted - weight)
        return True

    def lacking(self, caller: Caller, least: str) -> str:
        """Return the role of the key, where the store said lately that it is one that *least* is not, "" else."""
        role, told_at = self._roles.get(caller, ("", None))
        if told_at is None or self._clock.age_s(told_at) >= KNOWN_S or is_enough(role, least):
            return ""
        return role

    def learn_role(self, caller: Caller, role: str) -> None:
        """Take in that the store refused the key for its *role*, which is all that is told of it."""
        self.uses.note(caller)
        self._roles[caller] = role, self._clock.now()

    def forget(self, caller: Caller) -> None:
        self._standings.pop(caller, None)
        self._roles.pop(caller, None)

    def _is_confirmed(self, standing: Standing, in_outage: bool) -> bool:
        return self._age_s(standing) < (KNOWN_IN_OUTAGE_S if in_outage else KNOWN_S)

    def _age_s(self, standing: Standing) -> float:
        return self._clock.age_s(standing.confirmed_at)
