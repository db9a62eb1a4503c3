"""
A run: writers and readers on one conversation, each in a thread of its own and at home at one instance.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from scripts.proving.changes import HTTP
from scripts.proving.coherence.actor import Actor
from scripts.proving.coherence.caller import Caller, Resending, Shared
from scripts.proving.coherence.stored import Stored
from scripts.proving.fleet import Fleet

INSTANCES, WRITERS = 4, 2
POLL_S = 0.02
"""Between two looks at how far the threads are, and at whether all instances live, which says nothing by itself."""
LOST_ANSWERS, LOST_REQUESTS = 0.1, 0.03
UNSUPPORTED = "not supported by the server: nothing is sent again"


class Options(NamedTuple):
    """What a run does."""

    operations: int
    seed: int = 0
    kill: bool = False
    idempotency: bool = False
    retries: bool = False
    rollback: bool = False
    suspend_s: float = 0.0
    halfway: bool = False
    store: str = HTTP


class Run:
    """One conversation and its callers. *pulse* hears how many operations have begun, and may raise."""

    def __init__(self, fleet: Fleet, options: Options, pulse: Callable[[int], None]) -> None:
        self.fleet = fleet
        self.options = options
        self.facts: dict[str, object] = {}
        self.limit = options.operations
        self._pulse = pulse
        self._begun = [0] * INSTANCES
        self._is_over = False
        self.unanswered: list[str] = []
        self._work_going_on: list[Future[None]] = []
        resending = self._probe()
        self.shared = Shared(self._create())
        self.callers = [
            Caller(fleet, self.shared, resending, random.Random(f"{options.seed} {number}"), options.suspend_s)  # noqa: S311
            for number in range(INSTANCES + 1)
        ]
        self.stored = Stored(fleet, self.shared.path.rpartition("/")[2], self.shared.texts)
        self.main = self.callers[-1]
        self.main.append(fleet.instances[0], [{"role": "user", "content": "start of it all"}])

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the callers in their threads; they are over when the block is. Raises what a caller raised."""
        with ThreadPoolExecutor(INSTANCES) as pool:
            try:
                self._work_going_on = [pool.submit(self._work, number) for number in range(INSTANCES)]
                yield
                while not all(each.done() for each in self._work_going_on):
                    self.check_pulse()
                    time.sleep(POLL_S)  # Callers end by themselves; meanwhile progress is told, and failures are seen.
            finally:
                self._is_over = True
        self.check_pulse()

    @property
    def begun(self) -> int:
        """Operations begun by all callers."""
        return sum(self._begun)

    def close(self) -> None:
        for caller in self.callers:
            caller.close()

    def wait_until(self, operations: int) -> None:
        """Return when so many operations have begun."""
        while self.begun < operations:
            self.check_pulse()
            time.sleep(POLL_S)  # Operations are counted in other threads, which tell nobody of each.

    def check_pulse(self) -> None:
        for each in self._work_going_on:
            if each.done():
                each.result()
        self._pulse(self.begun)

    def _create(self) -> str:
        with self.fleet.client() as http:
            return str(http.post("/v1/conversations", json={}).raise_for_status().json()["id"])

    def _probe(self) -> Resending:
        """Return how the callers may resend: only what the service can tell from a new batch."""
        path = f"/v1/conversations/{self._create()}/items"

        def is_recognised(first: dict[str, str], again: dict[str, str]) -> bool:
            with self.fleet.client() as http:
                body = {"items": [{"role": "user", "content": "probe"}]}
                answers = [http.post(path, json=body, headers=headers) for headers in (first, again)]
            return len({each.raise_for_status().json()["last_id"] for each in answers}) == 1

        by_key = by_count = False
        if self.options.idempotency:
            by_key = is_recognised({"idempotency-key": "probe"}, {"idempotency-key": "probe"})
            self.facts["Idempotency-Key"] = "supported" if by_key else UNSUPPORTED
        if self.options.retries:
            by_count = is_recognised({}, {"x-stainless-retry-count": "1"})
            self.facts["x-stainless-retry-count"] = "supported" if by_count else UNSUPPORTED
        if not (self.options.idempotency or self.options.retries):
            return Resending()
        return Resending(by_key, by_count, LOST_ANSWERS, LOST_REQUESTS)

    def _work(self, number: int) -> None:
        caller, home = self.callers[number], self.fleet.instances[number]
        dice = random.Random(f"{self.options.seed} {number} work")  # noqa: S311
        actor = Actor(caller, home, self.fleet, dice, is_writer=number < WRITERS)
        # Each has its part: a caller that waits for an instance to come back is not overtaken for good.
        while not self._is_over and self._begun[number] < self.options.operations // INSTANCES:
            if self._begun[number] >= self.limit // INSTANCES:
                time.sleep(POLL_S)  # The experiment raises the limit, and tells nobody.
                continue
            self._begun[number] += 1
            actor.act()
