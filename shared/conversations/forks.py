"""
Forks: a conversation up to one of its items, as a new one that goes its own way. One script, one request.

The copy is made inside the store, so a fork costs the caller nothing that grows with the conversation. It lives as long
as the conversation would, from now on; what either of them does later is nothing to the other.
"""

import secrets

import orjson

from shared.config import Settings
from shared.conversations.conversation import Conversation
from shared.conversations.info import ConversationInfo, now_us
from shared.conversations.kept_counts import BLOCK_ENTRIES, COUNTED_ENCODINGS
from shared.conversations.provenance import Provenance, touch_when_due
from shared.items.normalize import normalize_metadata
from shared.request.after_response import Later
from shared.store.attempts import Attempt, Ids, Written, etag
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store


class Forks:
    """The use case that copies conversations."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def fork(
        self, conversation: Conversation, attempt: Attempt, after: str, raw_metadata: object, later: Later
    ) -> Written[ConversationInfo]:
        """
        Return a new conversation that holds everything up to and including the item *after*, all there is for "".

        Without *raw_metadata* it gets the conversation's own. An item that was deleted marks its place as well.
        Raises NotFound: `param` is `after` when it is that.
        """
        caller = conversation.caller
        fork = Conversation(caller, attempt.ids()("conv"))
        metadata = "" if raw_metadata is None else orjson.dumps(normalize_metadata(raw_metadata)).decode()
        reply = await self._store.eval(
            "fork",
            [
                *conversation.names,
                fork.names[1],
                fork.activity_name,
                fork.metadata_name,
                *attempt.record_keys(caller.tenant),
            ],
            [
                caller.key_hash,
                *attempt.arguments(self._settings.idempotency_s),
                *(now_us(), fork.id, after, metadata, secrets.token_hex(8)),
                BLOCK_ENTRIES,
                *COUNTED_ENCODINGS,
            ],
            is_idempotent=True,
        )
        if reply[0] != "ok":
            raise_refusal(reply, after if reply[0] == "after" else conversation.id, self._settings)
        _, seed, generation, version, created_at, metadata, expiry_s, used_at = reply
        provenance = Provenance("", 0, int(expiry_s), int(used_at))
        touch_when_due(self._store, conversation, provenance, later)
        info = ConversationInfo(Ids(seed)("conv"), int(created_at), metadata)
        return Written(info, etag(generation, version), is_replay=seed != attempt.seed)
