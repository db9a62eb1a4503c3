"""
What faults are caused in: a fleet, its store past the network, an object store behind a front of its own.

    with running_site(seed) as site:
        site.begin(window), site.end(window)    the window's fault, from here to there; kills are spread over it
        site.run("HGETALL", …)                  a command on the store, past the service and the network

It serves several tenants: the fleet's own, `spender` with a budget, `hasty` with a rate.
"""

import contextlib
import os
import random
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from scripts.faults.server import Fault, FaultyServer
from scripts.local.mint import mint
from scripts.local.object_store import ObjectStore, running_s3
from scripts.platform.client import InstanceState
from scripts.platform.fleet import Fleet
from scripts.platform.settings import Deployment, FleetSettings
from scripts.proving.chaos.answers import Recorder
from scripts.proving.chaos.schedule import Kind, Window
from scripts.proving.past import Past
from shared.request.caller import make_key, read_key
from shared.store import keys

DELAY_S, SPIKE_S, SPIKE_JITTER_S = 0.003, 0.25, 0.2
RESERVATION_S = 3
LIMIT_TOKENS, RATE_A_MINUTE, BURST = 12_000, 60, 5
FULL_IN_WORDS = "ERR DB capacity quota exceeded"
"""As Upstash says it, which may be in the middle of a script."""

WRONG = (
    Fault.NULL, Fault.WRONG_COUNT, Fault.NOT_JSON, Fault.NOT_HTTP, Fault.ERROR_500, Fault.REFUSE_400, Fault.REFUSE_401,
    Fault.REFUSE_403,
)  # fmt: skip
WRONG_MAX, KILLS = 400, 3
PRELUDES = {
    Kind.CLOCK_AHEAD: "scripts.proving.chaos.clock_ahead",
    Kind.CLOCK_BEHIND: "scripts.proving.chaos.clock_behind",
    Kind.TWO_RELEASES: "",
}
SHARE = 0.5
LOOK_S = 0.05
STORE_FAULTS = {Kind.STORE_SILENT: Fault.SILENT, Kind.TORN: Fault.TRUNCATE, Kind.LOST: Fault.CLOSE}


class Cause(NamedTuple):
    """How a fault begins, and how it ends."""

    begin: Callable[[Window], object]
    end: Callable[[], object]


class Site:
    """What runs within `running_site`."""

    def __init__(self, fleet: Fleet, s3: ObjectStore, front: FaultyServer, first: Deployment) -> None:
        self.fleet = fleet
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
        self._causes = self._faults()
        self._store = Past(fleet.store_url, fleet.store_token)
        for key in (self.spender, self.hasty):
            mint(fleet.store_url, fleet.store_token, key)
        self.run("HSET", keys.tenant_key(read_key(self.spender).tenant), "limit:tokens-month", LIMIT_TOKENS)
        self.run("HSET", keys.tenant_key(read_key(self.hasty).tenant), "rate", f"{RATE_A_MINUTE} {BURST}")
        self.run("CONFIG", "SET", "maxmemory-policy", "noeviction")

    def run(self, *command: str | int) -> Any:
        """Run one command on the store. Raises RuntimeError: it refused."""
        return self._store.run(*command)

    def close(self) -> None:
        self._store.close()

    def begin(self, window: Window) -> None:
        self._causes[window.kind].begin(window)

    def end(self, window: Window) -> None:
        self._causes[window.kind].end()

    def _faults(self) -> "dict[Kind, Cause]":
        network, roll = self.fleet.network, self.fleet.control.roll
        causes = {
            Kind.STORE_REFUSES: Cause(lambda _: network.leave(), network.come_back),
            Kind.LATENCY: Cause(lambda _: self._set_pace(SPIKE_S, SPIKE_JITTER_S), lambda: self._set_pace(DELAY_S, 0)),
            Kind.WRONG: Cause(lambda window: self._go_wrong(_drawn(window)), lambda: self._go_wrong([])),
            Kind.HALF_WAY: Cause(lambda window: network.end_half_way(window.value), lambda: network.end_half_way(None)),
            Kind.FULL_HALF_WAY: Cause(
                lambda window: network.end_half_way(window.value, FULL_IN_WORDS), lambda: network.end_half_way(None)
            ),
            Kind.FULL: Cause(
                lambda _: self.run("CONFIG", "SET", "maxmemory", "1"),
                lambda: self.run("CONFIG", "SET", "maxmemory", "0"),
            ),
            Kind.KILLS: Cause(self._plan_kills, self._kills.clear),
            Kind.SUSPENDS: Cause(lambda _: self._stop_one(), self._go_on),
            Kind.SOURCE_REFUSES: Cause(lambda _: self._front.leave(), self._front.come_back),
            Kind.SOURCE_SILENT: Cause(lambda _: self._have_source(Fault.SILENT), lambda: self._have_source(Fault.NONE)),
            Kind.DUPLICATES: Cause(lambda _: self.recorder.is_doubling.set(), self.recorder.is_doubling.clear),
            Kind.EVICTION: Cause(lambda _: self.evict(), lambda: None),
        }
        for kind in STORE_FAULTS:
            causes[kind] = Cause(lambda window: self._have_store(window.kind), lambda: self._have_store(None))
        for kind in PRELUDES:
            causes[kind] = Cause(lambda window: roll(self._release(window.kind), SHARE), lambda: roll(self.first, 1.0))
        return causes

    def _have_store(self, kind: Kind | None) -> None:
        self.fleet.network.fault = Fault.NONE if kind is None else STORE_FAULTS[kind]

    def _have_source(self, fault: Fault) -> None:
        self._front.fault = fault

    def _set_pace(self, delay_s: float, jitter_s: float) -> None:
        self.fleet.network.delay_s, self.fleet.network.jitter_s = delay_s, jitter_s

    def _go_wrong(self, faults: list[Fault]) -> None:
        self.fleet.network.faults = faults

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


def _drawn(window: Window) -> list[Fault]:
    """Return the wrong replies of *window*, one after the other."""
    return random.Random(window.value).choices(WRONG, k=WRONG_MAX)  # noqa: S311  # no secret.


@contextlib.contextmanager
def running_site(
    seed: int,
    look_up: Callable[[], object] = lambda: None,
    first: Deployment | None = None,
    settings: FleetSettings | None = None,
) -> Iterator[Site]:
    """
    Run it for this block, with *first* as its deployment: its own environment comes before what it needs here.
    *look_up* is called between the steps of its start, and may raise.

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
        first = first or Deployment("dpl_first")
        first = replace(first, environment=environment | dict(first.environment))
        usual = FleetSettings(seed=seed, concurrency=2, instances_max=3, life_s=45.0, delay_s=DELAY_S)
        fleet = Fleet(first, settings or usual)
        stack.callback(fleet.stop)
        fleet.start()
        look_up()
        site = Site(fleet, s3, front, first)
        stack.callback(site.close)
        yield site
