"""
Deleting a tenant: whatever the store has of it, with a receipt at the end.

    keys           revoked first, so that instances refuse whoever shows one
    crons          their leases are held, so that none brings back what it has read before
    conversations  some at a time, counted (erase_tenant.lua)
    a pause        until no instance answers from memory any more, and none hands over uses of documents
    the rest       found by its names: attempts, copies of documents, reservations, marks of deleted conversations
    everywhere     its documents in the hot list, its places in the lists of tenants and of scopes
    its hash       last: until then whoever runs it again goes on

What the tenant has in the object store is not touched.
"""

import asyncio
import contextlib
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from scripts.local.typed import TypedCommands
from shared.config import Settings
from shared.conversations.sweep import NAME as COMPACT
from shared.documents.sweep import NAME as SWEEP
from shared.documents.warm import NAME as WARM
from shared.erasing.erasure import DOCUMENTS_HELD_S, HELD_S, TOGETHER, Sums
from shared.erasing.receipts import Receipt, subject_sha256
from shared.setting import RESP_SCHEMES
from shared.store import keys
from shared.store.indexes import Names, Spread, every_place, read_layout
from shared.store.lease import Lease, taken
from shared.store.upstash import Store
from shared.version import VERSION

TENANT = "tenant"
LEASE_S = 60.0
CRON_S_MAX = 330
"""A cron may work for 300 s, and its lease may last for a minute more."""

PAGE, NAME_BYTES_MAX = 1_000, 600
FIELDS = ("k:*", "label:*", "used:*")
REVOKED_TOGETHER = 500

Tell = Callable[[str, int, int], None]
"""Takes what is being done, how much of it is done, and of how much."""


class Telling:
    """Says on standard error how far it is: a bar that moves on a terminal, elsewhere a line for what takes longer."""

    EVERY_S, BAR, WIDTH = 0.5, 30, 100

    def __init__(self) -> None:
        self._what = ""
        self._begun_at_s = self._told_at_s = time.monotonic()
        self._is_bar = sys.stderr.isatty()

    def __call__(self, what: str, done: int, total: int) -> None:
        now_s = time.monotonic()
        if now_s - self._told_at_s < self.EVERY_S or (not self._is_bar and what == self._what):
            return
        self._what, self._told_at_s = what, now_s
        filled = round(self.BAR * min(1.0, done / max(1, total)))
        bar = f"{'█' * filled}{'░' * (self.BAR - filled)} {done:,} of {total:,}: " if self._is_bar else ""
        text = f"{bar}{what} … {now_s - self._begun_at_s:.0f} s"
        print(f"\r{text:<{self.WIDTH}}" if self._is_bar else text, end="" if self._is_bar else "\n", file=sys.stderr)
        sys.stderr.flush()

    def __enter__(self) -> "Telling":
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._is_bar and self._what:
            print(file=sys.stderr)


class Busy(Exception):
    """A cron is at work and does not end."""


class TenantErasure:
    """The deleting of one *tenant*; *tell* is told how far it is."""

    def __init__(self, store: Store, settings: Settings, tenant: str, tell: Tell) -> None:
        self._store = store
        self._redis = TypedCommands(store)
        self._settings = settings
        self._tenant = tenant
        self._name = keys.tenant_key(tenant)
        self._tell = tell
        self._id = secrets.token_hex(16)
        self._leases: list[Lease] = []

    async def run(self) -> Receipt:
        """Delete it, or go on where that was ended. Raises Busy; StoreUnavailable: the next run goes on."""
        await self._revoke()
        async with contextlib.AsyncExitStack() as stack:
            for job in (SWEEP, COMPACT, WARM):
                self._leases.append(await self._hold(stack, job))
            sums = await self._conversations()
            await self._wait(sums)
            names = await self._names()
            await self._everywhere()
        ended_s, _ = await self._store.command("TIME")
        sums = await self._erase([])
        await self._redis.unlink(self._name)
        return Receipt(
            f"erasure_{sums.id}",
            TENANT,
            self._tenant,
            subject_sha256(self._tenant),
            *(sums.conversations, sums.items, sums.bytes, sums.names + names + 1),
            sums.begun_ms // 1_000,
            int(ended_s),
            self._settings.deployment,
            VERSION,
        )

    async def _revoke(self) -> None:
        for pattern in FIELDS:
            async for fields in self._scan("HSCAN", self._name, pattern, pairs=True):
                for first in range(0, len(fields), REVOKED_TOGETHER):
                    await self._redis.hdel(self._name, *fields[first : first + REVOKED_TOGETHER])

    async def _hold(self, stack: contextlib.AsyncExitStack, job: str) -> Lease:
        for second in range(CRON_S_MAX):
            lease = await stack.enter_async_context(taken(self._store, keys.cron_key(job), LEASE_S))
            if lease is not None:
                if lease.progress.startswith(f"{self._tenant}/"):
                    lease.progress = ""
                return lease
            self._tell("waiting for a cron to end", second, CRON_S_MAX)
            await asyncio.sleep(1)
        raise Busy(f"the cron {job} has been at work for {CRON_S_MAX} s: run it again when that has ended")

    async def _keep(self) -> None:
        for lease in self._leases:
            await lease.keep(lease.progress)

    async def _conversations(self) -> Sums:
        """Erase what is in the tenant's indexes; return what was erased so far."""
        sums = await self._erase([])
        layout = read_layout(await self._redis.hget(self._name, "shards") or "1")
        shards = range(max(layout.shards, layout.moving_from))
        total = sum([await self._redis.zcard(keys.activity_key(self._tenant, shard)) for shard in shards])
        done = 0
        for shard in shards:
            activity, rows = keys.activity_key(self._tenant, shard), keys.rows_key(self._tenant, shard)
            while ids := await self._store.command("ZRANGE", activity, 0, TOGETHER - 1, is_idempotent=True):
                sums = await self._erase(ids)
                # Where they do not belong nobody else would take them away.
                await self._redis.hdel(rows, *ids)
                await self._redis.zrem(activity, *ids)
                done += len(ids)
                self._tell("erasing conversations", done, max(total, done))
                await self._keep()
        return sums

    async def _erase(self, ids: list[str]) -> Sums:
        """Erase conversations, with none only begin; return what was erased so far."""
        tenant = self._tenant
        names: list[str | Names] = [self._name]
        for each in ids:
            left = keys.left_key(tenant, keys.mark_of(each))
            names += [keys.conversation_key(tenant, each), keys.import_key(tenant, each), left]
            names.append(every_place(tenant, each))
        reply = await self._store.eval("erase_tenant", names, [self._id, Spread(tenant), *ids], is_idempotent=True)
        return Sums.read(reply[1])

    async def _wait(self, sums: Sums) -> None:
        """Wait until no instance can answer from memory, and none brings back documents that the tenant had."""
        has_documents = await self._redis.sismember(keys.SCOPES_KEY, self._tenant)
        held_s = DOCUMENTS_HELD_S if has_documents else HELD_S
        while True:
            now_s, _ = await self._store.command("TIME")
            since_s = int(now_s) - sums.begun_ms // 1_000
            if not 0 <= since_s <= held_s:
                return
            self._tell("waiting until instances have forgotten it", since_s, int(held_s) + 1)
            await self._keep()
            await asyncio.sleep(1)

    async def _names(self) -> int:
        """Take away whatever has the tenant in its name, but for its hash; return how many names that were."""
        count = 0
        async with contextlib.AsyncExitStack() as stack:
            for node in await self._nodes(stack):
                async for found in self._scan("SCAN", "", f"{keys.SCHEMA}:{{{self._tenant}}}:*", store=node):
                    doomed = [each for each in found if each != self._name]
                    count += await self._redis.unlink(*doomed) if doomed else 0
                    self._tell("taking away what is left", count, count)
                    await self._keep()
        return count

    async def _nodes(self, stack: contextlib.AsyncExitStack) -> list[Store]:
        """Return a store for each primary of a cluster, for its names are asked one by one; else the store itself."""
        url = self._settings.store_url
        if not (url.startswith(RESP_SCHEMES) and url.endswith("?cluster")):
            return [self._store]
        told = await self._store.command("CLUSTER", "SLOTS")
        seed = url.partition("://")[2].removesuffix("?cluster").rstrip("/").rpartition(":")[0]
        primaries = {(str(primary[0] or seed), int(primary[1])) for _, _, primary, *_ in told}
        nodes = []
        for host, port in sorted(primaries):
            shown = f"[{host}]" if ":" in host else host
            node = Store(self._settings._replace(store_url=f"{url.partition('://')[0]}://{shown}:{port}"))
            stack.push_async_callback(node.close)
            nodes.append(node)
        return nodes

    async def _everywhere(self) -> None:
        async for paths in self._scan("ZSCAN", keys.HOT_KEY, f"{self._tenant}/*", pairs=True):
            if paths:
                await self._redis.zrem(keys.HOT_KEY, *paths)
        await self._redis.srem(keys.SCOPES_KEY, self._tenant)
        await self._redis.hdel(keys.TENANTS_KEY, self._tenant)

    async def _scan(
        self, command: str, key: str, pattern: str, *, pairs: bool = False, store: Store | None = None
    ) -> AsyncIterator[list[Any]]:
        """Yield what fits *pattern*, page by page; of *pairs* the first of each."""
        cursor = "0"
        while True:
            parts: list[str | int] = [command, *([key] if key else []), cursor, "MATCH", pattern, "COUNT", PAGE]
            page = await (store or self._store).command(
                *parts, is_idempotent=True, reply_bytes_max=PAGE * NAME_BYTES_MAX
            )
            cursor, found = str(page[0]), list(page[1])
            yield found[::2] if pairs else found
            if cursor == "0":
                return
