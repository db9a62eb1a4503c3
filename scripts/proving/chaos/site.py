"""
What faults are caused in: a fleet, its store past the network, an object store behind a front of its own.

    with running_site(seed) as site:
        site.begin(window), site.end(window)    the window's fault, from here to there; kills are spread over it
        site.run("HGETALL", …)                  a command on the store, past the service and the network

It serves several tenants: the fleet's own, `spender` with a budget, `hasty` with a rate.
"""

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from scripts.faults.server import Fault, FaultyServer
from scripts.local.mint import mint_in
from scripts.local.object_store import ObjectStore, running_s3
from scripts.local.valkey_cluster import running_cluster
from scripts.platform.client import InstanceState
from scripts.platform.fleet import Fleet
from scripts.platform.settings import Deployment, FleetSettings
from scripts.proving.chaos.answers import Recorder
from scripts.proving.chaos.schedule import Kind, Window
from scripts.proving.chaos.stores import DELAY_S, Cause, OnACluster, OverHttp, SiteStore
from shared.request.caller import make_key, read_key
from shared.store import keys

RESERVATION_S = 3
LIMIT_TOKENS, RATE_A_MINUTE, BURST = 12_000, 60, 5
KILLS = 3
PRELUDES = {
    Kind.CLOCK_AHEAD: "scripts.proving.chaos.clock_ahead",
    Kind.CLOCK_BEHIND: "scripts.proving.chaos.clock_behind",
    Kind.TWO_RELEASES: "",
}
SHARE = 0.5
LOOK_S = 0.05


class Site:
    """What runs within `running_site`."""

    def __init__(self, fleet: Fleet, s3: ObjectStore, front: FaultyServer, first: Deployment, store: SiteStore) -> None:
        self.fleet = fleet
        self.store = store
        self.s3 = s3
        self.recorder = Recorder()
        self.url = fleet.url
        self.key = fleet.key
        self.first = first
        self.tenant = read_key(fleet.key).tenant
        self.spender, self.hasty = (make_key(f"t{name}{secrets.token_hex(6)}") for name in ("spender", "hasty"))
        self.evict: Callable[[], None] = lambda: None
        """Who has conversations to lose says here how."""
        self._front = front
        self._stopped: list[int] = []
        self._kills: list[float] = []
        self._causes = store.causes() | self._faults()
        for key in (self.spender, self.hasty):
            mint_in(store.environ, key)
        self.run("HSET", keys.tenant_key(read_key(self.spender).tenant), "limit:tokens-month", LIMIT_TOKENS)
        self.run("HSET", keys.tenant_key(read_key(self.hasty).tenant), "rate", f"{RATE_A_MINUTE} {BURST}")
        self.run("CONFIG", "SET", "maxmemory-policy", "noeviction")

    def run(self, *command: str | int) -> Any:
        """Run one command on the store. Raises RuntimeError: it refused."""
        return self.store.run(*command)

    def begin(self, window: Window) -> None:
        self._causes[window.kind].begin(window)

    def end(self, window: Window) -> None:
        self._causes[window.kind].end()

    def _faults(self) -> "dict[Kind, Cause]":
        roll = self.fleet.control.roll
        causes = {
            Kind.KILLS: Cause(self._plan_kills, self._kills.clear),
            Kind.SUSPENDS: Cause(lambda _: self._stop_one(), self._go_on),
            Kind.SOURCE_REFUSES: Cause(lambda _: self._front.leave(), self._front.come_back),
            Kind.SOURCE_SILENT: Cause(lambda _: self._have_source(Fault.SILENT), lambda: self._have_source(Fault.NONE)),
            Kind.DUPLICATES: Cause(lambda _: self.recorder.is_doubling.set(), self.recorder.is_doubling.clear),
            Kind.EVICTION: Cause(lambda _: self.evict(), lambda: None),
        }
        for kind in PRELUDES:
            causes[kind] = Cause(lambda window: roll(self._release(window.kind), SHARE), lambda: roll(self.first, 1.0))
        return causes

    def _have_source(self, fault: Fault) -> None:
        self._front.fault = fault

    def _plan_kills(self, window: Window) -> None:
        lasts_s = window.end_s - window.begin_s
        self._kills[:] = [time.monotonic() + lasts_s * number / KILLS for number in range(KILLS)]

    def tick(self) -> None:
        """Do what is due within a window that has begun."""
        while self._kills and self._kills[0] <= time.monotonic():
            if (victim := self._at_work()) is None:
                return  # The next one that gets a request.
            del self._kills[0]
            with contextlib.suppress(ValueError):  # It ended by itself.
                self.fleet.control.kill(victim.pid)

    def _release(self, kind: Kind) -> Deployment:
        first = self.first
        return Deployment(f"dpl_{kind.name.lower()}", environment=first.environment, prelude=PRELUDES[kind])

    def _at_work(self) -> InstanceState | None:
        """Return the instance that has the most requests, and was not stopped."""
        running = [each for each in self.fleet.control.state() if each.in_flight and each.pid not in self._stopped]
        ready = [each for each in running if each.phase == "ready" and not each.suspended]
        return max(ready, key=lambda each: each.in_flight, default=None)

    def _stop_one(self) -> None:
        give_up_at_s = time.monotonic() + 1.0
        while (victim := self._at_work()) is None and time.monotonic() < give_up_at_s:
            time.sleep(LOOK_S)  # Until one has a request.
        if victim is not None:
            self._stopped.append(victim.pid)
            os.kill(victim.pid, signal.SIGSTOP)

    def _go_on(self) -> None:
        for pid in self._stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._stopped = []


@contextlib.contextmanager
def running_site(
    seed: int,
    look_up: Callable[[], object] = lambda: None,
    first: Deployment | None = None,
    settings: FleetSettings | None = None,
    *,
    on_a_cluster: bool = False,
) -> Iterator[Site]:
    """
    Run it for this block, with *first* as its deployment: its own environment comes before what it needs here.
    *look_up* is called between the steps of its start, and may raise. *on_a_cluster*: a cluster is its store.

    Raises FleetError, OSError, ValkeyError: something did not start.
    """
    with contextlib.ExitStack() as stack:
        look_up()
        s3 = stack.enter_context(running_s3())
        look_up()
        front = stack.enter_context(FaultyServer(s3.url))
        environment = s3.settings(front.url) | {
            "WARMTHREAD_RESERVATION_S": str(RESERVATION_S),
            "WARMTHREAD_LOG_LEVEL": "error",
        }
        cluster = OnACluster(stack.enter_context(running_cluster())) if on_a_cluster else None
        if cluster is not None:
            look_up()
            environment |= cluster.environ
        first = first or Deployment("dpl_first")
        first = replace(first, environment=environment | dict(first.environment))
        usual = FleetSettings(seed=seed, concurrency=2, instances_max=3, life_s=45.0, delay_s=DELAY_S)
        fleet = Fleet(first, settings or usual)
        stack.callback(fleet.stop)
        fleet.start()
        look_up()
        store = cluster or OverHttp(fleet)
        stack.callback(store.close)
        site = Site(fleet, s3, front, first, store)
        if cluster is not None:
            mint_in(cluster.environ, fleet.key)
            cluster.tenants += [read_key(each).tenant for each in (site.key, site.spender, site.hasty)]
        yield site
