"""
How many requests work at once while memory is pressed: what each of them holds is not known before it is done.

    NONE             all that come
    HIGH, CRITICAL   AT_ONCE of them; the others wait in order, with nothing of their bodies read

Those that were under way when pressure rose go on. Who waits holds no turn, and somebody who does lets it in.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable

from shared.cache.pressure import Step
from shared.errors import MemoryPressed

AT_ONCE = {Step.NONE: math.inf, Step.HIGH: 16, Step.CRITICAL: 4}
"""Reading 8 MB of a conversation takes about 30 MB for a moment: of 256 MB, 38 are left when CRITICAL begins. With
`scripts/verify-memory --callers 32` an instance without turns is killed within 15 s."""

WAITING_MAX = 256


class Turns:
    """The turns of one instance; *look* returns how memory is pressed now."""

    def __init__(self, look: Callable[[], Step]) -> None:
        self._look = look
        self._working = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """
        Wait for a turn, to be given up by `leave`.

        Raises:   MemoryPressed: too many wait already.
        """
        if not self._waiting and self._working < AT_ONCE[self._look()]:
            self._working += 1
            return
        if len(self._waiting) >= WAITING_MAX:
            raise MemoryPressed("Too many requests wait for memory of this instance.", retry_after_s=1)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # It came at the same moment.
                self.leave()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Give up a turn, and let in who may come now."""
        self._working -= 1
        at_once = AT_ONCE[self._look()]
        while self._waiting and self._working < at_once:
            turn = self._waiting.popleft()
            if not turn.cancelled():
                turn.set_result(None)
                self._working += 1
