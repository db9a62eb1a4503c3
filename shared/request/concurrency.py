"""
How many requests work at once: what each of them will hold is not known before it is done, so that what memory is left
has to do for all of them.

A request takes a slot before its body is read, and leaves it when its answer is sent. It gets one while those at work
could each still take WORK_BYTES; what they have taken already counts twice, on the safe side. The others wait, in
order. One may always work, and lets the next one in.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from shared.errors import MemoryPressed

WORK_BYTES = 8 * 1_048_576
"""A quarter of what the largest appends and reads take for a moment: few requests are that large, and few of those at
work are at their peak. Of 256 MiB that leaves 24 slots to an idle instance and 9 where pressure is HIGH; of 2 GB, 230.
Measured with `scripts/prove memory`: 12 and 32 callers use up to 218 of 256 MiB. Without slots, 32 callers had an
instance of 256 MiB killed within 15 s."""

WAITING_MAX = 256


class Slots:
    """The slots of one instance; *headroom_bytes* returns what memory is left now."""

    def __init__(self, headroom_bytes: Callable[[], float]) -> None:
        self._headroom_bytes = headroom_bytes
        self._working = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_idle(self) -> bool:
        return not self._working and not self._waiting

    async def take(self) -> None:
        """
        Wait for a slot, to be given up by `leave`.

        Raises:   MemoryPressed: too many wait already.
        """
        if not self._waiting and self._working + 1 <= self._at_once():
            self._working += 1
            return
        if len(self._waiting) >= WAITING_MAX:
            raise MemoryPressed("Too many requests wait for memory of this instance.", retry_after_s=1)
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(slot)
        try:
            await slot
        except asyncio.CancelledError:
            if not slot.cancelled():  # It came at the same moment.
                self.leave()
            elif slot in self._waiting:
                self._waiting.remove(slot)
            raise

    def leave(self) -> None:
        """Give up a slot, and let in who may come now."""
        self._working -= 1
        at_once = self._at_once() if self._waiting else 0.0
        while self._waiting and self._working + 1 <= at_once:
            slot = self._waiting.popleft()
            if not slot.cancelled():
                slot.set_result(None)
                self._working += 1

    def _at_once(self) -> float:
        return max(1, self._headroom_bytes() / WORK_BYTES)
