"""
A process that reserves, settles, releases and forgets, crashes in the middle of it, and says everything twice.

    python -m scripts.proving.budgets.worker KEY OPERATIONS SEED LOG

Half of what it reserves is for a user, half of that for an agent as well. Before it settles it writes down what it is
about to say, and for whom, as a client would that must not lose it: whoever finds the log can say it again. What the
store refuses half-way it says again until it is done, half of its reservations with an Idempotency-Key. Ends with
CRASHED when it crashed on purpose, its request on the way.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable

from shared.budgets.amounts import Amount
from shared.budgets.reservations import Budgets, Reservation
from shared.environment import read_settings
from shared.errors import BudgetExceeded, ReservationEnded, StoreUnavailable
from shared.process.log import limit
from shared.request.caller import Caller, read_key
from shared.request.owners import Owners
from shared.store.attempts import Attempt
from shared.store.upstash import Store

CRASHED = 7
CRASH_SHARE = 1 / 150
RESERVED_MAX, SMALL_MAX, USED_MAX = 6_000, 60, 6
LATE_MAX = 20
PAUSE_S = 0.001
OTHERS = (("user", "alice"), ("user", "bob"), ("agent", "bot"))
NOT_KEYED = Attempt("0" * 48, "0" * 64, "", "", is_client_retry=False)


def amount(tokens: int) -> Amount:
    return Amount(None, tokens, None, None)


async def done[T](call: Callable[[], Awaitable[T]]) -> T:
    """Make the same call until the store has not refused it."""
    while True:
        try:
            return await call()
        except StoreUnavailable:
            await asyncio.sleep(PAUSE_S)


class Worker:
    """One client. *done* counts its operations, repeated ones once."""

    def __init__(self, budgets: Budgets, caller: Caller, seed: int, log: int) -> None:
        self._budgets, self._caller, self._log = budgets, caller, log
        self._random = random.Random(seed)  # noqa: S311  # no secret.
        self._late: list[Reservation] = []
        self._owners: dict[str, Owners] = {}
        self.done = 0

    async def run(self, operations: int) -> None:
        while self.done < operations:
            if self._late and (len(self._late) > LATE_MAX or self._random.random() < 0.05):
                await self._settle(self._late.pop(0), self._random.randint(0, USED_MAX))
            try:
                reserved = await self._reserve()
            except (BudgetExceeded, ReservationEnded):
                self.done += 1
                continue
            self.done += 1
            await self._end(reserved)

    async def _reserve(self) -> Reservation:
        attempt = NOT_KEYED
        if self._random.random() < 0.5:
            attempt = attempt._replace(key=f"{self._random.getrandbits(128):x}")
        asked = amount(self._random.randint(0, self._random.choice((SMALL_MAX, RESERVED_MAX))))
        owners = Owners(self._random.choice(("", "", "alice", "bob")))
        if owners.user:
            owners = owners._replace(agent=self._random.choice(("", "bot")))
        reserved = await done(lambda: self._budgets.reserve(self._caller, attempt, asked, owners))
        self._owners[reserved.id] = owners
        return reserved

    async def _end(self, reserved: Reservation) -> None:
        # What is above a large reservation would use up the budget for the rest of the run.
        above = 20 if reserved.tokens <= SMALL_MAX else 0
        match self._random.choices(("settle", "overrun", "release", "forget", "late"), (50, above, 20, 7, 10))[0]:
            case "settle":
                await self._settle(reserved, self._random.randint(0, USED_MAX))
            case "overrun":
                await self._settle(reserved, reserved.tokens + self._random.randint(1, USED_MAX))
            case "release":
                await asyncio.gather(*(self._release(reserved) for _ in range(self._times())))
            case "late":
                self._late.append(reserved)
        self.done += 1

    async def _settle(self, reserved: Reservation, tokens: int) -> None:
        user, agent = self._owners[reserved.id]
        os.write(self._log, f"{reserved.id} {tokens} {user or '-'} {agent or '-'}\n".encode())

        def settle() -> Awaitable[object]:
            return self._budgets.settle(self._caller, reserved.id, amount(tokens))

        tasks: list[asyncio.Future[object]] = [asyncio.ensure_future(done(settle)) for _ in range(self._times())]
        if self._random.random() < 0.2:
            tasks.append(asyncio.ensure_future(self._release(reserved)))  # Sent late, or overtaking.
            self._random.shuffle(tasks)
        if self._random.random() < CRASH_SHARE:
            await asyncio.sleep(self._random.random() / 500)
            os._exit(CRASHED)
        await asyncio.gather(*tasks)

    def _times(self) -> int:
        return self._random.randint(1, 3)

    async def _release(self, reserved: Reservation) -> None:
        await done(lambda: self._budgets.release(self._caller, reserved.id))


async def main(key: str, operations: int, seed: int, path: str) -> None:
    limit("error")  # What is refused half-way is refused on purpose.
    settings = read_settings()
    store = Store(settings)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    worker = Worker(Budgets(store, settings), read_key(key), seed, log)
    began_at_s = time.monotonic()
    await worker.run(operations)
    await store.close()
    print(f"{worker.done} {time.monotonic() - began_at_s:.3f}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
