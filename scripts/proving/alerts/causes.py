"""
What makes each alert fire: a fault, a load, or a limit, brought about for real.

A cause is carried out again and again until its alerts fire. Each has a deployment of its own, whose name it is, so
that one does not answer for another.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import httpx

from scripts.faults.server import Fault
from scripts.proving.alerts.site import CALLERS, CRON, Deployment, Site, conversation
from shared.store import keys

MANY = 150
"""More than the least number of requests, or of documents, that any alert wants to see in ten minutes."""

AWAY_MAX_S = 15.0
"""An instance tries a store that was away again within 10 s."""

DELAY_S = 0.15
LATE_S, BETWEEN_S, LATE_TIMES = 0.025, 0.01, 60
LITTLE_MEMORY_BYTES = 80 * 1_048_576
"""Enough for an instance that has little to do: 50 MiB."""

LARGE_BYTES = 1_000_000

TOO_LATE_S = 27 * 3_600


class Scene(NamedTuple):
    """Where a cause is carried out: in *deployment*, while Prometheus looks at *watched*."""

    site: Site
    watched: Deployment
    deployment: Deployment


class Cause(NamedTuple):
    """
    *carry_out* makes all of *alerts* fire, and what it brought about is to be seen for *lasts_s*. *settings* are those
    of its deployment; *labels* are what an alert names besides, or instead of it.
    """

    alerts: tuple[str, ...]
    carry_out: Callable[[Scene], None]
    settings: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    lasts_s: float = 2.0


def errors(scene: Scene) -> None:
    """The store answers nonsense to one instance, which opens its breaker, and tells of it afterwards."""
    deployment = scene.deployment
    deployment.front.fault = Fault.ERROR_500
    deployment.at_once(_list, MANY)
    deployment.front.fault = Fault.NONE
    _wait_until_well(deployment.api)


def slowness(scene: Scene) -> None:
    """The store takes 150 ms."""
    scene.deployment.front.delay_s = DELAY_S
    scene.deployment.at_once(_list, MANY)


def misses(scene: Scene) -> None:
    """Every document is asked for once."""
    deployment = scene.deployment
    names = iter([f"{secrets.token_hex(8)}.md" for _ in range(MANY)])
    lock = threading.Lock()

    def ask(api: httpx.Client) -> httpx.Response:
        with lock:
            name = next(names)
        (deployment.documents / name).write_text("Nobody asked for this before.")
        return api.get(f"/v1/documents/{name}")

    deployment.at_once(ask, MANY)


def lateness(scene: Scene) -> None:
    """The process of an instance is stopped for 25 ms, again and again, while it has requests to answer."""
    deployment, is_over = scene.deployment, threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            deployment.at_once(_list, MANY)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(LATE_TIMES):
            deployment.instance.suspend()
            time.sleep(LATE_S)  # How late the loop is to be: the process stands still for so long.
            deployment.instance.resume()
            time.sleep(BETWEEN_S)  # It answers meanwhile, or nothing would be under way when it stands still again.
    finally:
        is_over.set()
        asking.join()


def want_of_memory(scene: Scene) -> None:
    """An instance that has little memory gets large conversations, many at once."""
    items = [{"role": "user", "content": "x" * LARGE_BYTES}] * 3
    scene.deployment.at_once(lambda api: api.post("/v1/conversations", json={"items": items}), CALLERS)


def stampede(scene: Scene) -> None:
    """All ask for one conversation at once, and the store takes its time."""
    path = conversation(scene.deployment.api)
    scene.deployment.front.delay_s = DELAY_S
    scene.deployment.at_once(lambda api: api.get(f"{path}/items"), MANY * 2)
    scene.deployment.front.delay_s = 0


def refusals(scene: Scene) -> None:
    """A tenant that may send 60 requests a minute sends more."""
    scene.site.limit(scene.deployment.tenant, rate="60", burst="5")
    scene.deployment.at_once(_list, MANY)


def full_store(scene: Scene) -> None:
    """The store has no memory left for a moment; what was refused is told when it has."""
    scene.site.run("CONFIG", "SET", "maxmemory", 1)
    scene.deployment.at_once(lambda api: api.post("/v1/conversations", json={}), 5)
    scene.site.run("CONFIG", "SET", "maxmemory", 0)
    _wait_until_well(scene.deployment.api)


def late_sweep(scene: Scene) -> None:
    """The last sweep was 27 hours ago: what is kept of it is made as old as that."""
    field = "cron_last_run sweep"
    scene.deployment.api.get("/api/cron/sweep", headers=CRON).raise_for_status()
    kept = keys.metrics_key(scene.deployment.name)
    _wait_until(lambda: scene.site.run("HGET", kept, field) is not None)
    long_ago = int(time.time()) - TOO_LATE_S
    for name in scene.site.run("ZRANGE", keys.METRICS_KEY, 0, -1):
        if scene.site.run("HEXISTS", keys.metrics_key(name), field):
            scene.site.run("HSET", keys.metrics_key(name), field, f"{long_ago} {long_ago}")


def budget_near_end(scene: Scene) -> None:
    """A tenant reserves 95 % of its tokens of a day."""
    scene.site.limit(scene.deployment.tenant, tokens_day="1000")
    scene.deployment.api.post("/v1/reservations", json={"tokens": 950})
    _list(scene.deployment.api)


def outage(scene: Scene) -> None:
    """The store is away for the instance that Prometheus asks."""
    scene.watched.front.leave()


CAUSES = {
    "errors": Cause(("WarmthreadErrors", "WarmthreadBreaker"), errors),
    "slowness": Cause(("WarmthreadSlow",), slowness),
    "misses": Cause(("WarmthreadHitRateLow",), misses),
    "lateness": Cause(("WarmthreadLoopLag",), lateness),
    "memory": Cause(("WarmthreadMemory",), want_of_memory, {"WARMTHREAD_MEMORY_BYTES_MAX": str(LITTLE_MEMORY_BYTES)}),
    "stampede": Cause(("WarmthreadStampede",), stampede),
    "refusals": Cause(("WarmthreadRefusals",), refusals, labels={"reason": "rate"}),
    "full-store": Cause(("WarmthreadStoreFull",), full_store),
    "late-sweep": Cause(("WarmthreadCronLate",), late_sweep, labels={"cron": "sweep"}),
    "budget": Cause(("WarmthreadBudgetNearEnd",), budget_near_end, labels={"window": "tokens-day"}),
    "outage": Cause(("WarmthreadUnseen",), outage),
}
"""In the order in which they are carried out: after an outage nothing can be seen."""

OF_NO_DEPLOYMENT = frozenset({"WarmthreadCronLate", "WarmthreadUnseen"})
"""Alerts that speak for all of them."""


def _list(api: httpx.Client) -> httpx.Response:
    return api.get("/v1/conversations")


def _wait_until_well(api: httpx.Client) -> None:
    _wait_until(lambda: _list(api).status_code == httpx.codes.OK)


def _wait_until(is_so: Callable[[], bool]) -> None:
    give_up_at_s = time.monotonic() + AWAY_MAX_S
    while not is_so():
        if time.monotonic() > give_up_at_s:
            raise RuntimeError("it did not come about what a cause waits for")
        time.sleep(0.2)  # What is waited for happens in other processes, and only asking them tells.
