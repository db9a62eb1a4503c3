"""
What callers read of conversations, contexts apart: each answer says which version it is of, and where it came from.

What L1 holds whole is answered from there after asking for its news; else the store sends no more than the page.
"""

from itertools import islice
from typing import Any

from shared.config import Settings
from shared.conversations.conversation import Conversation
from shared.conversations.entries import read_body, read_entry
from shared.conversations.history import History, Need
from shared.conversations.info import ConversationInfo, Page
from shared.conversations.provenance import Provenance, touch_when_due
from shared.conversations.snapshot import Snapshot
from shared.errors import NotCached, NotFound
from shared.items.item import Item
from shared.process.pool import Pool
from shared.request.after_response import Later
from shared.request.freshness import Freshness
from shared.store.pipeline import SMALL_REPLY_BYTES
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store

ALL = Need()
ANY = Need(tail_tokens=0)

LARGE_CHARS = 512 * 1024
"""A page of more than this takes over a millisecond to read, and goes to a thread."""


class Reader:
    """Reads conversations, items and pages of items."""

    def __init__(self, store: Store, history: History, settings: Settings, pool: Pool) -> None:
        self._pool = pool
        self._store = store
        self._history = history
        self._settings = settings

    async def retrieve(
        self, conversation: Conversation, freshness: Freshness, later: Later
    ) -> tuple[ConversationInfo, Provenance]:
        """Return a conversation. Raises NotFound, NotCached, StoreUnavailable."""
        if self._history.holds(conversation, ANY):
            reading = await self._history.read(conversation, ANY, freshness)
            header, provenance = reading.held.snapshot.header, Provenance.of_reading(reading)
            touch_when_due(self._store, conversation, provenance, later)
            return ConversationInfo(conversation.id, header.created_at_unix_s, header.metadata), provenance
        reply = await self._eval("head", conversation, freshness)
        if reply[0] != "ok":
            raise_refusal(reply, conversation.id, self._settings)
        provenance = Provenance.of_reply(reply[3])
        touch_when_due(self._store, conversation, provenance, later)
        return ConversationInfo(conversation.id, int(reply[1]), reply[2]), provenance

    async def items(
        self,
        conversation: Conversation,
        after: str,
        limit: int,
        order: str,
        freshness: Freshness,
        later: Later,
    ) -> tuple[Page, Provenance]:
        """Return one page of items; it also ends where the next one would make the answer too large."""
        bytes_max = self._settings.store_reply_bytes_max
        if self._history.holds(conversation, ALL):
            reading = await self._history.read(conversation, ALL, freshness)
            page = _page(reading.held.snapshot, after, limit, order, bytes_max)
            if page is not None:
                provenance = Provenance.of_reading(reading)
                touch_when_due(self._store, conversation, provenance, later)
                return page, provenance
        reply = await self._eval(
            "page", conversation, freshness, after, order, limit, bytes_max, reply_bytes_max=bytes_max
        )
        if reply[0] != "ok":
            raise_refusal(reply, after if reply[0] == "after" else conversation.id, self._settings)
        _, more, fields, entries = reply
        provenance = Provenance.of_reply(fields)
        touch_when_due(self._store, conversation, provenance, later)
        is_large = sum(map(len, entries)) > LARGE_CHARS
        return await self._pool.run_when(is_large, _read_page, entries, more == "1"), provenance

    async def item(self, conversation: Conversation, item_id: str, freshness: Freshness) -> tuple[bytes, Provenance]:
        """Return the JSON of one item."""
        if self._history.holds(conversation, ALL):
            reading = await self._history.read(conversation, ALL, freshness)
            for item in reading.held.snapshot.items:
                if item.id == item_id:
                    return item.body, Provenance.of_reading(reading)
            raise NotFound(f"There is no item {item_id!r} in this conversation.", param="item_id")
        largest = self._settings.item_bytes_max
        reply = await self._eval("item", conversation, freshness, item_id, reply_bytes_max=largest)
        if reply[0] != "ok":
            raise_refusal(reply, item_id if reply[0] == "unknown_item" else conversation.id, self._settings)
        return read_body(reply[1]), Provenance.of_reply(reply[2])

    async def _eval(
        self,
        script: str,
        conversation: Conversation,
        freshness: Freshness,
        *arguments: str | int,
        reply_bytes_max: int = SMALL_REPLY_BYTES,
    ) -> list[Any]:
        if freshness.is_only_if_cached:
            raise NotCached("This instance has no copy that is fresh enough.")
        return await self._store.eval(
            script,
            conversation.names,
            [conversation.caller.key_hash, *arguments],
            reply_bytes_max=reply_bytes_max,
        )


def _read_page(entries: list[str], has_more: bool) -> Page:
    ids = [entry.item.id for raw in entries[:1] + entries[-1:] if (entry := read_entry(0, raw)).item]
    first_id, last_id = (ids[0], ids[-1]) if ids else (None, None)
    return Page([read_body(raw) for raw in entries], first_id, last_id, has_more)


def _page(snapshot: Snapshot, after: str, limit: int, order: str, bytes_max: int) -> Page | None:
    """Return a page of *snapshot*, None if it does not know *after*: the id may be that of a deleted item."""
    items = snapshot.items
    start, step = (0, 1) if order == "asc" else (len(items) - 1, -1)
    if after:
        at = next((at for at, item in enumerate(items) if item.id == after), None)
        if at is None:
            return None
        start = at + step
    end = len(items) if step == 1 else -1
    chosen: list[Item] = []
    size = 0
    for at in islice(range(start, end, step), limit):
        size += len(items[at].body)
        if size > bytes_max and chosen:
            break
        chosen.append(items[at])
    has_more = len(range(start, end, step)) > len(chosen)
    first_id, last_id = (chosen[0].id, chosen[-1].id) if chosen else (None, None)
    return Page([item.body for item in chosen], first_id, last_id, has_more)
