"""
The sweep of conversations: compaction that was due and did not happen, terms of recall that are lacking, and what
expired conversations leave behind.

    each tenant -> its conversations by their last write, shard by shard, page by page
                       -> expired: out of the indexes
                       -> written since the last pass: rows made right; sparse: compacted; without terms: indexed
                   what they take, added up -> the tenant's hash; a shard that takes too much -> spreading.py

A conversation moves to the end of that order when it is written, so a pass that goes on behind an instant misses
nothing. How far it got is noted with the tenant after each page. Doing it twice, or at the same time, does no harm:
each step is one script that looks again at what it changes. A tenant or a conversation that fails does not stop the
others: it is counted, told in the log by a hash, and the tenant's turn comes after theirs the next time.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from shared.config import Settings
from shared.conversations.compaction import compaction
from shared.conversations.conversation import Conversation
from shared.conversations.indexing import Indexing
from shared.conversations.repairing import repair
from shared.conversations.spreading import Spreading
from shared.errors import StoreFull, StoreUnavailable
from shared.process.background import Contained
from shared.process.pool import Pool
from shared.request.caller import Caller
from shared.request.cron_time import BUSY
from shared.request.owners import NOBODY, Owners
from shared.store import keys
from shared.store.failure import Failure, Sign
from shared.store.indexes import Layout
from shared.store.lease import Lease, taken
from shared.store.members import set_names
from shared.store.upstash import Store

NAME = "compact"
LEASE_S = 60.0
PAGE_CONVERSATIONS = 500
PAGE_TENANTS = 500
PLACE_BYTES = 100
"""What a page holds of one conversation: id, time."""

SETTLED_S = 60
"""What was written so recently is left alone: its own compaction may be under way, and clocks differ."""


class Pass(NamedTuple):
    """
    How far the sweep of a tenant is: in *shard*, through what was written until *at_us* ("0" between two passes); what
    was written until *since_us* was looked at by a pass before. *tried_us*: when it failed the last time. Until there
    its conversations take *bytes*, and the rows of this shard *shard_bytes*, those of the largest one *largest_bytes*.
    """

    at_us: str = "0"
    since_us: str = "0"
    tried_us: str = "0"
    shard: int = 0
    bytes: int = 0
    shard_bytes: int = 0
    largest_bytes: int = 0

    def as_text(self) -> str:
        return " ".join(map(str, self))

    @property
    def waits_since_us(self) -> int:
        return max(int(self.since_us), int(self.tried_us))


def read_pass(text: str) -> Pass:
    """Return what was noted with a tenant; one that nothing is known of begins."""
    parts = text.split()
    if len(parts) != len(Pass._fields) or not all(map(str.isdecimal, parts)):
        return Pass()
    at_us, since_us, tried_us, *counts = parts
    return Pass(at_us, since_us, tried_us, *map(int, counts))


class SweptConversations(NamedTuple):
    """
    What a sweep did. *outcome*: `done`, `unfinished` (the next goes on), `busy` (another is at it), `lost` (another
    took over), `failed`. *looked_at*, *compacted*, *indexed*, *forgotten*, *failed* count conversations, *entries* what
    compaction took out, *tenants* those whose pass is done, *tenants_failed* those that could not be gone through.
    """

    outcome: str
    tenants: int = 0
    looked_at: int = 0
    compacted: int = 0
    entries: int = 0
    indexed: int = 0
    forgotten: int = 0
    failed: int = 0
    tenants_failed: int = 0


class Looked(NamedTuple):
    """Of conversations: the ids of those that are sparse, and that lack terms of recall; what all take, in bytes."""

    sparse: Sequence[str] = ()
    lacking: Sequence[str] = ()
    bytes: int = 0


class ConversationSweep:
    """One run."""

    def __init__(self, store: Store, pool: Pool, settings: Settings, end_at_s: float) -> None:
        self._store = store
        self._settings = settings
        self._end_at_s = end_at_s
        self._indexing = Indexing(store, pool, settings)
        self._swept = SweptConversations("done")
        self._at = Pass()
        """How far the tenant is that is being swept."""

    async def run(self) -> SweptConversations:
        """Sweep until done or out of time. Raises StoreUnavailable."""
        async with taken(self._store, keys.cron_key(NAME), LEASE_S) as lease:
            if lease is None:
                return SweptConversations(BUSY)
            through_us = str((int(time.time()) - SETTLED_S) * 1_000_000)
            passes = await self._passes()
            # Those that were left out the longest come first.
            order = sorted(passes, key=lambda each: (passes[each].waits_since_us, each))
            for tenant in order:
                outcome = await self._tenant(tenant, passes[tenant], through_us, lease)
                if outcome == "done" and time.monotonic() >= self._end_at_s and tenant != order[-1]:
                    outcome = "unfinished"
                if outcome != "done":
                    return self._swept._replace(outcome=outcome)
        return self._swept

    async def _tenant(self, tenant: str, at: Pass, through_us: str, lease: Lease) -> str:
        """Do one pass of *tenant*, or what is left of it, and return the outcome: one that fails is done with."""
        self._at = at
        with Contained("the sweep of a tenant", tenant):
            return await self._pass(tenant, through_us, lease)
        self._add(tenants_failed=1)
        with Contained("noting that a sweep failed", tenant):
            await self._note(tenant, self._at._replace(tried_us=through_us))
        return "done"

    async def _pass(self, tenant: str, through_us: str, lease: Lease) -> str:
        spreading = Spreading(self._store, tenant, self._settings, self._end_at_s)
        layout, is_full = await self._settled(spreading)
        while is_full or layout.moving_from == 0:
            if not await lease.keep(""):
                return "lost"
            if self._at.shard == 0 and self._at.at_us == "0":
                await self._store.command("UNLINK", keys.built_key(tenant), is_idempotent=True)
            at = await self._page(tenant, self._at, through_us)
            if at is None:
                break
            if not at.at_us:
                at = at._replace(bytes=at.bytes + await self._recent_bytes(tenant, at.shard, through_us))
                largest = max(at.largest_bytes, at.shard_bytes)
                at = at._replace(at_us="0", shard=at.shard + 1, shard_bytes=0, largest_bytes=largest)
            if at.shard >= layout.shards:
                self._add(tenants=1)
                if not is_full:
                    # By now what was counted with each write may be a little off.
                    done = self._write("HSET", keys.tenant_key(tenant), "bytes", at.bytes)
                    await asyncio.gather(done, self._note(tenant, Pass("0", through_us)))
                    with suppress(StoreFull):
                        await spreading.grow(layout, at.largest_bytes)
                return "done"
            await self._note(tenant, at)
            if time.monotonic() >= self._end_at_s:
                break
        return "unfinished"

    async def _settled(self, spreading: Spreading) -> tuple[Layout, bool]:
        """Return the layout, settled but for lack of time, and whether the store has no room to settle it."""
        try:
            return await spreading.settle(), False
        except StoreFull:
            # A conversation may then stand in two shards: what is gone is forgotten in both.
            return await spreading.layout(), True

    async def _note(self, tenant: str, at: Pass) -> None:
        self._at = at
        await self._write("HSET", keys.TENANTS_KEY, tenant, at.as_text())

    async def _write(self, *parts: str | int) -> None:
        """Note something that the next sweep can do without: a full store does not take it."""
        with suppress(StoreFull):
            await self._store.command(*parts, is_idempotent=True)

    async def _page(self, tenant: str, at: Pass, through_us: str) -> Pass | None:
        """Do one page; return how far that is, with "" for the end of the shard, None when time ran out in it."""
        names = [keys.activity_key(tenant, at.shard), keys.rows_key(tenant, at.shard)]
        arguments: list[str | int] = [at.at_us, through_us, PAGE_CONVERSATIONS, at.since_us, int(time.time())]
        _, at_us, count, held_bytes, rows_bytes, ids = await self._store.eval("sweep_page", names, arguments)
        looked = await self._look(tenant, names, ids) if ids else Looked()
        work = [partial(self._compact, tenant, each) for each in looked.sparse]
        if self._settings.recall == "on":
            work += [partial(self._index, tenant, each) for each in looked.lacking]
        for number, step in enumerate(work):
            # However late it is, each run gets further than the one before.
            if number and time.monotonic() >= self._end_at_s:
                return None
            await step()
        self._add(looked_at=int(count))
        sums = at.bytes + int(held_bytes) + looked.bytes, at.shard_bytes + int(rows_bytes)
        return at._replace(at_us=str(at_us), bytes=sums[0], shard_bytes=sums[1])

    async def _recent_bytes(self, tenant: str, shard: int, through_us: str) -> int:
        """Return what the conversations take that are too recent to be swept; their rows are made right."""
        names = [keys.activity_key(tenant, shard), keys.rows_key(tenant, shard)]
        sum_bytes, after_us = 0, f"({through_us}"
        while True:
            scored = await self._store.command(
                *("ZRANGEBYSCORE", names[0], after_us, "+inf", "WITHSCORES", "LIMIT", 0, PAGE_CONVERSATIONS),
                is_idempotent=True,
                reply_bytes_max=PAGE_CONVERSATIONS * PLACE_BYTES,
            )
            looked = await self._look(tenant, names, scored[::2]) if scored else Looked()
            sum_bytes += looked.bytes
            # What was written meanwhile is behind the last one again: asked once more, it would be counted twice, and
            # a tenant that writes all the time would keep the sweep for ever.
            if len(scored) < 2 * PAGE_CONVERSATIONS:
                return sum_bytes
            after_us = f"({scored[-1]}"

    async def _look(self, tenant: str, names: list[str], ids: list[str]) -> Looked:
        """Forget those of the conversations *ids* that expired; return what there is to do with the others."""
        try:
            return await self._look_at(tenant, names, ids)
        except StoreFull:
            await self._forget(tenant, names, ids)
            return Looked()
        except StoreUnavailable as error:
            if not _was_refused(error):
                raise
        # Because of one of them, so each is looked at alone.
        looked = Looked()
        for each in ids:
            with Contained("the sweep of a conversation", tenant, each) as work:
                more = await self._look_at(tenant, names, [each])
                looked = Looked(
                    [*looked.sparse, *more.sparse], [*looked.lacking, *more.lacking], looked.bytes + more.bytes
                )
            self._add(failed=int(work.error is not None))
        return looked

    async def _look_at(self, tenant: str, names: list[str], ids: list[str]) -> Looked:
        reply = await self._looked(tenant, names, [(each, *NOBODY) for each in ids])
        _, _, looked_bytes, sparse, lacking, unnamed, astray = reply
        if unnamed:
            # What is gone had a user or an agent: now their sets can be named.
            await self._looked(tenant, names, _triples(unnamed))
        for each in astray:
            await repair(self._store, Conversation(Caller(tenant, ""), each), indexes=names)
        return Looked(sparse, lacking, int(looked_bytes))

    async def _looked(self, tenant: str, names: list[str], rows: list[tuple[str, str, str]]) -> list[Any]:
        """Return what sweep_look.lua replies of conversations: id, user and agent of each."""
        conversations = [keys.conversation_key(tenant, conversation_id) for conversation_id, *_ in rows]
        sets = [name for _, *owners in rows for name in set_names(tenant, Owners(*owners))]
        told = [part for each in rows for part in each]
        reply = await self._store.eval("sweep_look", [*names, *conversations, *sets], told, is_idempotent=True)
        self._add(forgotten=int(reply[1]))
        return reply

    async def _forget(self, tenant: str, names: list[str], ids: list[str]) -> None:
        """Forget what expired, in a store that takes no script that may write: what only makes room, it takes."""
        conversations = [keys.conversation_key(tenant, each) for each in ids]
        _, told = await self._store.eval("sweep_gone", [names[1], *conversations], ids)
        gone, members = [], defaultdict(list)
        for conversation_id, *owners in _triples(told):
            gone.append(conversation_id)
            for name in set_names(tenant, Owners(*owners)):
                members[name].append(conversation_id)
        for name, each in members.items():
            await self._store.command("ZREM", name, *each, is_idempotent=True)
        if gone:
            await self._store.command("HDEL", names[1], *gone, is_idempotent=True)
            await self._store.command("ZREM", names[0], *gone, is_idempotent=True)
        self._add(forgotten=len(gone))

    async def _compact(self, tenant: str, conversation_id: str) -> None:
        conversation = Conversation(Caller(tenant, ""), conversation_id)
        names, arguments = compaction(conversation, self._settings, is_forced=False)
        with Contained("compaction", tenant, conversation_id) as work:
            reply = await self._store.eval("sweep_compact", names, arguments, is_idempotent=True)
            if reply[0] == "ok" and reply[6] != "0":
                self._add(compacted=1, entries=int(reply[6]))
        # One that takes too long must not be the end of every sweep. Without a store the next step will say so.
        self._add(failed=int(work.error is not None))

    async def _index(self, tenant: str, conversation_id: str) -> None:
        with Contained("indexing", tenant, conversation_id) as work:
            is_done = await self._indexing.index(Conversation(Caller(tenant, ""), conversation_id), self._end_at_s)
            self._add(indexed=int(is_done))
        self._add(failed=int(work.error is not None))

    async def _passes(self) -> dict[str, Pass]:
        passes: dict[str, Pass] = {}
        cursor = "0"
        while True:
            page = await self._store.command(
                "HSCAN", keys.TENANTS_KEY, cursor, "COUNT", PAGE_TENANTS, is_idempotent=True
            )
            cursor, flat = page
            passes |= {tenant: read_pass(raw) for tenant, raw in zip(flat[::2], flat[1::2], strict=True)}
            if cursor == "0":
                return passes

    def _add(self, **counts: int) -> None:
        self._swept = self._swept._replace(
            **{name: getattr(self._swept, name) + count for name, count in counts.items()}
        )


def _triples(told: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return what a script told of conversations: id, user, agent, …"""
    return list(zip(told[::3], told[1::3], told[2::3], strict=True))


def _was_refused(error: StoreUnavailable) -> bool:
    """Tell whether the store is there and would not do it: not so while it is away."""
    return isinstance(error.__cause__, Failure) and error.__cause__.sign is Sign.THERE
