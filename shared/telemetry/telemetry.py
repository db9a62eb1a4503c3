"""
What one instance counts, and how it gets to the store.

    request begins and ends -> Deltas; the event loop is watched meanwhile
    after a response, each Settings.metrics_flush_s -> one script adds the deltas to what the deployment counted

The first flush comes at once, because many an instance does not live for a second one. There is no timer while no
request is under way. A flush is never sent twice: what may have been added is forgotten, so that nothing is counted
twice; what certainly was not, goes with the next one.
"""

import time
from collections.abc import Callable, Mapping

from shared.config import Settings
from shared.errors import StoreUnavailable
from shared.process.lag import LagProbe
from shared.request.after_response import Later
from shared.store import keys
from shared.store.upstash import Store
from shared.telemetry.deltas import Deltas
from shared.telemetry.series import DURATION_BOUNDS_S, METHODS, OTHER, TIERS, status_class

LAG_INTERVAL_S = 0.005
"""A look costs 33 µs, with the loop's waking for it: 0.7 % of the processor, and only while there are requests. What
held the loop for 10 ms is seen as 5 ms at the least."""

EXPIRY_S = 7 * 86_400
"""How long what a deployment counted is kept after its last flush."""

STORED_SERIES_MAX = 4_000
DEPLOYMENTS_MAX = 20

WINDOW_S = 600
"""Maxima are those of this window, by the wall clock, and of the one before."""

Totals = Callable[[], Mapping[str, int]]


class Telemetry:
    """
    The counts of one instance.

    *totals* returns what others count, by field, since the start; *resident_bytes* the memory held now.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        totals: Totals,
        resident_bytes: Callable[[], int],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._deployment = settings.deployment
        self._flush_s = settings.metrics_flush_s
        self._totals = totals
        self._resident_bytes = resident_bytes
        self._clock = clock
        self._reported: Mapping[str, int] = {}
        self._flushed_at_unix_s = 0.0
        self._probe = LagProbe(LAG_INTERVAL_S)
        self._under_way = 0
        self._deltas = Deltas()
        self._deltas.count("instances")

    def begin(self) -> None:
        """A request begins."""
        self._under_way += 1
        if self._under_way == 1:
            self._probe.start()

    def end(self) -> None:
        """One ends, with what is done after its answer."""
        self._under_way -= 1
        if self._under_way == 0:
            self._probe.stop()

    def record(self, method: str, route: str, status: int, tier: str, took_s: float) -> None:
        """Count a request by its *route*, a template, and the *tier* that its Cache-Status names, if it has one."""
        series = f"{method if method in METHODS else OTHER} {route or OTHER}"
        self._deltas.count(f"requests {series} {status_class(status)}")
        self._deltas.observe(f"duration {series}", took_s, DURATION_BOUNDS_S)
        if tier in TIERS:
            self._deltas.count(f"reads {tier}")

    def is_due(self) -> bool:
        """Tell whether it is time to hand the counts over."""
        return bool(self._flush_s) and abs(self._clock() - self._flushed_at_unix_s) >= self._flush_s

    def offer(self, later: Later) -> None:
        """Have the counts handed over, if it is time."""
        if self.is_due():
            self._flushed_at_unix_s = self._clock()
            later.offer(self.flush, "handing over metrics")

    async def flush(self) -> None:
        """Hand the counts over. Raises StoreUnavailable: they are kept if nothing was stored, else they are lost."""
        deltas = self._take()
        arguments: list[str | int] = [self._deployment, int(self._clock()), EXPIRY_S, WINDOW_S]
        arguments += [STORED_SERIES_MAX, DEPLOYMENTS_MAX, len(deltas.counts)]
        for counted in (deltas.counts, deltas.maxima):
            for field, value in counted.items():
                arguments += [field, value]
        try:
            reply = await self._store.eval("metrics", [keys.metrics_key(self._deployment), keys.METRICS_KEY], arguments)
        except StoreUnavailable as error:
            if not error.extensions["outcome_unknown"]:
                self._deltas.take_back(deltas)
            raise
        self._deltas.add({"dropped": int(reply[1])})

    def _take(self) -> Deltas:
        totals = dict(self._totals())
        deltas, self._deltas = self._deltas, Deltas()
        deltas.add({field: total - self._reported.get(field, 0) for field, total in totals.items()})
        self._reported = totals
        deltas.raise_to("resident_max", self._resident_bytes())
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
