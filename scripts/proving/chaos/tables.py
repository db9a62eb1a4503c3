"""
Conversations that several callers share: each appends, deletes and reads as in `scripts/prove coherence`, but through
the router, so that any instance may answer. What is recorded is a history for its checker.

A conversation that has grown is left for a new one: a checker that looks at every read takes the square of its length.
"""

import random
import threading
import time
from collections.abc import Sequence
from typing import Any

from scripts.proving.chaos.answers import DEADLINE_S, Line, RunIsOver
from scripts.proving.chaos.client import Client
from scripts.proving.chaos.site import Site
from scripts.proving.coherence.actor import Actor
from scripts.proving.coherence.caller import Answer, Caller, Resending, Shared
from scripts.proving.coherence.reached import Instance
from scripts.proving.coherence.stored import Stored
from scripts.proving.history.recorded import Append, Delete, History, Operation, Outcome

ITEMS_MAX = 200
PAUSE_S = 0.04
LOST_ANSWERS, LOST_REQUESTS = 0.03, 0.02
CUT_OFF_COPIES_MAX = 20
"""Of a batch that is being sent again, as often as it takes, when the run ends."""


class Router:
    """The router as the one place that is called; *number* is the caller's. What `coherence` calls instances."""

    def __init__(self, site: Site, number: int) -> None:
        self.number = number
        self.url = site.url
        self.key = site.key
        self.run = site.run

    @property
    def available(self) -> Sequence[Instance]:
        return [self]


class FleetCaller(Caller):
    """Knows by the router which instance answered. What the end of the run cuts off has an unknown outcome."""

    def __init__(self, router: Router, shared: Shared, resending: Resending, dice: random.Random, line: Line) -> None:
        super().__init__(router, shared, resending, dice, DEADLINE_S, line)
        self._line = line

    def process_of(self, instance: Instance) -> int:
        # A hash of its name: what matters is that two instances have two numbers.
        return abs(hash(self._line.last))

    def append(self, instance: Instance, items: list[dict[str, Any]]) -> None:
        start_ns = time.monotonic_ns()
        try:
            super().append(instance, items)
        except RunIsOver:
            texts = tuple(item["content"].partition(" ")[0] for item in items)
            copies_max = 1 if self._resending.by_key else CUT_OFF_COPIES_MAX
            self.operations.append(
                Append(instance.number, start_ns, time.monotonic_ns(), Outcome.UNKNOWN, texts, (), copies_max)
            )
            raise

    def delete(self, instance: Instance, item_id: str) -> None:
        start_ns = time.monotonic_ns()
        try:
            super().delete(instance, item_id)
        except RunIsOver:
            self.operations.append(Delete(instance.number, start_ns, time.monotonic_ns(), Outcome.UNKNOWN, item_id))
            raise

    def _attempt(self, attempt: int, instance: Instance, body: Any, headers: dict[str, str]) -> Answer:
        if self._line.is_doubling and self._resending.by_count and attempt == 0:
            # It says that it sends something again only when it has lost an answer.
            return self._call("POST", instance, "/items", body=body, headers=headers, loses_answer=True)
        return super()._attempt(attempt, instance, body, headers)


class Table:
    """Callers of one conversation after the other. *by_key*: they resend with a key, else as OpenAI's clients do."""

    def __init__(self, site: Site, name: str, seed: object, *, by_key: bool) -> None:
        self.name = name
        self.sittings: list[Sitting] = []
        self._site = site
        self._seed = seed
        self._resending = Resending(by_key, not by_key, LOST_ANSWERS, LOST_REQUESTS)
        self._lock = threading.Lock()
        self._client = Client(site, site.key, f"{seed} {name}")

    def work(self, number: int, *, is_writer: bool) -> None:
        """Call until the run is over, which raises RunIsOver."""
        sitting: Sitting | None = None
        while True:
            newest = self._newest()
            if newest is not sitting:
                sitting = newest
                actor = sitting.seat(number, is_writer=is_writer)
            actor.act()
            self._site.recorder.rest(PAUSE_S)

    def _newest(self) -> "Sitting":
        with self._lock:
            if not self.sittings or len(self.sittings[-1].shared.ids) > ITEMS_MAX:
                answer = self._client.insist("POST", "/v1/conversations", {})
                assert answer is not None
                identity = answer.raise_for_status().json()["id"]
                name = f"{self.name}{len(self.sittings)}"
                self.sittings.append(Sitting(self._site, identity, f"{self._seed} {name}", self._resending))
            return self.sittings[-1]


class Sitting:
    """One conversation, and who called it."""

    def __init__(self, site: Site, identity: str, seed: str, resending: Resending) -> None:
        self.id = identity
        self.shared = Shared(identity)
        self.stored = Stored(Router(site, 0), identity, self.shared.texts)
        self._site = site
        self._seed = seed
        self._resending = resending
        self.callers: list[FleetCaller] = []

    def seat(self, number: int, *, is_writer: bool) -> Actor:
        """Return who acts as caller *number*."""
        dice = random.Random(f"{self._seed} {number}")  # noqa: S311  # no secret.
        router, line = Router(self._site, number), Line(self._site.recorder)
        caller = FleetCaller(router, self.shared, self._resending, dice, line)
        self.callers.append(caller)
        attempts = 0
        while not self.shared.ids:  # What callers do is about items that there are.
            attempts += 1
            caller.append(router, [{"role": "user", "content": f"start-{number}-{attempts} of it all"}])
        return Actor(caller, router, router, dice, is_writer=is_writer)

    @property
    def operations(self) -> list[Operation]:
        return [each for caller in self.callers for each in caller.operations]

    def history(self, finals: dict[int, tuple[str, ...]]) -> History:
        """Return what was recorded, with the log as the store holds it now."""
        return History(self.operations, self.stored.log(), finals)

    def listed(self, client: Client) -> tuple[str, ...] | None:
        """Return the ids of the conversation as the service lists them, None: it does not."""
        ids: list[str] = []
        more = True
        while more:
            after = f"&after={ids[-1]}" if ids else ""
            answer = client.insist("GET", f"{self.shared.path}/items?order=asc&limit=100{after}", attempts=20)
            if answer is None or answer.is_error:
                return None
            page: dict[str, Any] = answer.json()
            ids += [each["id"] for each in page["data"]]
            more = page["has_more"]
        return tuple(ids)
