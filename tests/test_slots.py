"""Slots: as many requests work at once as memory is left for, in order; nobody waits for ever or keeps a turn."""

import asyncio
import math

import pytest

from shared.errors import MemoryPressed
from shared.request.concurrency import WAITING_MAX, WORK_BYTES, Slots

FEW = 4


class Memory:
    """What is left of it."""

    def __init__(self, left_bytes: float) -> None:
        self.left_bytes = left_bytes

    def look(self) -> float:
        return self.left_bytes


async def taken(turns: Slots, count: int) -> list[asyncio.Task[None]]:
    """Ask for *count* turns, one after the other."""
    tasks = [asyncio.create_task(turns.take()) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_without_a_limit_everybody_works() -> None:
    tasks = await taken(Slots(Memory(math.inf).look), 500)

    assert all(task.done() for task in tasks)


async def test_with_little_memory_a_few_work_and_the_others_follow_in_order() -> None:
    turns = Slots(Memory(FEW * WORK_BYTES).look)
    tasks = await taken(turns, FEW + 3)
    done = [sum(task.done() for task in tasks)]
    for _ in range(3):
        turns.leave()
        await settle()
        done.append(sum(task.done() for task in tasks))
        assert tasks[done[-1] - 1].done()

    assert done == [FEW, FEW + 1, FEW + 2, FEW + 3]


async def test_those_under_way_count_when_memory_goes_and_all_come_in_when_it_is_back() -> None:
    memory = Memory(math.inf)
    turns = Slots(memory.look)
    await taken(turns, FEW + 2)
    memory.left_bytes = FEW * WORK_BYTES + 1
    waiting = await taken(turns, 5)
    for _ in range(2):
        turns.leave()
    await settle()
    assert not any(task.done() for task in waiting)
    memory.left_bytes = math.inf
    turns.leave()
    await settle()

    assert all(task.done() for task in waiting)


async def test_one_may_work_without_any_memory_left() -> None:
    tasks = await taken(Slots(Memory(-1).look), 2)

    assert [task.done() for task in tasks] == [True, False]
    tasks[1].cancel()


async def test_who_goes_away_leaves_its_place_to_others() -> None:
    turns = Slots(Memory(FEW * WORK_BYTES).look)
    await taken(turns, FEW)
    first, second, third = await taken(turns, 3)
    first.cancel()
    await settle()
    turns.leave()
    second.cancel()  # Its turn has come, and it does not know yet.
    await settle()

    assert (first.cancelled(), second.cancelled(), third.done()) == (True, True, True)


async def test_one_that_goes_away_as_another_leaves_is_passed_over() -> None:
    turns = Slots(Memory(FEW * WORK_BYTES).look)
    await taken(turns, FEW)
    first, second = await taken(turns, 2)
    first.cancel()
    turns.leave()
    await settle()

    assert (first.cancelled(), second.done()) == (True, True)


async def test_an_instance_is_idle_while_nobody_works() -> None:
    slots = Slots(Memory(math.inf).look)
    seen = [slots.is_idle]
    for _ in range(2):
        await slots.take()
        seen.append(slots.is_idle)
    for _ in range(2):
        slots.leave()
        seen.append(slots.is_idle)

    assert seen == [True, False, False, False, True]


async def test_no_more_wait_than_may() -> None:
    turns = Slots(Memory(FEW * WORK_BYTES).look)
    tasks = await taken(turns, FEW + WAITING_MAX)

    with pytest.raises(MemoryPressed):
        await turns.take()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
