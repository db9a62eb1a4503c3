"""
What leaves the event loop, and where it goes: worker threads that retire by themselves, a few at a time.

The one rule. The loop may be held for 10 ms, whatever the request. So

    what lets go of the interpreter      tokenizing, hashing: to the pool from about 1 ms on
    Python code that takes long          folding, rendering, checking thousands of items: to the pool as well. The
                                         interpreter changes threads every SWITCH_S (garbage.py): the loop waits for it
                                         long each time and not for the end
    one C call that holds on to it       JSON: bounded before it starts, in whatever thread. A thread does not help:
                                         parsing 4.5 MB of small objects in one holds the loop for 133 ms and more, on
                                         the loop itself 153 (`scripts/bench lag`, last rows). So bodies are refused
                                         by the structure that they have (shared/http/guard.py), and what is larger than
                                         one call should take is parsed and written piece by piece (shared/jsonbytes/)

anyio's threads end after ten idle seconds, and hold nothing that a frozen instance would miss. What of anyio runs them
is loaded by the first job: a cold function that sees nothing large is spared it.
"""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyio import CapacityLimiter

SLICE_S = 0.01
"""How long a job of steps keeps a thread before it queues again."""


class Pool:
    """The threads of one instance; part of its state. First come, first served."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._limiter: CapacityLimiter | None = None

    async def run[*P, T](self, function: Callable[[*P], T], *arguments: *P) -> T:
        """Return what *function* returns, computed in a thread. A caller that is cancelled waits for its end."""
        from anyio.to_thread import run_sync

        if self._limiter is None:
            from anyio import CapacityLimiter

            self._limiter = CapacityLimiter(self._threads)
            await run_sync(_begin, limiter=self._limiter)
        return await run_sync(function, *arguments, limiter=self._limiter)

    async def run_when[*P, T](self, is_large: bool, function: Callable[[*P], T], *arguments: *P) -> T:
        """Return what *function* returns; only what *is_large* is worth the 0.1 ms of going to a thread."""
        return await self.run(function, *arguments) if is_large else function(*arguments)

    async def run_steps(self, steps: Iterator[None]) -> None:
        """
        Take all of *steps*, in slices of SLICE_S.

        Each slice queues for a thread anew, so that a job of a second keeps none of a millisecond waiting. A caller
        that is cancelled stops at the end of the slice that runs.
        """
        while not await self.run(_advance, steps):
            pass


def _begin() -> None:
    # Whatever is large comes through here; a cold function that sees nothing large is spared the import of ctypes.
    from shared.process.allocator import give_memory_back

    give_memory_back()


def _advance(steps: Iterator[None]) -> bool:
    """Take *steps* for the time of a slice; say whether they are done."""
    end_at_s = monotonic() + SLICE_S
    return all(monotonic() < end_at_s for _ in steps)
