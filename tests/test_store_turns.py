"""Turns of large replies: few at once while they are large, each owner by itself, and nobody waits for ever."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.store.turns import ALL_AT_ONCE, AT_ONCE, BYTES_AT_ONCE, LARGEST_BYTES, Turns

FIRST = BYTES_AT_ONCE // LARGEST_BYTES


class Work:
    """Replies of one size on their way, which end when told."""

    def __init__(self, turns: Turns, owner: str, reply_bytes: int | None) -> None:
        self.at_once = 0
        self.done = 0
        self._turns, self._owner, self._reply_bytes = turns, owner, reply_bytes
        self._ends: list[asyncio.Future[None]] = []

    async def _one(self) -> None:
        async with self._turns.turn(self._owner) as turn:
            self.at_once += 1
            end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._ends.append(end)
            try:
                await end
            finally:
                self.at_once -= 1
            turn.reply_bytes = self._reply_bytes
            self.done += 1

    async def begin(self, count: int) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._one()) for _ in range(count)]
        await settle()
        return tasks

    async def end(self, count: int = 1) -> None:
        for _ in range(count):
            self._ends.pop(0).set_result(None)
        await settle()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def give_up(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def seen(reply_bytes: int | None, look: Callable[[Work], Awaitable[None]]) -> list[int]:
    """Return how many are on their way at first, and after *look* at those of one owner."""
    work = Work(Turns(), "a", reply_bytes)
    tasks = await work.begin(40)
    counts = [work.at_once]
    await look(work)
    counts.append(work.at_once)
    await give_up(tasks)
    return counts


async def test_large_ones_come_one_by_one() -> None:
    async def look(work: Work) -> None:
        for _ in range(10):
            await work.end()

    assert await seen(LARGEST_BYTES, look) == [FIRST, FIRST]


async def test_small_ones_come_many_at_once_as_soon_as_they_are_known_to_be_small() -> None:
    async def look(work: Work) -> None:
        for _ in range(8):
            await work.end()

    assert await seen(10_000, look) == [FIRST, AT_ONCE]


async def test_one_that_is_larger_than_the_others_is_expected_again() -> None:
    turns = Turns()
    small, large = Work(turns, "a", 10_000), Work(turns, "a", 4 * LARGEST_BYTES)
    begun = await small.begin(20)
    for _ in range(20):
        await small.end()
    begun += await large.begin(1)
    await large.end()
    begun += await small.begin(10)

    assert small.done == 20
    assert small.at_once == 1  # One may always be on its way.
    await give_up(begun)


async def test_one_owner_does_not_wait_for_another() -> None:
    turns = Turns()
    theirs, mine = Work(turns, "a", None), Work(turns, "b", None)
    tasks = [*await theirs.begin(31), *await mine.begin(1)]

    assert (theirs.at_once, mine.at_once) == (FIRST, 1)
    await give_up(tasks)


async def test_of_all_owners_there_is_a_limit_too() -> None:
    turns = Turns()
    works = [Work(turns, f"owner {number}", None) for number in range(ALL_AT_ONCE)]
    tasks = [task for work in works for task in await work.begin(FIRST)]

    assert sum(work.at_once for work in works) == ALL_AT_ONCE
    await give_up(tasks)


async def test_who_goes_away_leaves_the_turn_to_others() -> None:
    work = Work(Turns(), "a", LARGEST_BYTES)
    tasks = await work.begin(FIRST + 3)
    tasks[FIRST].cancel()
    await settle()
    await work.end()
    tasks[FIRST + 1].cancel()  # It was let in, or is about to be.
    await settle()

    assert work.at_once == FIRST
    await give_up(tasks)
