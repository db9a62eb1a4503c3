"""
How many requests work at once: what each of them will hold is not known before it is done, so that what memory is left
has to do for all of them.

A request takes a slot before it works, and leaves it when its answer is sent; what comes before that, its headers and
the first few KiB of its body, takes none. It gets a slot while those at work could each still take WORK_BYTES; what
they have taken already counts twice, on the safe side. The others wait, in order. One may always work, and lets the
next one in.

Strangers, whose key the store did not confirm lately, have a few slots of all: as many as Settings.strangers_max says,
and never more than every second one. So whoever is known finds one, and always the first of them. A stranger is known
from the first answer of the store on.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from shared.errors import NoSlot

WORK_BYTES = 8 * 1_048_576
"""A quarter of what the largest appends and reads take for a moment: few requests are that large, and few of those at
work are at their peak. Of 256 MiB that leaves 24 slots to an idle instance and 9 where pressure is HIGH; of 2 GB, 230.
Measured with `scripts/prove memory`: 12 and 32 callers use up to 218 of 256 MiB. Without slots, 32 callers had an
instance of 256 MiB killed within 15 s."""

WAITING_MAX = 256
"""Of those that are known, and of strangers."""


class Slot:
    """The right of one request to work."""

    __slots__ = ("_slots", "is_known")

    def __init__(self, slots: "Slots", *, is_known: bool) -> None:
        self._slots = slots
        self.is_known = is_known

    def become_known(self) -> None:
        """The store confirmed who works here: a stranger's slot is free again."""
        if not self.is_known:
            self._slots.move(self)

    def leave(self) -> None:
        """Give the slot up, and let in who may come now."""
        self._slots.leave(self)


class _Waiting(NamedTuple):
    slot: asyncio.Future[Slot]
    is_known: Callable[[], bool]


class Slots:
    """The slots of one instance; *headroom_bytes* returns what memory is left now."""

    def __init__(self, headroom_bytes: Callable[[], float], strangers_max: int) -> None:
        self._headroom_bytes = headroom_bytes
        self._strangers_max = strangers_max
        self._working = {True: 0, False: 0}
        self._waiting: dict[bool, deque[_Waiting]] = {True: deque(), False: deque()}

    @property
    def is_idle(self) -> bool:
        return not any(self._working.values()) and not any(self._waiting.values())

    async def take(self, is_known: Callable[[], bool]) -> Slot:
        """
        Wait for a slot. *is_known* tells whether the store confirmed lately who asks; a stranger that waits may be
        known once its turn comes.

        Raises:   NoSlot: too many wait already.
        """
        known = is_known()
        waiting = self._waiting[known]
        if not waiting and self._may_work(known, self._at_once()):
            return self._enter(known)
        if len(waiting) >= WAITING_MAX:
            raise NoSlot("Too many requests wait for memory of this instance.", retry_after_s=1)
        mine = _Waiting(asyncio.get_running_loop().create_future(), is_known)
        waiting.append(mine)
        try:
            return await mine.slot
        except asyncio.CancelledError:
            if not mine.slot.cancelled():  # It came at the same moment.
                mine.slot.result().leave()
            else:
                for each in self._waiting.values():
                    if mine in each:
                        each.remove(mine)
            raise

    def leave(self, slot: Slot) -> None:
        self._working[slot.is_known] -= 1
        self._let_in()

    def move(self, slot: Slot) -> None:
        """Count *slot* as one of those that are known, and with it those of the same caller that wait."""
        self._working[False] -= 1
        self._working[True] += 1
        slot.is_known = True
        if self._waiting[False]:
            strangers = list(self._waiting[False])
            self._waiting[True] += [each for each in strangers if each.is_known()]
            self._waiting[False] = deque(each for each in strangers if not each.is_known())
            self._let_in()

    def _let_in(self) -> None:
        for known, waiting in self._waiting.items():  # Those that are known first.
            at_once = self._at_once() if waiting else 0.0
            while waiting and self._may_work(known, at_once):
                mine = waiting.popleft()
                if not mine.slot.cancelled():
                    mine.slot.set_result(self._enter(known))

    def _enter(self, known: bool) -> Slot:
        self._working[known] += 1
        return Slot(self, is_known=known)

    def _may_work(self, known: bool, at_once: float) -> bool:
        is_room = sum(self._working.values()) + 1 <= at_once
        if known:
            return is_room or not self._working[True]
        strangers = self._working[False]
        return not strangers or (is_room and strangers + 1 <= min(self._strangers_max, at_once / 2))

    def _at_once(self) -> float:
        return max(1, self._headroom_bytes() / WORK_BYTES)
