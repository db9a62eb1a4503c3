"""
Spreading a tenant's indexes: when the rows of a shard take too much, twice as many shards share them.

    grow: `shards` '2' -> '4 2'       whoever writes or lists goes by that from then on, to the new places first
    settle: shard by shard, portion by portion, rows move; then `shards` '4'

No record of the store can then be filled by the number of conversations. A sweep does it; one that is cut off goes on
with the next, and meanwhile lists look in both places.
"""

import time

from shared.config import Settings
from shared.store import keys
from shared.store.indexes import SHARDS_MAX, Layout, read_layout
from shared.store.upstash import Store

PORTION = 1_000


class Spreading:
    """The indexes of one tenant, until *end_at_s* on the monotonic clock."""

    def __init__(self, store: Store, tenant: str, settings: Settings, end_at_s: float) -> None:
        self._store = store
        self._tenant = tenant
        self._settings = settings
        self._end_at_s = end_at_s

    async def grow(self, layout: Layout, largest_bytes: int) -> None:
        """Spread over twice as many shards, if the largest of *layout* takes too much."""
        if largest_bytes > self._settings.index_shard_bytes_max and layout.shards < SHARDS_MAX:
            await self._set(Layout(2 * layout.shards, layout.shards))
            await self.settle()

    async def settle(self) -> Layout:
        """Move what has to move, as long as there is time, and return how the indexes then are."""
        layout = await self.layout()
        for shard in range(layout.moving_from):
            if not await self._move(shard, layout):
                return layout
        if layout.moving_from:
            layout = Layout(layout.shards)
            await self._set(layout)
        return layout

    async def _move(self, shard: int, layout: Layout) -> bool:
        """Move half of a shard; return whether there was time for all of it."""
        tenant = self._tenant
        names = [
            name
            for each in (shard, shard + layout.moving_from)
            for name in (keys.activity_key(tenant, each), keys.rows_key(tenant, each))
        ]
        offset = 0
        while True:
            arguments: list[str | int] = [layout.shards, offset, PORTION]
            _, looked_at, stay = await self._store.eval("sweep_spread", names, arguments, is_idempotent=True)
            if looked_at == "0":
                return True
            offset += int(stay)
            if time.monotonic() >= self._end_at_s:
                return False

    async def layout(self) -> Layout:
        """Return how the indexes are."""
        text = await self._store.command("HGET", keys.tenant_key(self._tenant), "shards", is_idempotent=True)
        return read_layout(text) if text else Layout()

    async def _set(self, layout: Layout) -> None:
        name = keys.tenant_key(self._tenant)
        await self._store.command("HSET", name, "shards", str(layout), is_idempotent=True)
