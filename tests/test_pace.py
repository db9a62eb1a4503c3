"""
Parts of large answers: one in a turn of the loop, in order, whoever goes away.
"""

import asyncio
from collections import Counter

from shared.http.pace import Pace

ANSWERS, PARTS = 31, 4


class Loop:
    """Counts the turns of the running loop."""

    def __init__(self) -> None:
        self.turns = 0
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._count)

    def _count(self) -> None:
        self.turns += 1
        self._loop.call_soon(self._count)


async def test_one_part_is_sent_in_each_turn_of_the_loop_and_each_answer_in_its_turn() -> None:
    loop, pace = Loop(), Pace()
    sent: list[tuple[int, int]] = []

    async def send(answer: int) -> None:
        for _ in range(PARTS):
            await pace.turn()
            sent.append((loop.turns, answer))

    await asyncio.gather(*map(send, range(ANSWERS)))

    assert max(Counter(turn for turn, _ in sent).values()) == 1
    assert [answer for _, answer in sent] == list(range(ANSWERS)) * PARTS
    assert loop.turns <= ANSWERS * PARTS + 5


async def test_who_goes_away_is_passed_over_in_the_same_turn() -> None:
    loop, pace = Loop(), Pace()
    gone = [asyncio.ensure_future(pace.turn()) for _ in range(20)]
    last = asyncio.ensure_future(pace.turn())
    await asyncio.sleep(0)
    for each in gone[1:]:
        each.cancel()
    before = loop.turns

    await last

    assert loop.turns <= before + 5  # Not one for each of them.
    assert gone[0].done()
    await asyncio.wait_for(pace.turn(), 1)
