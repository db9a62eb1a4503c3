"""
Single flight: equal loads share one.

Two kinds of sharing, because a read must not be older than what was acknowledged before it began. Callers of one
tick of the event loop share a load, since none of it was sent when the last of them came. A caller that comes later
waits for a load that brings much, and then asks only for what is new.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable


class Flights[T]:
    """The loads under way in one instance; *shared* counts since the start who came along with one of another."""

    def __init__(self) -> None:
        self.shared = 0
        self._boarding: dict[Hashable, asyncio.Task[T]] = {}
        self._departed: dict[Hashable, asyncio.Task[T]] = {}

    async def share(self, key: Hashable, load: Callable[[], Awaitable[T]]) -> T:
        """
        Return what *load* returns, called once for all callers of this tick of the loop.

        An error is every caller's, and is not remembered. A caller that is cancelled hurts no other.
        """
        task = self._boarding.get(key)
        if task is None:
            task = asyncio.create_task(self._fly(key, load))
            self._boarding[key] = task
            task.add_done_callback(_note)
        else:
            self.shared += 1
        return await asyncio.shield(task)

    async def settle(self, key: Hashable) -> None:
        """Wait until the load of *key* that has been sent already is done, whatever becomes of it."""
        task = self._departed.get(key)
        if task is not None:
            await asyncio.wait([task])

    async def _fly(self, key: Hashable, load: Callable[[], Awaitable[T]]) -> T:
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)  # Whoever asks in this tick comes along.
        del self._boarding[key]
        self._departed[key] = task
        try:
            return await load()
        finally:
            if self._departed.get(key) is task:
                del self._departed[key]


def _note(task: asyncio.Task[object]) -> None:
    """Take note of an error whose callers have all gone, or asyncio would complain of it."""
    if not task.cancelled():
        task.exception()
