"""
One run: callers at work on N instances, which are rolled twice to another deployment; all that was recorded, checked.

    N instances answer -> by share: 10, 25, 50, 100 % -> the old ones are gone -> one after the other -> gone
    -> histories, books, answers; what was answered against what functions logged

A caller without a cookie is drawn anew for each request, one with it stays where it was until its deployment is gone:
half of the requests go without.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx

from scripts.platform.client import InstanceState
from scripts.platform.settings import Deployment, FleetSettings
from scripts.proving.chaos.client import Client
from scripts.proving.chaos.site import Site, running_site
from scripts.proving.chaos.stores import DELAY_S
from scripts.proving.progress import Interrupted
from scripts.proving.releases.traffic import PATIENT, QUEUE_S, Traffic
from scripts.proving.rolling.answered import Logged, broken_once
from scripts.proving.rolling.plan import FIRST, Step, steps

FUNCTION = "/api/conversations"
"""Of the functions, the one that is asked the most: of it there have to be all instances."""

CONCURRENCY = 2
COOKIELESS = 0.5
START_MAX_S, DRAIN_MAX_S, LOGGED_MAX_S, TICK_S = 120.0, 40.0, 10.0, 0.1
"""A drain may take as long as a request: 30 s (vercel.json)."""


class Options(NamedTuple):
    seed: int = 1
    seconds: float = 60.0
    instances: int = 4


class Report(NamedTuple):
    is_whole: bool
    checked: dict[str, Any]
    broken: list[str]


def experiment(options: Options, pulse: Callable[[int], None]) -> Report:
    """
    Carry out one run; *pulse* hears the seconds.

    Raises Interrupted: the end was wished before it began; FleetError, OSError: something did not start; RuntimeError:
    a caller could not go on, or there never were as many instances.
    """
    settings = FleetSettings(
        seed=options.seed,
        concurrency=CONCURRENCY,
        instances_max=options.instances,
        delay_s=DELAY_S,
        queue_s=QUEUE_S,
        keep_alive_s=0.0,
        logs=True,
    )
    first = Deployment(FIRST, environment=PATIENT | {"WARMTHREAD_LOG_LEVEL": "info"})
    with running_site(options.seed, lambda: pulse(0), first, settings) as site:
        run = _Run(site, options)
        try:
            run.carry_out(pulse)
        except Interrupted:
            return Report(False, run.checked(), run.traffic.broken_answers())
        return Report(True, broken=run.broken(), checked=run.checked())


class _Run:
    def __init__(self, site: Site, options: Options) -> None:
        self.traffic = Traffic(site, options.seed)
        self._site = site
        self._options = options
        self._control = site.fleet.control
        self._logged = Logged(self._control)
        self._left: list[str] = []
        self._second = 0
        self._burst = 2 * CONCURRENCY * options.instances
        self._began_s = 0.0
        self._steps: list[tuple[float, Step, int]] = []
        """When each step was taken, and how many requests were under way with who goes."""
        self._dice = random.Random(f"{options.seed} cookies")  # noqa: S311  # no secret.
        self._lock = threading.Lock()
        site.recorder.choose = self._without_cookie

    def _without_cookie(self, request: httpx.Request) -> str:
        """Take a request's cookie away, by draw; the router then draws who answers it."""
        with self._lock:
            if self._dice.random() < COOKIELESS:
                request.headers.pop("cookie", None)
        return ""

    def carry_out(self, pulse: Callable[[int], None]) -> None:
        """Raises Interrupted."""
        options = self._options
        with self.traffic.working(), ThreadPoolExecutor(self._burst) as pool:
            # So many at once that they need all instances.
            for number in range(self._burst):
                pool.submit(self._ask_once, number)
            self.traffic.wait_until(
                lambda: self._ready(FIRST) >= options.instances,
                lambda: pulse(0),
                START_MAX_S,
                f"there were no {options.instances} instances of {FUNCTION}",
            )
            self._began_s = began_s = time.monotonic()
            plan = steps(options.instances)
            for number, step in enumerate(plan, 1):
                self._go_on(pulse, began_s, options.seconds * number / (len(plan) + 1))
                self._take(step)
                if step.share == 1:
                    # The steps that follow are as far apart as before.
                    began_s += self._until_gone(step.away, pulse)
            self._go_on(pulse, began_s, options.seconds)
        self._wait_for_lines()

    def _ask_once(self, number: int) -> None:
        client = Client(self._site, self._site.key, f"burst {number}")
        client.ask("GET", "/v1/conversations?limit=1")
        client.close()

    def _go_on(self, pulse: Callable[[int], None], began_s: float, until_s: float) -> None:
        while (now_s := time.monotonic() - began_s) < until_s:
            self._second = int(now_s)
            self._look(pulse)

    def _look(self, pulse: Callable[[int], None]) -> None:
        pulse(self._second)
        self.traffic.look_after()
        self._logged.collect()
        time.sleep(TICK_S)  # It is time under load that proves something.

    def _take(self, step: Step) -> None:
        environment = self._site.first.environment
        self._control.roll(Deployment(step.to, environment=environment), step.share)
        going = self._of(step.away)
        self._steps.append((time.monotonic() - self._began_s, step, sum(each.in_flight for each in going)))
        if step.ends_one and step.share < 1:
            oldest: dict[str, InstanceState] = {}
            for each in sorted(going, key=lambda each: each.age_s):
                oldest[each.function] = each
            for each in oldest.values():
                self._control.end(each.pid)

    def _until_gone(self, name: str, pulse: Callable[[int], None]) -> float:
        """Wait until no instance of the deployment *name* is left; note those that stay, and return what it took."""
        began_s = time.monotonic()
        while left := self._of(name, is_leaving=True):
            if time.monotonic() > began_s + DRAIN_MAX_S:
                self._left += [f"left: {name}{each.function}#{each.number} did not end" for each in left]
                break
            self._look(pulse)
        return time.monotonic() - began_s

    def _of(self, name: str, *, is_leaving: bool = False) -> list[InstanceState]:
        """Return the instances of the deployment *name*, those that get no more requests only where *is_leaving*."""
        states = self._control.state()
        return [each for each in states if each.deployment == name and (is_leaving or each.phase != "draining")]

    def _ready(self, name: str) -> int:
        return sum(each.function == FUNCTION and each.phase == "ready" for each in self._of(name))

    def _wait_for_lines(self) -> None:
        """A line travels beside its answer: it may come a moment later."""
        give_up_at_s = time.monotonic() + LOGGED_MAX_S
        while broken_once(self.traffic.answers, self._logged.statuses) and time.monotonic() < give_up_at_s:
            self._logged.collect()
            time.sleep(TICK_S)

    def broken(self) -> list[str]:
        found = [*broken_once(self.traffic.answers, self._logged.statuses), *self._left, *self._counted()]
        return [*found, *self._unproved(), *self.traffic.broken({1: lambda: None})]

    def _counted(self) -> Iterator[str]:
        counts = self._control.counts()
        for name in ("killed", "crashed", "bad_gateways", "timed_out", "throttled"):
            if count := getattr(counts, name):
                yield f"counted: {count} {name.replace('_', ' ')}"

    def _unproved(self) -> Iterator[str]:
        if not any(in_flight for _, _, in_flight in self._steps):
            yield "unproved: no instance that went had a request at the time"
        answered = _by_deployment(self.traffic)
        for name in {step.to for _, step, _ in self._steps} | {FIRST}:
            if not answered[name]:
                yield f"unproved: {name} answered nothing"

    def checked(self) -> dict[str, Any]:
        return self.traffic.checked() | {
            "lines_of_requests": len(self._logged.statuses),
            "answered_by": dict(sorted(_by_deployment(self.traffic).items())),
            "steps": {f"{at_s:.1f} s, {step}": f"{under_way} under way" for at_s, step, under_way in self._steps},
        }


def _by_deployment(traffic: Traffic) -> Counter[str]:
    return Counter(each.by.partition("/")[0] for each in traffic.answers if "/" in each.by)
