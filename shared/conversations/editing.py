"""
What callers change in conversations that exist. Each operation is one script: one request, atomic, done once
(shared/store/attempts.py).

    update, delete, delete_item, delete_summary    script -> the conversation as it is then

Creating and appending are in append.py, reading in reading.py and contexts.py, lists in listing.py.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from shared.config import Settings
from shared.conversations.compaction import Compaction
from shared.conversations.conversation import Conversation
from shared.conversations.info import ConversationInfo, split_owners
from shared.errors import StoreFull
from shared.items.normalize import write_metadata
from shared.request.after_response import Later
from shared.request.owners import NOBODY, Owners
from shared.store.attempts import Attempt, Written, etag
from shared.store.indexes import Names, Spread, every_place
from shared.store.members import changing_sets, own_sets, set_names
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store

LEFT_S = 86_400
"""For so long a list may go on behind a conversation that was deleted."""


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
        user: str | None,
        agent: str | None,
        later: Later,
    ) -> Written[ConversationInfo]:
        """
        Replace the metadata of a conversation, or change how long after its last use it expires, 0 for never, or whose
        it is, "" for nobody, or any of these at once; None leaves what there is. Raises NotFound, VersionMoved,
        KeyReused.
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
                *(int(attempt.has_key), conversation.whose),
                *(part for each in (user, agent) for part in (int(each is not None), each or "")),
            ],
            [changing_sets(*conversation.place, user, agent)],
        )
        (_, seed, generation, version, chain, created_at, is_sparse, *more), is_now = split_owners(reply)
        facts = [seed, generation, version, chain, created_at, metadata or more[0], is_sparse]
        # What came again is answered as it was: what it changed is in the request.
        owners = Owners(*(new if each is None else each for each, new in zip((user, agent), is_now, strict=True)))
        if user is not None or agent is not None:
            self._store.learn_owners(*conversation.place, owners)
        return self._written(conversation, attempt, facts, later, owners, *more[1:2])

    async def delete_item(
        self, conversation: Conversation, attempt: Attempt, item_id: str, later: Later
    ) -> DeletedItem:
        """Blank one item and return its conversation. Raises NotFound, VersionMoved, KeyReused."""
        (_, *facts), owners = split_owners(await self._write("delete_item", conversation, attempt, [item_id]))
        written = self._written(conversation, attempt, facts, later, owners, *facts[8:9])
        return DeletedItem(written, facts[7] == "1")

    async def delete_summary(
        self, conversation: Conversation, attempt: Attempt, later: Later
    ) -> Written[ConversationInfo]:
        """Blank the summary and return its conversation. Raises NotFound, VersionMoved, KeyReused."""
        (_, *facts), owners = split_owners(await self._write("delete_summary", conversation, attempt, []))
        return self._written(conversation, attempt, facts, later, owners, *facts[7:8])

    def _written(
        self,
        conversation: Conversation,
        attempt: Attempt,
        facts: list[str],
        later: Later,
        owners: Owners,
        told: str = "",
    ) -> Written[ConversationInfo]:
        """
        Return what *facts* say, which may be a reply that a newer release kept: what it has behind them is left. What
        is *told* of the conversation one that an older release kept does not have.
        """
        seed, generation, version, chain, created_at, metadata, is_sparse, *_ = facts
        if is_sparse == "1":
            Compaction(self._store, self._settings).compact_later(conversation, later)
        info = ConversationInfo.told(conversation.id, created_at, metadata, version, told, owners)
        return Written(info, etag(generation, version, chain, info.used_at_unix_s), is_replay=seed != attempt.seed)

    async def _write(
        self,
        script: str,
        conversation: Conversation,
        attempt: Attempt,
        arguments: list[str | int | Spread],
        more_names: Sequence[Names] = (),
    ) -> list[Any]:
        names: list[str | Names] = [
            *conversation.names,
            conversation.index_names,
            *attempt.record_keys(conversation.caller.tenant),
            *more_names,
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
            own_sets(*conversation.place),
            every_place(caller.tenant, conversation.id),
            *attempt.record_keys(caller.tenant),
        ]
        arguments: list[str | int | Spread] = [
            caller.key_hash,
            *attempt.arguments(settings.idempotency_s),
            *(conversation.id, Spread(caller.tenant), int(attempt.has_key)),
            *(max(LEFT_S, settings.idempotency_s), conversation.whose),
        ]
        try:
            reply = await self._store.eval("delete", names, arguments, is_idempotent=True)
        except StoreFull as error:
            return await self._delete_from_full(
                conversation, attempt, has_begun=bool(error.extensions.get("outcome_unknown"))
            )
        if reply[0] != "ok":
            raise_refusal(reply, conversation.id, settings)
        self._store.learn_owners(*conversation.place, NOBODY)
        return bool(reply[1] != attempt.seed)

    async def _delete_from_full(self, conversation: Conversation, attempt: Attempt, *, has_begun: bool) -> bool:
        """
        Remove a conversation from a store that takes no script that may write: what only frees memory, it takes.

        The key is confirmed first, and the version; another writer may come between that and the removal. A removal
        is known when it comes again by what the script noted of it, before the store was full or where it *has_begun*;
        of this one nothing can be noted, and its repetition is a NotFound.
        """
        caller, store = conversation.caller, self._store
        at = every_place(caller.tenant, conversation.id)
        spread = Spread(caller.tenant)
        arguments: list[str | int | Spread] = [caller.key_hash, attempt.expected, spread, conversation.id]
        reply = await store.eval("expected", [*conversation.names, at], arguments)
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
        for name in set_names(caller.tenant, Owners(*reply[1:])):
            await store.command("ZREM", name, conversation.id, is_idempotent=True)
        places = store.names([at])
        for activity, rows in zip(places[::2], places[1::2], strict=True):
            await store.command("HDEL", rows, conversation.id, is_idempotent=True)
            await store.command("ZREM", activity, conversation.id, is_idempotent=True)
        if reply[0] == "unknown" and not was_noted:
            raise_refusal(reply, conversation.id, self._settings)
        return reply[0] == "unknown" and not has_begun
