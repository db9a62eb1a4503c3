"""
What callers change in conversations that exist, and the list of them. Each operation is one script: one request,
atomic, done once (shared/store/attempts.py).

    update, delete, delete_item, delete_summary    script -> the conversation as it is then
    find                                           script -> rows of the tenant's index

Creating and appending are in append.py, reading in reading.py and contexts.py.
"""

import asyncio
import time
from typing import Any, NamedTuple

import orjson

from shared.config import Settings
from shared.conversations.compaction import Compaction
from shared.conversations.conversation import Conversation
from shared.conversations.info import ConversationInfo, Page
from shared.errors import StoreFull
from shared.items.normalize import write_metadata
from shared.request.after_response import Later
from shared.request.caller import Caller
from shared.store import keys
from shared.store.attempts import Attempt, Written, etag
from shared.store.indexes import Names, Spread, all_indexes, every_place
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store

STEPS_MAX = 10
"""Of a filtered list that finds nothing."""

LEFT_S = 86_400
"""For so long a list may go on behind a conversation that was deleted."""

REPAIRS_MAX = 3
"""How often one list is asked for anew because rows had to be made right first."""
ROW = 5
"""How many texts list.lua replies of one conversation."""

ROW_BYTES_MAX = 10_000
"""What they are at the most, about."""


class DeletedItem(NamedTuple):
    """What came of deleting an item. *is_summarised*: the summary stands for it too, and may still tell of it."""

    written: Written[ConversationInfo]
    is_summarised: bool


class Conversations:
    """The use cases that neither add items nor read them."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def update(
        self,
        conversation: Conversation,
        attempt: Attempt,
        raw_metadata: object | None,
        expires_after_s: int | None,
        later: Later,
    ) -> Written[ConversationInfo]:
        """
        Replace the metadata of a conversation, or change how long after its last use it expires, 0 for never, or both;
        None leaves what there is. Raises NotFound, VersionMoved, KeyReused.
        """
        settings = self._settings
        metadata = "" if raw_metadata is None else write_metadata(raw_metadata, settings.metadata_bytes_max)
        reply = await self._write(
            "update",
            conversation,
            attempt,
            [
                metadata,
                "" if expires_after_s is None else expires_after_s,
                settings.conversation_entries_max,
                settings.conversation_bytes_max,
                settings.tenant_bytes_max,
            ],
        )
        _, seed, generation, version, chain, created_at, is_sparse, *more = reply
        facts = [seed, generation, version, chain, created_at, metadata or more[0], is_sparse]
        return self._written(conversation, attempt, facts, later, *more[1:2])

    async def delete_item(
        self, conversation: Conversation, attempt: Attempt, item_id: str, later: Later
    ) -> DeletedItem:
        """Blank one item and return its conversation. Raises NotFound, VersionMoved, KeyReused."""
        _, *facts = await self._write("delete_item", conversation, attempt, [item_id])
        return DeletedItem(self._written(conversation, attempt, facts, later, *facts[8:9]), facts[7] == "1")

    async def delete_summary(
        self, conversation: Conversation, attempt: Attempt, later: Later
    ) -> Written[ConversationInfo]:
        """Blank the summary and return its conversation. Raises NotFound, VersionMoved, KeyReused."""
        _, *facts = await self._write("delete_summary", conversation, attempt, [])
        return self._written(conversation, attempt, facts, later, *facts[7:8])

    def _written(
        self, conversation: Conversation, attempt: Attempt, facts: list[str], later: Later, told: str = ""
    ) -> Written[ConversationInfo]:
        """
        Return what *facts* say, which may be a reply that a newer release kept: what it has behind them is left. What
        is *told* of the conversation one that an older release kept does not have.
        """
        seed, generation, version, chain, created_at, metadata, is_sparse, *_ = facts
        if is_sparse == "1":
            Compaction(self._store, self._settings).compact_later(conversation, later)
        info = ConversationInfo.told(conversation.id, created_at, metadata, version, told)
        return Written(info, etag(generation, version, chain, info.used_at_unix_s), is_replay=seed != attempt.seed)

    async def _write(
        self,
        script: str,
        conversation: Conversation,
        attempt: Attempt,
        arguments: list[str | int],
    ) -> list[Any]:
        names: list[str | Names] = [
            *conversation.names,
            conversation.index_names,
            *attempt.record_keys(conversation.caller.tenant),
        ]
        common = conversation.arguments(attempt, self._settings.idempotency_s)
        reply = await self._store.eval(script, names, [*common, *arguments], is_idempotent=True)
        if reply[0] != "ok":
            name = str(arguments[0]) if reply[0] == "unknown_item" else conversation.id
            raise_refusal(reply, name, self._settings, param="metadata")
        return reply

    async def delete(self, conversation: Conversation, attempt: Attempt) -> bool:
        """Remove a conversation and its items; return whether that had been done before, with the same key."""
        caller, settings = conversation.caller, self._settings
        names: list[str | Names] = [
            *conversation.names,
            conversation.left_name,
            every_place(caller.tenant, conversation.id),
            *attempt.record_keys(caller.tenant),
        ]
        arguments: list[str | int | Spread] = [
            caller.key_hash,
            *attempt.arguments(settings.idempotency_s),
            *(conversation.id, Spread(caller.tenant), int(attempt.has_key)),
            max(LEFT_S, settings.idempotency_s),
        ]
        try:
            reply = await self._store.eval("delete", names, arguments, is_idempotent=True)
        except StoreFull as error:
            return await self._delete_from_full(
                conversation, attempt, has_begun=bool(error.extensions.get("outcome_unknown"))
            )
        if reply[0] != "ok":
            raise_refusal(reply, conversation.id, settings)
        return bool(reply[1] != attempt.seed)

    async def _delete_from_full(self, conversation: Conversation, attempt: Attempt, *, has_begun: bool) -> bool:
        """
        Remove a conversation from a store that takes no script that may write: what only frees memory, it takes.

        The key is confirmed first, and the version; another writer may come between that and the removal. A removal
        is known when it comes again by what the script noted of it, before the store was full or where it *has_begun*;
        of this one nothing can be noted, and its repetition is a NotFound.
        """
        caller, store = conversation.caller, self._store
        arguments: list[str | int | Spread] = [caller.key_hash, attempt.expected, Spread(caller.tenant)]
        reply = await store.eval("expected", conversation.names, arguments)
        noted = [await store.command("GET", name, is_idempotent=True) for name in attempt.record_keys(caller.tenant)]
        if has_begun:
            noted.append(await store.command("GET", conversation.left_name, is_idempotent=True))
        was_noted = any(each and each.startswith((attempt.fingerprint, attempt.seed)) for each in noted)
        if noted and noted[0] and attempt.has_key and not was_noted:
            reply = ["reused"]
        if reply[0] not in ("ok", "unknown"):
            raise_refusal(reply, conversation.id, self._settings)
        await store.command("UNLINK", conversation.names[1], is_idempotent=True)
        # Also of what is not there: an attempt before this one may have come no further.
        places = store.names([every_place(caller.tenant, conversation.id)])
        for activity, rows in zip(places[::2], places[1::2], strict=True):
            await store.command("HDEL", rows, conversation.id, is_idempotent=True)
            await store.command("ZREM", activity, conversation.id, is_idempotent=True)
        if reply[0] == "unknown" and not was_noted:
            raise_refusal(reply, conversation.id, self._settings)
        return reply[0] == "unknown" and not has_begun

    async def _repair(self, caller: Caller, conversation_id: str) -> None:
        """Make the row of a conversation right that a script left half-way."""
        conversation = Conversation(caller, conversation_id)
        names: list[str | Names] = [conversation.names[1], every_place(caller.tenant, conversation_id)]
        await self._store.eval("repair", names, [conversation_id], is_idempotent=True)

    async def find(self, caller: Caller, after: str, limit: int, metadata: dict[str, str]) -> Page:
        """
        Return the tenant's conversations that have *metadata*, newest activity first.

        A filter looks at Settings.list_scan_max conversations in a step, of which there are STEPS_MAX until one is
        found: a page that is empty although there are more ends the loop of a client that goes on after its last
        element. Behind the last step it is empty all the same, and only `next_after` goes on. Where rows cannot be made
        right, as in a store that is full, the conversations are asked; a page may then hold fewer than *limit*.
        """
        found: list[ConversationInfo] = []
        more = True
        for _ in range(STEPS_MAX):
            found, after, more = await self._step(caller, after, limit, metadata)
            if found or not more:
                break
        first_id, last_id = (found[0].id, found[-1].id) if found else (None, None)
        return Page([each.as_json() for each in found], first_id, last_id, more, after if more else None)

    async def _step(
        self, caller: Caller, after: str, limit: int, metadata: dict[str, str]
    ) -> tuple[list[ConversationInfo], str, bool]:
        """Return what one step finds, the last conversation that it looked at, and whether there are more."""
        tenant, spread, is_full = caller.tenant, Spread(caller.tenant), False
        wanted = [part for pair in metadata.items() for part in pair]
        names: list[str | Names] = [
            keys.tenant_key(tenant),
            keys.left_key(tenant, keys.mark_of(after)),
            all_indexes(tenant),
        ]
        arguments: list[str | int | Spread] = [
            caller.key_hash,
            spread,
            after,
            limit,
            int(time.time()),
            self._settings.list_scan_max,
        ]
        for left in reversed(range(REPAIRS_MAX + 1)):
            told = [*arguments, int(left == 0 or is_full), *wanted]
            reply = await self._store.eval("list", names, told, reply_bytes_max=limit * ROW_BYTES_MAX)
            if reply[0] != "pending":
                break
            try:
                await asyncio.gather(*(self._repair(caller, each) for each in reply[1]))
            except StoreFull:
                is_full = True
        if reply[0] != "ok":
            raise_refusal(reply, after, self._settings)
        _, more, last, rows = reply
        read = (self._read_row(caller, rows[at : at + ROW], metadata) for at in range(0, len(rows), ROW))
        found = [each for each in await asyncio.gather(*read) if each is not None]
        return found, last, more == "1"

    async def _read_row(self, caller: Caller, row: list[str], wanted: dict[str, str]) -> ConversationInfo | None:
        """Return what a *row* of a list says, or the conversation where it is in doubt: None if it is not *wanted*."""
        conversation_id, created_at, metadata, used_at, expiry_s = row
        if created_at == "?":
            name = Conversation(caller, conversation_id).names[1]
            version, created_at, metadata, used_at, expiry_s = await self._store.command(
                "HMGET", name, "v", "c", "m", "t", "e", is_idempotent=True, reply_bytes_max=ROW_BYTES_MAX
            )
            if version is None or not wanted.items() <= orjson.loads(metadata).items():
                return None
        return ConversationInfo(conversation_id, int(created_at), metadata, int(used_at), int(expiry_s))
