"""
What one instance counts, and how it gets to the store.

    request begins and ends -> Deltas; the event loop is watched meanwhile
    after a response, each Settings.metrics_flush_s -> one script adds the deltas to what the deployment counted

The first flush comes at once, because many an instance does not live for a second one. Until the next is due, one of
the requests that have ended waits for it, behind its answer: so what a burst counted is handed over though no further
request comes. There is no timer besides, and no more than one of them waits. A flush is never sent twice: what may
have been added is forgotten, so that nothing is counted twice; what certainly was not, goes with the next one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

from shared.config import Settings
from shared.errors import StoreUnavailable
from shared.problem_types import refusal_reasons
from shared.process.ending import Ending
from shared.process.lag import LagProbe
from shared.store import keys
from shared.store.upstash import Store
from shared.telemetry.deltas import Deltas
from shared.telemetry.growth import Growth
from shared.telemetry.series import (
    CRONS,
    DURATION_BOUNDS_S,
    METHODS,
    OTHER,
    PARTIAL,
    TIERS,
    WINDOWS,
    YOUNG,
    age_of,
    status_class,
)

LAG_INTERVAL_S = 0.005
"""A look costs 33 µs, with the loop's waking for it: 0.7 % of the processor, and only while there are requests. What
held the loop for 10 ms is seen as 5 ms at the least."""

EXPIRY_S = 7 * 86_400
"""How long what a deployment counted is kept after its last flush."""

STORED_SERIES_MAX = 8_000
DEPLOYMENTS_MAX = 20

WINDOW_S = 600
"""Maxima are those of this window, by the wall clock, and of the one before."""

REASONS = refusal_reasons()

Read = Callable[[], Mapping[str, int]]


class Sources(NamedTuple):
    """What others know, by field: *totals* counted since the start, *levels* as they are now."""

    totals: Read
    levels: Read


class Ended(NamedTuple):
    """
    A request that was answered: its *route* is a template, *tier* what its Cache-Status names, *reason* why it was
    refused, each "" for none. *first_s*: until its answer began; *took_s*: until that ended. *is_partial*: the instance
    held a part of what L2 answered.
    """

    method: str
    route: str
    status: int
    tier: str
    reason: str
    first_s: float
    took_s: float
    is_partial: bool = False


class Telemetry:
    """
    The counts of one instance, which was ready *ready_s* after its process began. *beside*: what goes to the store in
    the request of a flush, and keeps its failures to itself.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        sources: Sources,
        ready_s: float,
        ending: Ending,
        clock: Callable[[], float] = time.time,
        beside: Callable[[], Iterable[Awaitable[None]]] = tuple,
    ) -> None:
        self._store = store
        self._beside = beside
        self._deployment = settings.deployment
        self._flush_s = settings.metrics_flush_s
        self._hold_s = settings.metrics_hold_s
        self._sources = sources
        self._ready_s: float | None = ready_s
        self._ending = ending
        self._clock = clock
        self._reported: Mapping[str, int] = {}
        self._flushed_at_unix_s = 0.0
        self._is_awaited = False
        self._probe = LagProbe(LAG_INTERVAL_S)
        self._under_way = 0
        self._answered = 0
        self._growth = Growth()
        self._deltas = Deltas()
        self._deltas.count("instances")

    def begin(self) -> None:
        """A request begins."""
        self._under_way += 1
        if self._under_way == 1:
            self._probe.start()

    def end(self) -> None:
        """One ends."""
        self._under_way -= 1
        if self._under_way == 0:
            self._probe.stop()

    def record(self, ended: Ended) -> None:
        """Count a request."""
        deltas, route = self._deltas, ended.route or OTHER
        series = f"{ended.method if ended.method in METHODS else OTHER} {route}"
        deltas.count(f"requests {series} {status_class(ended.status)}")
        deltas.observe(f"duration {series}", ended.took_s, DURATION_BOUNDS_S)
        self._answered += 1
        age = age_of(self._answered)
        if age in YOUNG:
            deltas.observe(f"young_duration {age} {series}", ended.took_s, DURATION_BOUNDS_S)
        if ended.tier in TIERS:
            deltas.count(f"reads {ended.tier}")
            deltas.count(f"reads_by_age {age} {PARTIAL if ended.is_partial else ended.tier}")
        if ended.reason:
            deltas.count(f"refusals {ended.reason if ended.reason in REASONS else OTHER}")
        if self._ready_s is not None:
            deltas.observe("cold_start", self._ready_s + ended.first_s, DURATION_BOUNDS_S)
            self._ready_s = None
        self._growth.look(self._answered, deltas)

    def note_budgets(self, shares: Mapping[str, int]) -> None:
        """Take note of *shares*, in millionths, that a tenant has used of its budgets."""
        for window, share in shares.items():
            if window in WINDOWS:
                self._deltas.raise_to(f"budget_used {window}", share)

    def note_cron(self, cron: str, took_s: float, *, has_failed: bool) -> None:
        """A run of *cron* ended now."""
        if cron in CRONS:
            now_unix_s = int(self._clock())
            self._deltas.note(f"cron_duration {cron}", now_unix_s, round(took_s * 1e6))
            if has_failed:
                self._deltas.count(f"cron_failures {cron}")
            else:
                self._deltas.note(f"cron_last_run {cron}", now_unix_s, now_unix_s)

    def note_sweep(self, same: int, changed: int, removed: int) -> None:
        """A sweep compared documents with their source, and found so many of each."""
        found = {"same": same, "changed": changed, "removed": removed}
        self._deltas.add({f"invalidations sweep {outcome}": count for outcome, count in found.items()})

    def is_to_be_handed_over(self, left_s: float) -> bool:
        """
        Tell whether the request that ends now, and may go on for *left_s*, is to hand the counts over: where no other
        waits to do so, and it is time, or will be soon enough.
        """
        if self._is_awaited or not self._flush_s:
            return False
        wait_s = self._wait_s()
        return wait_s <= left_s and wait_s <= self._hold_s

    async def hand_over(self) -> None:
        """Hand the counts over when it is time, or when the process ends. Raises StoreUnavailable: as `flush`."""
        if (wait_s := self._wait_s()) > 0:
            self._is_awaited = True
            try:
                await self._ending.wait(wait_s)
            finally:
                self._is_awaited = False
        self._flushed_at_unix_s = self._clock()
        await self.flush()

    def _wait_s(self) -> float:
        """Return the time until a flush is due; a wall clock that was set makes it due rather than late."""
        return max(0.0, self._flush_s - abs(self._clock() - self._flushed_at_unix_s))

    async def flush(self) -> None:
        """Hand the counts over. Raises StoreUnavailable: they are kept if nothing was stored, else they are lost."""
        deltas = self._take()
        arguments: list[str | int] = [self._deployment, int(self._clock()), EXPIRY_S, WINDOW_S]
        arguments += [STORED_SERIES_MAX, DEPLOYMENTS_MAX, len(deltas.counts), len(deltas.maxima)]
        for counted in (deltas.counts, deltas.maxima):
            for field, value in counted.items():
                arguments += [field, value]
        for field, (at_unix_s, value) in deltas.latest.items():
            arguments += [field, at_unix_s, value]
        names = [keys.metrics_key(self._deployment), keys.METRICS_KEY]
        try:
            [reply, *_] = await asyncio.gather(self._store.eval("metrics", names, arguments), *self._beside())
        except StoreUnavailable as error:
            if not error.extensions["outcome_unknown"]:
                self._deltas.take_back(deltas)
            raise
        self._deltas.add({"dropped": int(reply[1])})

    def _take(self) -> Deltas:
        totals = dict(self._sources.totals())
        deltas, self._deltas = self._deltas, Deltas()
        deltas.add({field: total - self._reported.get(field, 0) for field, total in totals.items()})
        self._reported = totals
        for field, level in self._sources.levels().items():
            deltas.raise_to(field, level)
        self._take_lag(deltas)
        return deltas

    def _take_lag(self, deltas: Deltas) -> None:
        probe, self._probe = self._probe, LagProbe(LAG_INTERVAL_S)
        if self._under_way:
            probe.stop()
            self._probe.start()
        lag = probe.seen()
        beyond = lag.looks - sum(lag.counts)
        deltas.add({f"lag {bucket}": looks for bucket, looks in enumerate((*lag.counts, beyond))})
        deltas.add({"lag sum": round(lag.sum_ms * 1_000)})
        deltas.raise_to("lag_max", round(lag.max_ms * 1_000))
