"""
Leases: a job that one instance does at a time, with a fence and a place for how far it got.

    async with taken(store, cron_key("sweep"), lease_s) as lease:     None: another is at it
        if not await lease.keep(progress): return                     False: it is another's by now
        lease.progress = ""                                           noted when the block ends

A lease saves work and decides nothing: what a job writes must be right also when two do it. Its progress is refused
when a later holder has been there.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

from shared.errors import StoreFull, StoreUnavailable
from shared.store.upstash import Store


class Lease:
    """The right to do a job; *progress* is what the holder before noted."""

    def __init__(self, store: Store, name: str, lease_s: float, fence: int, progress: str) -> None:
        self._store = store
        self._name = name
        self._lease_ms = int(lease_s * 1_000)
        self._fence = fence
        self.progress = progress
        self._is_noted = True

    @classmethod
    def unnoted(cls, store: Store, name: str) -> Self:
        """Return one that nothing in the store says: others may be at it as well."""
        lease = cls(store, name, 0, 0, "")
        lease._is_noted = False
        return lease

    async def keep(self, progress: str) -> bool:
        """Note *progress* and stay at it; False when the lease is another's, and nothing was noted."""
        self.progress = progress
        return await self._write("keep")

    async def leave(self) -> bool:
        return await self._write("leave")

    async def _write(self, mode: str) -> bool:
        if not self._is_noted:
            return True
        arguments: list[str | int] = [mode, self._fence, self._lease_ms, self.progress]
        try:
            reply = await self._store.eval("lease", [self._name], arguments, is_idempotent=True)
        except StoreFull:
            self._is_noted = False
            return True
        return bool(reply[0] == "ok")


@asynccontextmanager
async def taken(store: Store, name: str, lease_s: float) -> AsyncIterator[Lease | None]:
    """
    Hold the lease *name* for the block, None if another does; what is then in its progress stays.

    A store that is full cannot note it; the job, which may be what makes room, is done all the same.
    """
    try:
        reply = await store.eval("lease", [name], ["take", 0, int(lease_s * 1_000), ""])
    except StoreFull:
        yield Lease.unnoted(store, name)
        return
    if reply[0] != "ok":
        yield None
        return
    lease = Lease(store, name, lease_s, int(reply[1]), reply[2])
    try:
        yield lease
    finally:
        with suppress(StoreUnavailable):  # It ends by itself.
            await lease.leave()
