"""
Summaries: a caller's text in the place of the items up to one of them. One script, one request.

    check -> note (a user message) -> count, off the loop -> script

A summary is an entry of the log, and a conversation has one, the newest: what it replaces leaves the store in the same
step. Contexts show its note and leave out the items it stands for, which stay readable as items. The note is pinned: it
takes part in the limit on pinned tokens.

An item may end a summary when nothing that belongs together is torn by it. What the script decides that from is kinds,
names and pairs, which the entries carry:

- what follows is not part of the same response;
- no output that follows answers a call up to there;
- at the end of the conversation, no call of the newest turn still waits for its output.

The last is stricter than contexts are, which send such a call: its output is likely to come. An output that comes later
all the same is an orphan, left out of contexts and listed there.
"""

from typing import Any

import orjson

from shared.config import Settings
from shared.conversations.compaction import Compaction
from shared.conversations.conversation import Conversation
from shared.conversations.entries import write_summary
from shared.conversations.summary_reading import FIRST_LINE, SummaryInfo
from shared.errors import InvalidValue, NotFound, ServiceError, TextNotCountable, TooLarge
from shared.items.counts import PRIMARY_ENCODING, count_items
from shared.items.normalize import normalize_items
from shared.items.traits import describe
from shared.request.after_response import Later
from shared.store.attempts import Attempt, Written, etag
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store
from shared.tokens.counter import Counter

TORN = {
    "response": "is followed by more of the same response",
    "output": "comes before the output of a call up to there",
    "open": "ends a turn with a call that has no output yet",
}


class Summaries:
    """The use case that appends summaries."""

    def __init__(self, store: Store, counter: Counter, settings: Settings) -> None:
        self._store = store
        self._counter = counter
        self._settings = settings

    async def summarise(
        self, conversation: Conversation, attempt: Attempt, through: str, text: str, later: Later
    ) -> Written[SummaryInfo]:
        """
        Let *text* stand for the items up to and including *through*. The text of the summary before it is gone.

        Raises:   InvalidValue, TextNotCountable, NotFound: `param` says which of the two is wrong; TooLarge,
                  VersionMoved, KeyReused, Unauthorized: nothing was stored.
        """
        raw = [{"role": "user", "content": FIRST_LINE + text}]
        [note] = normalize_items(raw, attempt.ids())
        traits = describe(note.item)
        try:
            [counts] = await count_items(self._counter, PRIMARY_ENCODING, [traits])
        except TextNotCountable as error:
            raise error.at("text") from None
        tokens = counts.overhead_tokens + counts.content_tokens
        facts = write_summary(note.id, through, traits, counts)
        settings, caller, spender = self._settings, conversation.caller, conversation.spender
        reply = await self._store.eval(
            "summary",
            [
                *conversation.names,
                conversation.index_names,
                *attempt.record_keys(caller.tenant),
                spender.books,
            ],
            [
                *conversation.arguments(attempt, settings.idempotency_s),
                settings.conversation_entries_max,
                settings.conversation_bytes_max,
                settings.tenant_bytes_max,
                settings.pinned_tokens_max,
                *(through, tokens, facts, orjson.dumps(note.item).decode()),
                spender,
            ],
            is_idempotent=True,
        )
        if reply[0] != "ok":
            raise _refusal(reply, through, settings) or raise_refusal(reply, conversation.id, settings)
        _, seed, generation, version, chain, now_s, is_sparse, *_ = reply
        if is_sparse == "1":
            Compaction(self._store, settings).compact_later(conversation, later)
        info = SummaryInfo(conversation.id, through, tokens, int(now_s))
        return Written(info, etag(generation, version, chain), is_replay=seed != attempt.seed)


def _refusal(reply: list[Any], through: str, settings: Settings) -> ServiceError | None:
    """Return the error for what only this script refuses, or refuses because of a field of its own."""
    match reply[0]:
        case "through":
            return NotFound(f"There is no item {through!r} in this conversation.", param="through")
        case "deleted":
            return InvalidValue(f"through must be an item that is not deleted, not {through!r}.", param="through")
        case "older":
            return InvalidValue(
                f"through must be at or behind the item that the newest summary ends with, not {through!r}.",
                param="through",
            )
        case "torn":
            return InvalidValue(
                f"through must be where nothing is torn; the item {through!r} {TORN[reply[1]]}.",
                param="through",
                code="unit_torn",
            )
        case "pinned":
            return InvalidValue(
                f"System messages and summary would take {reply[1]} tokens of every context; "
                f"the limit is {settings.pinned_tokens_max}.",
                param="text",
                code="pinned_tokens_exceeded",
                limit_tokens=settings.pinned_tokens_max,
            )
        case "bytes":
            limit = settings.conversation_bytes_max
            return TooLarge(f"The conversation would exceed {limit} bytes.", param="text", limit_bytes=limit)
        case _:
            return None
