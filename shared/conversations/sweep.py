"""
The sweep of conversations: compaction that was due and did not happen, and what expired conversations leave behind.

    each tenant -> its conversations by their last write, page by page -> expired: out of the indexes
                                                                       -> written since the last pass, sparse: compacted

A conversation moves to the end of that order when it is written, so a pass that goes on behind an instant misses
nothing. How far it got is noted with the tenant after each page. Doing it twice, or at the same time, does no harm:
each step is one script that looks again at what it changes.
"""

import time
from typing import NamedTuple

from shared.config import Settings
from shared.conversations.compaction import compaction
from shared.conversations.conversation import Conversation
from shared.errors import StoreUnavailable
from shared.request.caller import Caller
from shared.store import keys
from shared.store.lease import taken
from shared.store.upstash import Store

NAME = "compact"
LEASE_S = 60.0
PAGE_CONVERSATIONS = 500
PAGE_TENANTS = 500
SETTLED_S = 60
"""What was written so recently is left alone: its own compaction may be under way, and clocks differ."""


class Pass(NamedTuple):
    """
    How far the sweep of a tenant is: through what was written until *at_us* ("0" between two passes); what was written
    until *since_us* was looked at by a pass before.
    """

    at_us: str = "0"
    since_us: str = "0"

    def as_text(self) -> str:
        return " ".join(self)


class SweptConversations(NamedTuple):
    """
    What a sweep did. *outcome*: `done`, `unfinished` (the next goes on), `busy` (another is at it), `lost` (another
    took over). *looked_at*, *compacted*, *forgotten*, *failed* count conversations, *entries* what compaction took out.
    """

    outcome: str
    tenants: int = 0
    looked_at: int = 0
    compacted: int = 0
    entries: int = 0
    forgotten: int = 0
    failed: int = 0


class ConversationSweep:
    """One run."""

    def __init__(self, store: Store, settings: Settings, end_at_s: float) -> None:
        self._store = store
        self._settings = settings
        self._end_at_s = end_at_s
        self._swept = SweptConversations("done")

    async def run(self) -> SweptConversations:
        """Sweep until done or out of time. Raises StoreUnavailable."""
        async with taken(self._store, keys.cron_key(NAME), LEASE_S) as lease:
            if lease is None:
                return SweptConversations("busy")
            through_us = str((int(time.time()) - SETTLED_S) * 1_000_000)
            passes = await self._passes()
            # Those that were left out the longest come first.
            for tenant in sorted(passes, key=lambda each: (int(passes[each].since_us), each)):
                at = passes[tenant]
                while True:
                    if not await lease.keep(""):
                        return self._swept._replace(outcome="lost")
                    at_us = await self._page(tenant, at, through_us)
                    if at_us is None:
                        return self._swept._replace(outcome="unfinished")
                    at = at._replace(at_us=at_us) if at_us else Pass("0", through_us)
                    await self._store.command("HSET", keys.TENANTS_KEY, tenant, at.as_text(), is_idempotent=True)
                    self._add(tenants=int(not at_us))
                    if time.monotonic() >= self._end_at_s:
                        return self._swept._replace(outcome="unfinished")
                    if not at_us:
                        break
        return self._swept

    async def _page(self, tenant: str, at: Pass, through_us: str) -> str | None:
        """Do one page of *tenant*; return behind what to go on, "" when that was all, None when time ran out in it."""
        indexes = [keys.activity_key(tenant), keys.metadata_key(tenant)]
        arguments: list[str | int] = [at.at_us, through_us, PAGE_CONVERSATIONS, at.since_us, int(time.time())]
        _, at_us, count, ids = await self._store.eval("sweep_page", indexes, arguments)
        if ids:
            names = [keys.conversation_key(tenant, each) for each in ids]
            _, forgotten, sparse = await self._store.eval("sweep_look", [*indexes, *names], ids, is_idempotent=True)
            self._add(forgotten=int(forgotten))
            for number, each in enumerate(sparse):
                # However late it is, each run gets further than the one before.
                if number and time.monotonic() >= self._end_at_s:
                    return None
                await self._compact(tenant, each)
        self._add(looked_at=int(count))
        return str(at_us)

    async def _compact(self, tenant: str, conversation_id: str) -> None:
        names, arguments = compaction(Conversation(Caller(tenant, ""), conversation_id), is_forced=False)
        try:
            reply = await self._store.eval("sweep_compact", names, arguments, is_idempotent=True)
        except StoreUnavailable:
            # One that takes too long must not be the end of every sweep. Without a store the next step will say so.
            self._add(failed=1)
            return
        if reply[0] == "ok" and reply[-1] != "0":
            self._add(compacted=1, entries=int(reply[-1]))

    async def _passes(self) -> dict[str, Pass]:
        passes: dict[str, Pass] = {}
        cursor = "0"
        while True:
            page = await self._store.command(
                "HSCAN", keys.TENANTS_KEY, cursor, "COUNT", PAGE_TENANTS, is_idempotent=True
            )
            cursor, flat = page
            passes |= {tenant: Pass(*raw.split()) for tenant, raw in zip(flat[::2], flat[1::2], strict=True)}
            if cursor == "0":
                return passes

    def _add(self, **counts: int) -> None:
        self._swept = self._swept._replace(
            **{name: getattr(self._swept, name) + count for name, count in counts.items()}
        )
