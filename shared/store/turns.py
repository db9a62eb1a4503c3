"""
How many large replies are on their way at once, so that each is there in time and nobody's wait for another's.

Each owner, that is a tenant, has BYTES_AT_ONCE of its own. What a reply will hold is not known before it is there; it
is expected to be as large as the owner's last ones, at first as large as any. So pages of 4 MB come one by one, and
small pages, which might have been large, as many at once as AT_ONCE says.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cachetools import LRUCache

BYTES_AT_ONCE = 5_000_000
LARGEST_BYTES = 4_000_000
"""What is expected of an owner's first reply."""

AT_ONCE = 16
"""Of one owner."""

ALL_AT_ONCE = 64
"""Of all owners; what is small finds a connection beside them."""

OWNERS_MAX = 1_024
FADING = 0.5
"""What is expected falls by so much with each reply that is smaller."""


class _Owner:
    __slots__ = ("at_once", "expected_bytes", "waiting")

    def __init__(self) -> None:
        self.at_once = 0
        self.expected_bytes: float = LARGEST_BYTES
        self.waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_free(self) -> bool:
        return not self.at_once or self.at_once + 1 <= min(AT_ONCE, BYTES_AT_ONCE / max(1, self.expected_bytes))


class Turn:
    """One large reply on its way; *reply_bytes* is how large it was, None while nobody knows."""

    def __init__(self) -> None:
        self.reply_bytes: int | None = None


class Turns:
    """The turns of one event loop."""

    def __init__(self) -> None:
        self._owners: LRUCache[str, _Owner] = LRUCache(OWNERS_MAX)
        self._all = asyncio.Semaphore(ALL_AT_ONCE)

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[Turn]:
        """Wait until a large reply of the owner called *name* may be asked for, in order."""
        owner = self._owners.setdefault(name, _Owner())
        await _enter(owner)
        turn = Turn()
        try:
            async with self._all:
                yield turn
        finally:
            if turn.reply_bytes is not None:
                owner.expected_bytes = max(turn.reply_bytes, owner.expected_bytes * FADING)
            owner.at_once -= 1
            _let_in(owner)


async def _enter(owner: _Owner) -> None:
    if not owner.waiting and owner.is_free:
        owner.at_once += 1
        return
    mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    owner.waiting.append(mine)
    try:
        await mine
    except asyncio.CancelledError:
        if not mine.cancelled():  # It came at the same moment.
            owner.at_once -= 1
            _let_in(owner)
        raise


def _let_in(owner: _Owner) -> None:
    while owner.waiting and owner.is_free:
        mine = owner.waiting.popleft()
        if not mine.cancelled():
            owner.at_once += 1
            mine.set_result(None)
