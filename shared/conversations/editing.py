"""
What callers change in conversations that exist, and the list of them. Each operation is one script: one request,
atomic, done once (shared/store/attempts.py).

    update, delete, delete_item    script -> the conversation as it is then
    find                           script -> rows of the tenant's index

Creating and appending are in append.py, reading in reading.py and contexts.py.
"""

import time
from typing import Any

import orjson

from shared.config import Settings
from shared.conversations.compaction import Compaction
from shared.conversations.conversation import Conversation
from shared.conversations.info import ConversationInfo, Page, now_us
from shared.items.normalize import normalize_metadata
from shared.request.after_response import Later
from shared.request.caller import Caller
from shared.store import keys
from shared.store.attempts import Attempt, Written, etag
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store

SCAN_MAX = 1_000
DELETED_S = 60
"""How long a deleted conversation is remembered for the store's own client, which sends again within its timeout."""


class Conversations:
    """The use cases that neither add items nor read them."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def update(
        self, conversation: Conversation, attempt: Attempt, raw_metadata: object, later: Later
    ) -> Written[ConversationInfo]:
        """Replace the metadata of a conversation. Raises NotFound, VersionMoved, KeyReused."""
        metadata = orjson.dumps(normalize_metadata(raw_metadata)).decode()
        settings = self._settings
        reply = await self._write(
            "update",
            conversation,
            attempt,
            [conversation.activity_name, conversation.metadata_name],
            [metadata, settings.conversation_entries_max, settings.conversation_bytes_max],
        )
        *facts, is_sparse = reply
        return self._written(conversation, attempt, [*facts, metadata, is_sparse], later)

    async def delete_item(
        self, conversation: Conversation, attempt: Attempt, item_id: str, later: Later
    ) -> Written[ConversationInfo]:
        """Blank one item and return its conversation. Raises NotFound, VersionMoved, KeyReused."""
        reply = await self._write("delete_item", conversation, attempt, [conversation.activity_name], [item_id])
        return self._written(conversation, attempt, reply, later)

    def _written(
        self, conversation: Conversation, attempt: Attempt, reply: list[str], later: Later
    ) -> Written[ConversationInfo]:
        _, seed, generation, version, created_at, metadata, is_sparse = reply
        if is_sparse == "1":
            Compaction(self._store, self._settings).compact_later(conversation, later)
        info = ConversationInfo(conversation.id, int(created_at), metadata)
        return Written(info, etag(generation, version), is_replay=seed != attempt.seed)

    async def _write(
        self,
        script: str,
        conversation: Conversation,
        attempt: Attempt,
        index_keys: list[str],
        arguments: list[str | int],
    ) -> list[Any]:
        caller = conversation.caller
        names = [*conversation.names, *index_keys, *attempt.record_keys(caller.tenant)]
        common = [caller.key_hash, *attempt.arguments(self._settings.idempotency_s), now_us(), conversation.id]
        reply = await self._store.eval(script, names, [*common, *arguments], is_idempotent=True)
        if reply[0] != "ok":
            name = str(arguments[0]) if reply[0] == "unknown_item" else conversation.id
            raise_refusal(reply, name, self._settings)
        return reply

    async def delete(self, conversation: Conversation, attempt: Attempt) -> bool:
        """Remove a conversation and its items; return whether that had been done before, with the same key."""
        caller = conversation.caller
        record_s = self._settings.idempotency_s if attempt.has_key else DELETED_S
        reply = await self._store.eval(
            "delete",
            [
                *conversation.names,
                conversation.activity_name,
                conversation.metadata_name,
                attempt.record_key(caller.tenant),
            ],
            [caller.key_hash, *attempt.arguments(record_s), conversation.id, int(attempt.has_key)],
            is_idempotent=True,
        )
        if reply[0] != "ok":
            raise_refusal(reply, conversation.id, self._settings)
        return bool(reply[1] != attempt.seed)

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
