"""
Recall's index of a conversation: which terms an item has, and how what was appended without them is indexed later.

    append        terms of what is appended -> append.lua, which adds them
    cron, compact -> what stands before the index, newest first, a page -> its terms -> index_older.lua, which adds them
                     and tells the page before

Without terms are items of a deployment that kept none (`WARMTHREAD_RECALL=off`) or did not know of them. How far the
index goes stands in it, so whoever goes on later goes on there. A page is added where nothing was deleted since it was
told; else it is told again.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial

import orjson

from shared.config import Settings
from shared.context.recalled import LABELS
from shared.conversations.conversation import Conversation
from shared.conversations.entries import read_entry
from shared.items.item import read_extras
from shared.items.kinds import Kind
from shared.items.traits import Traits, describe
from shared.process.pool import Pool
from shared.request.after_response import Later
from shared.store.indexes import Names, Spread, rows_name
from shared.store.upstash import Store

PAGE_ITEMS = 256
"""What a block of the index holds (terms.lua)."""

PAGE_BYTES = 500_000
LATER_S = 5.0
"""For so long what lacks is indexed after a response; the sweep does the rest."""

TELLINGS_MAX = 3
"""How often in a row a page is told that others changed meanwhile."""


def terms_of(traits: Traits) -> str:
    """Return the terms of an item, as the store keeps them; "" for none."""
    if traits.kind not in LABELS:  # It is never quoted.
        return ""
    from shared.recall.terms import pack  # A function that only reads never needs it.

    texts = traits.texts[1:] if traits.kind == Kind.OUTPUT else traits.texts
    return pack("\n".join((traits.name, *texts)))


class Indexing:
    """The use case that indexes what was appended without terms."""

    def __init__(self, store: Store, pool: Pool, settings: Settings) -> None:
        self._store = store
        self._pool = pool
        self._settings = settings

    async def index(self, conversation: Conversation, end_at_s: float) -> bool:
        """
        Index what lacks, until *end_at_s* on the monotonic clock; return whether that was all of it.

        One step is always taken. Another instance may do the same at the same time: each page is added once.
        """
        tenant, conversation_id = conversation.place
        names: list[str | Names] = [*conversation.names, rows_name(tenant, conversation_id)]
        limits = self._settings.conversation_bytes_max, PAGE_ITEMS, PAGE_BYTES
        page: list[str | int] = ["", "", "", ""]
        told_again = 0
        while True:
            reply = await self._store.eval(
                "index_older",
                names,
                [conversation_id, Spread(tenant), *limits, *page],
                is_idempotent=True,
                reply_bytes_max=PAGE_BYTES + self._settings.item_bytes_max,
            )
            if reply[0] != "ok":
                return True  # It is gone, or has no room for more.
            _, added, generation, lowest, deleted_tokens, older = reply
            told_again = 0 if added == "1" else told_again + 1
            if not older:
                if lowest == "1":
                    return True
                page = [generation, lowest, deleted_tokens, 1]
            else:
                terms: list[str | int] = []
                await self._pool.run_steps(_terms(older, terms))
                page = [generation, lowest, deleted_tokens, older[-2], *terms]
            if told_again > TELLINGS_MAX or time.monotonic() >= end_at_s:
                return False

    def index_later(self, conversation: Conversation, later: Later) -> None:
        """Do it after the response, if terms are kept at all."""
        if self._settings.recall == "on":
            index = partial(self.index, conversation, time.monotonic() + LATER_S)
            later.offer(index, "indexing", *conversation.place)


def _terms(older: Sequence[str], terms: list[str | int]) -> Iterator[None]:
    """Put place, id and terms into *terms*, the oldest first, of each of *older*, place and entry, that has some."""
    for at in range(len(older) - 2, -1, -2):
        item = read_entry(int(older[at]), older[at + 1]).item
        packed = terms_of(describe(orjson.loads(item.body), read_extras(item))) if item is not None else ""
        if item is not None and packed:
            terms += [item.seq, item.id, packed]
        yield
