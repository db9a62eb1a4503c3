"""
What callers can do with conversations. Each operation is one script: one request, atomic.

    append    check -> count, off the loop -> encode each item once -> script
    read      script -> stored bytes, spliced

Nothing is remembered between requests here; every answer is what the store held when it was asked.
"""

import secrets
import sys
import time
from functools import partial
from typing import NamedTuple

import orjson
from anyio import to_thread

from shared.auth import Caller
from shared.config import Settings
from shared.conversations.entries import read_body, read_entry, write_entry
from shared.conversations.refusals import raise_refusal
from shared.errors import InvalidValue, TooLarge
from shared.items.counts import PRIMARY_ENCODING, count_items
from shared.items.normalize import NormalItem, normalize_items, normalize_metadata
from shared.items.traits import describe
from shared.later import Later
from shared.store import keys
from shared.store.upstash import Store
from shared.tokens.counter import Counter

SCAN_MAX = 1_000
PYDANTIC_CHECKS = "shared.items.types_check"
TOUCH_SHARE = 10
"""A read renews the expiry when a tenth of it has gone by since the last use."""


class ConversationInfo(NamedTuple):
    """A conversation without its items; *metadata* is JSON."""

    id: str
    created_at_unix_s: int
    metadata: str

    def as_json(self) -> bytes:
        return orjson.dumps(
            {
                "id": self.id,
                "object": "conversation",
                "created_at": self.created_at_unix_s,
                "metadata": orjson.Fragment(self.metadata),
            }
        )


class Page(NamedTuple):
    """Part of a list: the JSON of each element, the ids of the first and the last one, whether there are more."""

    data: list[bytes]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Conversations:
    """The use cases of conversations, but for contexts (shared/conversations/contexts.py)."""

    def __init__(self, store: Store, counter: Counter, settings: Settings) -> None:
        self._store = store
        self._counter = counter
        self._settings = settings

    async def create(
        self, caller: Caller, raw_items: object, raw_metadata: object, expires_after_s: int | None
    ) -> ConversationInfo:
        """Create a conversation that holds *raw_items*; they are checked and stored as by `append`."""
        conversation_id = make_id("conv")
        metadata = orjson.dumps(normalize_metadata(raw_metadata)).decode()
        expiry_s = self._settings.conversation_expiry_s if expires_after_s is None else expires_after_s
        items = await self._check(raw_items, allow_empty=True)
        born: list[str | int] = [secrets.token_hex(8), expiry_s, int(time.time()), metadata]
        _, created_at, metadata = await self._append(caller, conversation_id, "create", items, born)
        return ConversationInfo(conversation_id, int(created_at), metadata)

    async def append(self, caller: Caller, conversation_id: str, raw_items: object) -> Page:
        """
        Append a batch, all of it or nothing, and return the items as they are now stored.

        Raises:   InvalidValue, DuplicateItem, TooLarge, NotFound, Unauthorized: nothing was stored.
                  StoreUnavailable: `outcome_unknown` says whether the batch may have been stored.
        """
        items = await self._check(raw_items, allow_empty=False)
        bodies = await self._append(caller, conversation_id, "append", items, [0, 0, 0, "{}"])
        return Page(bodies[0], items[0].id, items[-1].id, has_more=False)

    async def _check(self, raw_items: object, *, allow_empty: bool) -> list[NormalItem]:
        count_max = self._settings.batch_items_max
        check = partial(normalize_items, raw_items, make_id, allow_empty=allow_empty, count_max=count_max)
        # The first item that is not plain imports pydantic: 80 ms, which the loop must not wait for.
        return check() if PYDANTIC_CHECKS in sys.modules else await to_thread.run_sync(check)

    async def _append(
        self, caller: Caller, conversation_id: str, mode: str, items: list[NormalItem], born: list[str | int]
    ) -> tuple[list[bytes], str, str]:
        bodies = [self._encode(index, each) for index, each in enumerate(items)]
        traits = [describe(each.item) for each in items]
        counts = await count_items(self._counter, PRIMARY_ENCODING, traits)
        arguments: list[str | int] = []
        for each, trait, count, body in zip(items, traits, counts, bodies, strict=True):
            tokens = count.overhead_tokens + count.content_tokens
            entry = write_entry(each.id, trait, count, body)
            arguments += [each.id, "1" if each.given_id else "0", trait.kind, tokens, entry]
        settings = self._settings
        limits = [
            settings.conversation_entries_max,
            settings.conversation_bytes_max,
            settings.pinned_tokens_max,
        ]
        reply = await self._store.eval(
            "append",
            [
                keys.tenant_key(caller.tenant),
                keys.conversation_key(caller.tenant, conversation_id),
                keys.activity_key(caller.tenant),
                keys.metadata_key(caller.tenant),
            ],
            [
                caller.key_hash,
                mode,
                now_us(),
                secrets.token_hex(8),
                conversation_id,
                *limits,
                *born,
                *arguments,
            ],
        )
        if reply[0] != "ok":
            raise_refusal(reply, conversation_id, settings)
        return bodies, reply[2], reply[3]

    def _encode(self, index: int, each: NormalItem) -> bytes:
        try:
            body = orjson.dumps(each.item)
        except orjson.JSONEncodeError as error:
            raise InvalidValue(f"items[{index}] cannot be stored: {error}.", param=f"items[{index}]") from None
        limit = self._settings.item_bytes_max
        if len(body) > limit:
            raise TooLarge(
                f"items[{index}] takes {len(body)} bytes; the limit is {limit}.",
                param=f"items[{index}]",
                limit_bytes=limit,
            )
        return body

    async def retrieve(self, caller: Caller, conversation_id: str, later: Later) -> ConversationInfo:
        """Return a conversation. Raises NotFound."""
        reply = await self._store.eval("head", self._keys(caller, conversation_id), [caller.key_hash])
        if reply[0] != "ok":
            raise_refusal(reply, conversation_id, self._settings)
        self.touch_when_due(caller, conversation_id, int(reply[3][0]), int(reply[3][1]), later)
        return ConversationInfo(conversation_id, int(reply[1]), reply[2])

    async def update(self, caller: Caller, conversation_id: str, raw_metadata: object) -> ConversationInfo:
        """Replace the metadata of a conversation."""
        metadata = orjson.dumps(normalize_metadata(raw_metadata)).decode()
        settings = self._settings
        reply = await self._store.eval(
            "update",
            [
                *self._keys(caller, conversation_id),
                keys.activity_key(caller.tenant),
                keys.metadata_key(caller.tenant),
            ],
            [
                *(caller.key_hash, now_us(), secrets.token_hex(8), conversation_id, metadata),
                *(settings.conversation_entries_max, settings.conversation_bytes_max),
            ],
        )
        if reply[0] != "ok":
            raise_refusal(reply, conversation_id, settings)
        return ConversationInfo(conversation_id, int(reply[1]), reply[2])

    async def delete(self, caller: Caller, conversation_id: str) -> None:
        """Remove a conversation and its items."""
        reply = await self._store.eval(
            "delete",
            [
                *self._keys(caller, conversation_id),
                keys.activity_key(caller.tenant),
                keys.metadata_key(caller.tenant),
            ],
            [caller.key_hash, conversation_id],
        )
        if reply[0] != "ok":
            raise_refusal(reply, conversation_id, self._settings)

    async def find(self, caller: Caller, after: str, limit: int, metadata: dict[str, str]) -> Page:
        """
        Return the tenant's conversations that have *metadata*, newest activity first.

        With a filter one call looks at SCAN_MAX conversations at the most; `last_id` is then the last one it
        looked at, so that the next call goes on behind it.
        """
        wanted = [part for pair in metadata.items() for part in pair]
        reply = await self._store.eval(
            "list",
            [
                keys.tenant_key(caller.tenant),
                keys.activity_key(caller.tenant),
                keys.metadata_key(caller.tenant),
            ],
            [caller.key_hash, after, limit, int(time.time()), SCAN_MAX, *wanted],
        )
        if reply[0] != "ok":
            raise_refusal(reply, after, self._settings)
        _, more, last_id, rows = reply
        found = [ConversationInfo(rows[i], int(rows[i + 1]), rows[i + 2]) for i in range(0, len(rows), 3)]
        first_id = found[0].id if found else None
        return Page([each.as_json() for each in found], first_id, last_id or None, more == "1")

    async def items(
        self, caller: Caller, conversation_id: str, after: str, limit: int, order: str, later: Later
    ) -> Page:
        """Return one page of items; it also ends where the next one would not fit a reply."""
        reply = await self._store.eval(
            "page",
            self._keys(caller, conversation_id),
            [caller.key_hash, after, order, limit, self._settings.store_reply_bytes_max],
        )
        if reply[0] != "ok":
            raise_refusal(reply, after if reply[0] == "after" else conversation_id, self._settings)
        _, more, use, entries = reply
        self.touch_when_due(caller, conversation_id, int(use[0]), int(use[1]), later)
        ids = [entry.item.id for raw in entries[:1] + entries[-1:] if (entry := read_entry(0, raw)).item]
        first_id, last_id = (ids[0], ids[-1]) if ids else (None, None)
        return Page([read_body(raw) for raw in entries], first_id, last_id, more == "1")

    async def item(self, caller: Caller, conversation_id: str, item_id: str) -> bytes:
        """Return the JSON of one item."""
        reply = await self._store.eval("item", self._keys(caller, conversation_id), [caller.key_hash, item_id])
        if reply[0] != "ok":
            raise_refusal(reply, item_id if reply[0] == "unknown_item" else conversation_id, self._settings)
        return read_body(reply[1])

    async def delete_item(self, caller: Caller, conversation_id: str, item_id: str) -> ConversationInfo:
        """Blank one item and return its conversation."""
        reply = await self._store.eval(
            "delete_item",
            [*self._keys(caller, conversation_id), keys.activity_key(caller.tenant)],
            [caller.key_hash, now_us(), secrets.token_hex(8), conversation_id, item_id],
        )
        if reply[0] != "ok":
            raise_refusal(reply, item_id if reply[0] == "unknown_item" else conversation_id, self._settings)
        return ConversationInfo(conversation_id, int(reply[1]), reply[2])

    def touch_when_due(
        self, caller: Caller, conversation_id: str, expiry_s: int, used_at_unix_s: int, later: Later
    ) -> None:
        """Renew the expiry of a conversation after the response, when enough of it has gone by."""
        now_unix_s = int(time.time())
        if expiry_s and now_unix_s - used_at_unix_s > expiry_s // TOUCH_SHARE:
            names = [*self._keys(caller, conversation_id), keys.metadata_key(caller.tenant)]
            later.add(partial(self._store.eval, "touch", names, [caller.key_hash, now_unix_s, conversation_id]))

    def _keys(self, caller: Caller, conversation_id: str) -> list[str]:
        return [keys.tenant_key(caller.tenant), keys.conversation_key(caller.tenant, conversation_id)]


def make_id(prefix: str) -> str:
    """Return a new id that nobody can guess: 192 random bits."""
    return f"{prefix}_{secrets.token_hex(24)}"


def now_us() -> int:
    """Return the wall clock in microseconds; it orders a tenant's conversations and decides nothing."""
    return time.time_ns() // 1_000
