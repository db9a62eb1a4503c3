"""
The summary of a conversation as callers see it. Apart from summaries.py, which brings what only its making needs.

It comes with the conversation itself, and is answered from L1 as that is (needs.py).
"""

from typing import NamedTuple

import orjson

from shared.config import Settings
from shared.context.summarised import Summary
from shared.conversations.conversation import Conversation
from shared.conversations.history import History
from shared.conversations.needs import HeadNeed
from shared.conversations.provenance import Provenance, touch_when_due
from shared.request.after_response import Later
from shared.request.freshness import Freshness
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store

FIRST_LINE = "Summary of the conversation so far:\n"
"""What models read before the caller's text."""


class SummaryInfo(NamedTuple):
    """A summary; *tokens* is what contexts pay for it. *text* is the caller's, None for whoever just sent it."""

    conversation_id: str
    through: str
    tokens: int
    created_at_unix_s: int
    text: str | None = None

    def as_json(self) -> bytes:
        return orjson.dumps(
            {
                "object": "conversation.summary",
                "conversation_id": self.conversation_id,
                "through": self.through,
                "tokens": self.tokens,
                "created_at": self.created_at_unix_s,
                **({} if self.text is None else {"text": self.text}),
            }
        )


class SummaryReader:
    """Reads summaries."""

    def __init__(self, store: Store, history: History, settings: Settings) -> None:
        self._store = store
        self._history = history
        self._settings = settings

    async def read(
        self, conversation: Conversation, freshness: Freshness, later: Later
    ) -> tuple[SummaryInfo, Provenance]:
        """Return the summary that contexts show. Raises NotFound, NotCached, StoreUnavailable."""
        need = HeadNeed(self._history.whole_bytes_max)
        snapshot, provenance = await self._history.view(conversation, need, freshness)
        touch_when_due(self._store, conversation, provenance, later)
        if snapshot.summary is None:
            raise_refusal(["unknown_summary"], conversation.id, self._settings)
        return _info(conversation.id, snapshot.summary), provenance


def _info(conversation_id: str, summary: Summary) -> SummaryInfo:
    item = summary.item
    [part] = orjson.loads(item.body)["content"]
    text = part["text"].removeprefix(FIRST_LINE)
    tokens = item.overhead_tokens + item.content_tokens
    return SummaryInfo(conversation_id, summary.through_id, tokens, summary.created_at_unix_s, text)
