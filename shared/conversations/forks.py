"""
Forks: a conversation up to one of its items, as a new one that goes its own way. One script, one request.

The copy is made inside the store, so a fork costs the caller nothing that grows with the conversation. It lives as long
as the conversation would, from now on; what either of them does later is nothing to the other.
"""

import secrets

from shared.config import Settings
from shared.conversations.conversation import Conversation
from shared.conversations.info import ConversationInfo, split_owners
from shared.conversations.kept_counts import BLOCK_ENTRIES, COUNTED_ENCODINGS
from shared.conversations.provenance import Provenance, touch_when_due
from shared.items.normalize import write_metadata
from shared.request.after_response import Later
from shared.store import keys
from shared.store.attempts import Attempt, Ids, Written, etag, send_as_first
from shared.store.members import sets_of_fork
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store


class Forks:
    """The use case that copies conversations."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def fork(
        self,
        conversation: Conversation,
        attempt: Attempt,
        after: str,
        raw_metadata: object,
        agent: str | None,
        later: Later,
    ) -> Written[ConversationInfo]:
        """
        Return a new conversation that holds everything up to and including the item *after*, all there is for "".

        Without *raw_metadata* it gets the conversation's own, and its agent where *agent* is None, "" for none. Its
        user is the conversation's: what is of a user has to be found by the user. An item that was deleted marks its place as well.
        Raises NotFound: `param` is `after` when it is that.
        """
        caller, settings = conversation.caller, self._settings
        metadata = "" if raw_metadata is None else write_metadata(raw_metadata, settings.metadata_bytes_max)

        async def send(one: Attempt) -> list[str]:
            fork = Conversation(caller, one.ids()("conv"))
            reply = await self._store.eval(
                "fork",
                [
                    *conversation.names,
                    fork.index_names,
                    fork.names[1],
                    keys.built_key(caller.tenant),
                    sets_of_fork(*conversation.place, agent),
                    *((*one.record_keys(caller.tenant), fork.left_name) if one.has_key else ()),
                ],
                [
                    *fork.arguments(one, settings.idempotency_s),
                    *(after, metadata, secrets.token_hex(8), settings.tenant_bytes_max, BLOCK_ENTRIES),
                    *(conversation.id, conversation.whose, int(agent is not None), agent or ""),
                    *COUNTED_ENCODINGS,
                ],
                is_idempotent=True,
            )
            if reply[0] not in ("ok", "again"):
                raise_refusal(reply, after if reply[0] == "after" else conversation.id, settings)
            return reply

        facts, owners = split_owners(await send_as_first(attempt, send))
        _, seed, generation, version, chain, created_at, metadata, expiry_s, used_at, *more = facts
        provenance = Provenance("", 0, int(expiry_s), int(used_at))
        touch_when_due(self._store, conversation, provenance, later)
        told = more[0] if more else ""  # An older release kept replies that do not say it.
        info = ConversationInfo.told(Ids(seed)("conv"), created_at, metadata, version, told, owners)
        self._store.learn_owners(caller.tenant, info.id, owners)
        return Written(info, etag(generation, version, chain, info.used_at_unix_s), is_replay=seed != attempt.seed)
