"""
The store of a site, past the service, and what can be wrong with it: one that speaks Upstash's HTTP, behind a network
that loses, delays and falsifies; or a cluster of Valkey, whose servers die, fall silent and hand over slots.
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from valkey.exceptions import ValkeyError as ServerError

from scripts.faults.server import Fault
from scripts.local.valkey import ValkeyError
from scripts.local.valkey_cluster import ValkeyCluster
from scripts.platform.fleet import Fleet
from scripts.proving.changes import Changes, settings_of
from scripts.proving.chaos.schedule import Kind, Window
from scripts.proving.past import Past

DELAY_S, SPIKE_S, SPIKE_JITTER_S = 0.003, 0.25, 0.2
FULL_IN_WORDS = "ERR DB capacity quota exceeded"
"""As Upstash says it, which may be in the middle of a script."""

WRONG = (
    Fault.NULL, Fault.WRONG_COUNT, Fault.NOT_JSON, Fault.NOT_HTTP, Fault.ERROR_500, Fault.REFUSE_400, Fault.REFUSE_401,
    Fault.REFUSE_403,
)  # fmt: skip
WRONG_MAX = 400
FAULTS = {Kind.STORE_SILENT: Fault.SILENT, Kind.TORN: Fault.TRUNCATE, Kind.LOST: Fault.CLOSE}

RUN_S_MAX, RUN_PAUSE_S = 20.0, 0.05
"""For so long a command is tried while a cluster has nobody for it, and the pause before each attempt."""


class Cause(NamedTuple):
    """How a fault begins, and how it ends."""

    begin: Callable[[Window], object]
    end: Callable[[], object]


class SiteStore(Protocol):
    environ: dict[str, str]
    """What an instance needs for it."""

    def run(self, *command: str | int) -> Any:
        """Run one command. Raises RuntimeError: it refused."""
        ...

    def causes(self) -> dict[Kind, Cause]: ...

    def close(self) -> None: ...


class OverHttp:
    """The store of *fleet*."""

    def __init__(self, fleet: Fleet) -> None:
        self.environ = {"UPSTASH_REDIS_REST_URL": fleet.store_url, "UPSTASH_REDIS_REST_TOKEN": fleet.store_token}
        self._fleet = fleet
        self._past = Past(fleet.store_url, fleet.store_token)
        self.run, self.close = self._past.run, self._past.close

    def causes(self) -> dict[Kind, Cause]:
        network = self._fleet.network
        found = {
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
        }
        for kind in FAULTS:
            found[kind] = Cause(lambda window: self._have(FAULTS[window.kind]), lambda: self._have(Fault.NONE))
        return found

    def _have(self, fault: Fault) -> None:
        self._fleet.network.fault = fault

    def _set_pace(self, delay_s: float, jitter_s: float) -> None:
        self._fleet.network.delay_s, self._fleet.network.jitter_s = delay_s, jitter_s

    def _go_wrong(self, faults: list[Fault]) -> None:
        self._fleet.network.faults = faults


class OnACluster:
    """*cluster* is the store; its changes are of the servers that *tenants*, which are told later, live on."""

    def __init__(self, cluster: ValkeyCluster) -> None:
        self.environ = settings_of(cluster)
        self.tenants: list[str] = []
        self._cluster = cluster
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._going_on: Future[None] | None = None

    def run(self, *command: str | int) -> Any:
        """As SiteStore.run. While nobody has the slot, it waits for whoever will."""
        give_up_at_s = time.monotonic() + RUN_S_MAX
        while True:
            try:
                return self._cluster.run(*command)
            except (ServerError, ValkeyError, OSError) as error:
                if time.monotonic() > give_up_at_s:
                    raise RuntimeError(f"the store refused {command[0]}: {error}") from error
                time.sleep(RUN_PAUSE_S)  # Nothing tells but asking.

    def causes(self) -> dict[Kind, Cause]:
        works = {
            Kind.PRIMARY_DEAD: lambda window: _lasting(self._changes(window).primary_dead(), window),
            Kind.PRIMARY_SILENT: lambda window: _lasting(self._changes(window).primary_silent(), window),
            Kind.REPLICA_SILENT: lambda window: _lasting(self._changes(window).replica_silent(), window),
            Kind.BY_KEYS: lambda window: self._changes(window).move_by_keys(),
            Kind.AS_A_WHOLE: lambda window: self._changes(window).move_as_a_whole(),
        }
        return {kind: self._cause(work) for kind, work in works.items()}

    def close(self) -> None:
        self._pool.shutdown()

    def _cause(self, work: Callable[[Window], None]) -> Cause:
        """*work* takes as long as it takes; the window ends with it."""

        def begin(window: Window) -> None:
            self._going_on = self._pool.submit(work, window)

        def end() -> None:
            if self._going_on is not None:
                self._going_on.result()

        return Cause(begin, end)

    def _changes(self, window: Window) -> Changes:
        return Changes(self._cluster, self.tenants[window.value % len(self.tenants)])


def _lasting(fault: AbstractContextManager[None], window: Window) -> None:
    """Have *fault* for as long as *window* was to last."""
    with fault:
        time.sleep(window.end_s - window.begin_s)  # It is time that faults take.


def _drawn(window: Window) -> list[Fault]:
    """Return the wrong replies of *window*, one after the other."""
    return random.Random(window.value).choices(WRONG, k=WRONG_MAX)  # noqa: S311  # no secret.
