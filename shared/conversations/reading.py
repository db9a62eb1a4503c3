"""
What callers read of conversations, contexts apart: each answer says which version it is of, and where it came from.

Each is cut from what L1 holds, after asking for its news where the caller wants that (history.py, needs.py).
"""

from shared.config import Settings
from shared.conversations.conversation import Conversation
from shared.conversations.history import History
from shared.conversations.info import ConversationInfo, ItemInfo, Page, Size
from shared.conversations.needs import HeadNeed, ItemNeed, PageNeed
from shared.conversations.provenance import Provenance, touch_when_due
from shared.conversations.snapshot import Snapshot
from shared.request.after_response import Later
from shared.request.freshness import Freshness
from shared.store.upstash import Store


class Reader:
    """Reads conversations, items and pages of items."""

    def __init__(self, store: Store, history: History, settings: Settings) -> None:
        self._store = store
        self._history = history
        self._reply_bytes_max = settings.store_reply_bytes_max

    async def head(self, conversation: Conversation, freshness: Freshness, later: Later) -> tuple[Snapshot, Provenance]:
        """Return what has at least the header and the summary. Raises NotFound, NotCached, StoreUnavailable."""
        need = HeadNeed(self._history.whole_bytes_max)
        snapshot, provenance = await self._history.view(conversation, need, freshness)
        touch_when_due(self._store, conversation, provenance, later)
        return snapshot, provenance

    async def retrieve(
        self, conversation: Conversation, freshness: Freshness, later: Later
    ) -> tuple[ConversationInfo, Provenance]:
        """Return a conversation. Raises as `head`."""
        snapshot, provenance = await self.head(conversation, freshness, later)
        header = snapshot.header
        tokens, forked_from = header.written_tokens - header.deleted_tokens, header.forked_from or None
        size = Size(header.live_items, tokens, header.bytes, header.version, forked_from)
        life = header.used_at_unix_s, header.expiry_s
        info = ConversationInfo(conversation.id, header.created_at_unix_s, header.metadata, *life, size, header.owners)
        return info, provenance

    async def items(
        self,
        conversation: Conversation,
        after: str,
        limit: int,
        order: str,
        freshness: Freshness,
        later: Later,
    ) -> tuple[Page, Provenance]:
        """Return one page of items; it also ends where the next one would make the answer too large."""
        need = PageNeed(
            after, limit, order, self._reply_bytes_max, self._history.whole_bytes_max, self._history.tail_bytes_max
        )
        page, provenance = await self._history.view(conversation, need, freshness)
        touch_when_due(self._store, conversation, provenance, later)
        return page, provenance

    async def item(self, conversation: Conversation, item_id: str, freshness: Freshness) -> tuple[ItemInfo, Provenance]:
        """Return one item."""
        return await self._history.view(conversation, ItemNeed(item_id, self._history.whole_bytes_max), freshness)
