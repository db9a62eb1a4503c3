"""Slots: as many requests work at once as memory is left for, in order; nobody waits for ever or keeps a turn."""

import asyncio
import math
from collections.abc import Callable

import pytest

from shared.errors import MemoryPressed
from shared.request.concurrency import WAITING_MAX, WORK_BYTES, Slot, Slots

FEW = 4
STRANGERS = 3

Task = asyncio.Task[Slot]


class Memory:
    """What is left of it."""

    def __init__(self, left_bytes: float) -> None:
        self.left_bytes = left_bytes

    def look(self) -> float:
        return self.left_bytes


def slots_for(left_bytes: float) -> Slots:
    return Slots(Memory(left_bytes).look, STRANGERS)


async def taken(slots: Slots, count: int, *, is_known: Callable[[], bool] = lambda: True) -> list[Task]:
    """Ask for *count* slots, one after the other."""
    tasks = [asyncio.create_task(slots.take(is_known)) for _ in range(count)]
    await settle()
    return tasks


async def strange(slots: Slots, count: int) -> list[Task]:
    """Ask for *count* slots as strangers."""
    return await taken(slots, count, is_known=lambda: False)


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def done(tasks: list[Task]) -> int:
    return sum(task.done() for task in tasks)


async def give_up(*tasks: Task) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_without_a_limit_everybody_works() -> None:
    assert done(await taken(slots_for(math.inf), 500)) == 500


async def test_with_little_memory_a_few_work_and_the_others_follow_in_order() -> None:
    tasks = await taken(slots_for(FEW * WORK_BYTES), FEW + 3)
    seen = [done(tasks)]
    for number in range(3):
        tasks[number].result().leave()
        await settle()
        seen.append(done(tasks))
        assert tasks[seen[-1] - 1].done()

    assert seen == [FEW, FEW + 1, FEW + 2, FEW + 3]


async def test_those_under_way_count_when_memory_goes_and_all_come_in_when_it_is_back() -> None:
    memory = Memory(math.inf)
    slots = Slots(memory.look, STRANGERS)
    working = await taken(slots, FEW + 2)
    memory.left_bytes = FEW * WORK_BYTES + 1
    waiting = await taken(slots, 5)
    for task in working[:2]:
        task.result().leave()
    await settle()
    assert done(waiting) == 0
    memory.left_bytes = math.inf
    working[2].result().leave()
    await settle()

    assert done(waiting) == 5


async def test_one_may_work_without_any_memory_left() -> None:
    tasks = await taken(slots_for(-1), 2)

    assert [task.done() for task in tasks] == [True, False]
    tasks[1].cancel()


async def test_who_goes_away_leaves_its_place_to_others() -> None:
    slots = slots_for(FEW * WORK_BYTES)
    working = await taken(slots, FEW)
    first, second, third = await taken(slots, 3)
    first.cancel()
    await settle()
    working[0].result().leave()
    second.cancel()  # Its turn has come, and it does not know yet.
    await settle()

    assert (first.cancelled(), second.cancelled(), third.done()) == (True, True, True)


async def test_one_that_goes_away_as_another_leaves_is_passed_over() -> None:
    slots = slots_for(FEW * WORK_BYTES)
    working = await taken(slots, FEW)
    first, second = await taken(slots, 2)
    first.cancel()
    working[0].result().leave()
    await settle()

    assert (first.cancelled(), second.done()) == (True, True)


async def test_an_instance_is_idle_while_nobody_works() -> None:
    slots = slots_for(math.inf)
    seen = [slots.is_idle]
    working = [*await taken(slots, 1), *await strange(slots, 1)]
    seen.append(slots.is_idle)
    for task in working:
        task.result().leave()
        seen.append(slots.is_idle)

    assert seen == [True, False, False, True]


@pytest.mark.parametrize("is_known", [True, False])
async def test_no_more_wait_than_may(is_known: bool) -> None:
    slots = slots_for(FEW * WORK_BYTES)
    tasks = await taken(slots, (FEW if is_known else FEW // 2) + WAITING_MAX, is_known=lambda: is_known)

    with pytest.raises(MemoryPressed):
        await slots.take(lambda: is_known)
    await give_up(*tasks)


@pytest.mark.parametrize(("left", "at_work"), [(math.inf, STRANGERS), (FEW, FEW // 2), (1, 1), (-1, 1)])
async def test_strangers_have_a_few_slots_and_who_is_known_finds_one(left: float, at_work: int) -> None:
    slots = slots_for(left * WORK_BYTES)
    strangers = await strange(slots, 60)
    [known] = await taken(slots, 1)

    assert done(strangers) == at_work
    assert known.done()
    await give_up(*strangers)


async def test_a_stranger_that_is_confirmed_makes_room_for_the_next() -> None:
    slots = slots_for(math.inf)
    strangers = await strange(slots, STRANGERS + 2)
    for task in strangers[:2]:
        task.result().become_known()
        task.result().become_known()  # Twice is once.
    await settle()

    assert done(strangers) == STRANGERS + 2


async def test_those_of_a_caller_that_was_confirmed_meanwhile_are_strangers_no_more() -> None:
    slots, is_known = slots_for(math.inf), False
    mine = await taken(slots, 20, is_known=lambda: is_known)
    others = await strange(slots, 20)
    assert done(mine) == STRANGERS
    is_known = True
    mine[0].result().become_known()
    await settle()

    assert (done(mine), done(others)) == (20, 1)
    await give_up(*others)


async def test_who_is_known_comes_before_strangers() -> None:
    slots = slots_for(FEW * WORK_BYTES)
    await taken(slots, FEW - 2)
    first, _, stranger = await strange(slots, 3)
    [known] = await taken(slots, 1)
    first.result().leave()
    await settle()

    assert (known.done(), stranger.done()) == (True, False)
    await give_up(stranger)
