"""
Compaction: what was deleted, and metadata that was replaced, leaves a conversation's log. One script, one request.

    deleting, updating -> the script says that more than half of the log is such -> compaction, after the response
    cron -> conversations where that did not happen (sweep.py) -> compaction

Items, their tokens and the version stay what they are; the history is another one, so every instance that holds the
old one reads anew. It takes time that grows with the conversation, and happens once per as many deletions as it has
items.
"""

import secrets
import time
from functools import partial
from typing import NamedTuple

from shared.config import Settings
from shared.conversations.conversation import Conversation
from shared.conversations.info import ConversationInfo, split_owners
from shared.request.after_response import Later
from shared.store import keys
from shared.store.attempts import Written, etag
from shared.store.indexes import Names, Spread, rows_name
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store


class Compacted(NamedTuple):
    """What was *written*, and whether items lack their terms of recall."""

    written: Written[ConversationInfo]
    lacks_terms: bool


def compaction(
    conversation: Conversation, settings: Settings, *, is_forced: bool
) -> tuple[list[str | Names], list[str | int | Spread]]:
    """Return the names and the arguments of compact.lua and sweep_compact.lua."""
    caller, (tenant, conversation_id) = conversation.caller, conversation.place
    names: list[str | Names] = [*conversation.names, keys.built_key(tenant), rows_name(tenant, conversation_id)]
    times = int(time.time()), settings.idempotency_s
    generation = secrets.token_hex(8)
    return names, [caller.key_hash, generation, int(is_forced), *times, conversation_id, Spread(tenant)]


class Compaction:
    """The use case that takes out what no reader needs."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def compact(self, conversation: Conversation, *, is_forced: bool) -> Compacted:
        """
        Take out of a conversation what is no item, if it is more than half of it or *is_forced*; return it.

        May be done twice: the second time there is nothing to take out, which is a replay. Raises NotFound.
        """
        names, arguments = compaction(conversation, self._settings, is_forced=is_forced)
        reply = await self._store.eval("compact", names, arguments, is_idempotent=True)
        if reply[0] != "ok":
            raise_refusal(reply, conversation.id, self._settings)
        (_, generation, version, chain, created_at, metadata, count, lacks_terms, told), owners = split_owners(reply)
        info = ConversationInfo.told(conversation.id, created_at, metadata, version, told, owners)
        tag = etag(generation, version, chain, info.used_at_unix_s)
        return Compacted(Written(info, tag, is_replay=count == "0"), lacks_terms == "1")

    def compact_later(self, conversation: Conversation, later: Later) -> None:
        """Do it after the response, when it is still worth its while then."""
        later.add(partial(self.compact, conversation, is_forced=False), "compaction", *conversation.place)
