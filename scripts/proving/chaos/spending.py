"""
Two tenants with limits: one spends a budget, the other asks faster than its rate allows.

    budget    at every look settled - overrun + reserved is at most the limit; in the end the books hold each settlement
              once (scripts/proving/budgets)
    rate      in any stretch of time no more is admitted than burst + rate x time
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import httpx

from scripts.proving.budgets.command import settle_books, watch_books
from scripts.proving.chaos.answers import Recorder, RunIsOver
from scripts.proving.chaos.client import Client
from scripts.proving.chaos.site import BURST, LIMIT_TOKENS, RATE_A_MINUTE, RESERVATION_S, Site
from shared.budgets.reservations import Budgets
from shared.environment import read_settings
from shared.request.caller import read_key
from shared.store.upstash import Store

RESERVED_MAX, SMALL_MAX, USED_MAX = 6_000, 60, 2
PAUSE_S, HASTE_S = 0.08, 0.05
ATTEMPTS = 6
LOOK_S = 0.25


class Spender:
    """*said*: what it settled, by reservation, whether that was acknowledged or not."""

    def __init__(self, site: Site, number: int, seed: object) -> None:
        self.said: dict[str, int] = {}
        self.granted = 0
        self.refused = 0
        self._client = Client(site, site.spender, f"{seed} spender {number}")

    def work(self) -> None:
        """Raises RunIsOver."""
        while True:
            self._spend()
            self._client.rest(PAUSE_S)

    def _spend(self) -> None:
        client, dice = self._client, self._client.dice
        tokens = dice.randint(1, dice.choice((SMALL_MAX, RESERVED_MAX, RESERVED_MAX)))
        answer = client.insist("POST", "/v1/reservations", {"tokens": tokens}, attempts=ATTEMPTS)
        if answer is None or answer.is_error:
            self.refused += answer is not None and answer.status_code == httpx.codes.TOO_MANY_REQUESTS
            return
        self.granted += 1
        path = f"/v1/reservations/{answer.json()['id']}"
        # What is above a large reservation would use up the budget for the rest of the run.
        above = 2 if tokens <= SMALL_MAX else 0
        match dice.choices(("settle", "above", "late", "release", "forget"), (60, above, 5, 25, 8))[0]:
            case "settle":
                self._settle(path, dice.randint(0, USED_MAX))
            case "above":
                self._settle(path, tokens + dice.randint(1, USED_MAX))
            case "late":
                client.rest(RESERVATION_S + 1.0)
                self._settle(path, dice.randint(0, USED_MAX))
            case "release":
                client.insist("DELETE", path, attempts=ATTEMPTS)

    def _settle(self, path: str, tokens: int) -> None:
        # Noted first: who dies in between, or hears nothing, says it again.
        self.said[path.rpartition("/")[2]] = tokens
        self._client.insist("POST", f"{path}/settle", {"tokens": tokens}, attempts=ATTEMPTS)


class Asked(NamedTuple):
    begin_ns: int
    end_ns: int
    status: int


class Hasty:
    def __init__(self, site: Site, seed: object) -> None:
        self.asked: list[Asked] = []
        self._client = Client(site, site.hasty, f"{seed} hasty")

    def work(self) -> None:
        """Raises RunIsOver."""
        while True:
            begin_ns = time.monotonic_ns()
            answer = self._client.ask("GET", "/v1/usage")
            if answer is not None:
                self.asked.append(Asked(begin_ns, time.monotonic_ns(), answer.status_code))
            self._client.rest(HASTE_S)


def broken_rate(asked: Sequence[Asked], full_ns: Iterable[tuple[int, int]] = ()) -> list[str]:
    """
    Return the first stretch in which too much was admitted.

    Of what was asked in the spans *full_ns* nothing counts: a full store cannot write down permits, and reads go on.
    """
    spans = list(full_ns)
    admitted = sorted(
        each
        for each in asked
        if each.status == httpx.codes.OK and not any(each.begin_ns < e and each.end_ns > b for b, e in spans)
    )
    for first, start in enumerate(admitted):
        ends = sorted(each.end_ns for each in admitted[first:])
        for count, end_ns in enumerate(ends, 1):
            allowed = BURST + RATE_A_MINUTE / 60 * (end_ns - start.begin_ns) / 1e9
            if count > allowed + 1:  # Permits come whole, and the store's clock has milliseconds.
                return [f"rate: {count} requests within {(end_ns - start.begin_ns) / 1e9:.2f} s, {allowed:.0f} allowed"]
    return []


class Books:
    """Looks at the spender's books past the service and the network, in a thread of its own."""

    def __init__(self, site: Site) -> None:
        self.looks: list[int] = []
        self.wrong: list[str] = []
        self._caller = read_key(site.spender)
        self._recorder = site.recorder
        variables = site.store.environ | {"WARMTHREAD_RESERVATION_S": str(RESERVATION_S)}
        self._settings = read_settings(variables)

    def work(self) -> None:
        """Raises RunIsOver."""
        asyncio.run(self._watch(self._recorder))
        raise RunIsOver

    async def _watch(self, recorder: Recorder) -> None:
        store = Store(self._settings)
        watch = asyncio.create_task(
            watch_books(Budgets(store, self._settings), self._caller, LIMIT_TOKENS, self.looks, self.wrong)
        )
        while not recorder.gone.is_set() and not watch.done():
            await asyncio.wait([watch], timeout=LOOK_S)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await store.close()
        if not watch.cancelled():
            watch.result()

    def broken(self) -> list[str]:
        """Return the looks that found too much."""
        return [f"overrun: {each}" for each in self.wrong]

    def settle(self, said: Mapping[str, int]) -> list[str]:
        """Say everything again, and return what the books have wrong then."""

        async def settled() -> list[str]:
            store = Store(self._settings)
            try:
                budgets = Budgets(store, self._settings)
                return await settle_books(budgets, self._caller, LIMIT_TOKENS, RESERVATION_S, said)
            finally:
                await store.close()

        return [f"books: {each}" for each in asyncio.run(settled())]
