"""
Sends the parts of large answers one in each turn of the loop, whatever number of them are under way.

Each part is copied, framed and handed to the system: a tenth of a millisecond. A small read takes several turns of the
loop, and each would be 4 ms long if 31 large answers had a part in it. So the large ones wait for each other, and the
small ones for one part a turn.
"""

import asyncio
from collections import deque


class Pace:
    """Lets one part go in each turn of the loop, those that wait in order."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_due = False

    async def turn(self) -> None:
        """Wait for the turn to send one part. How long its client takes to receive it is of no matter to others."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[None] = loop.create_future()
        self._waiting.append(mine)
        if not self._is_due:
            self._is_due = True
            loop.call_soon(self._next, loop)
        await mine

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():  # Else its request was cancelled.
                first.set_result(None)
                break
        self._is_due = bool(self._waiting)
        if self._is_due:
            loop.call_soon(self._next, loop)
