"""
The end of this process, for work that waits: it is told of it, and does now what it would have done later.

A server that is told to end by SIGTERM or SIGINT waits for what its requests left behind, and only then says so to the
app. So the signals are listened to here as well, before its own handler, which is called all the same.
"""

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)

Handler = Callable[[int, FrameType | None], object]


class Ending:
    """The end that one event loop is told of."""

    def __init__(self) -> None:
        self._told = asyncio.Event()
        self._before: dict[int, Handler] = {}

    def tell(self) -> None:
        """Let nobody wait any longer."""
        self._told.set()

    async def wait(self, timeout_s: float) -> None:
        """Return after *timeout_s*, or when the end is near."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._told.wait()

    def listen(self) -> None:
        """Be told by the signals that a server handles already, until `close`; only a main thread can be."""
        loop, before = asyncio.get_running_loop(), self._before

        def note(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.tell)  # Wakes the loop, which a signal alone does not.
            before[number](number, frame)

        if threading.current_thread() is threading.main_thread():
            before |= {number: handler for number in SIGNALS if callable(handler := signal.getsignal(number))}
        for number in before:
            signal.signal(number, note)

    def close(self) -> None:
        """Leave the signals to whom they were before. Who listened last closes first."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
