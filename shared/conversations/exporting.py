"""
Exports: all that reads show of a conversation, page by page, of one state.

    page -> one script -> entries of the state that the first page was of -> lines (export_lines.py)

A page's cursor says everything, so any instance goes on. What is appended meanwhile is left out. Where an item was
deleted meanwhile that no page held yet, or the log was compacted, the state cannot be shown any more: ExportMoved. An
export is no use of the conversation: its expiry stays what it is.
"""

from typing import Any

import orjson

from shared.config import Settings
from shared.conversations.conversation import Conversation
from shared.conversations.export_cursor import Cursor
from shared.conversations.export_lines import (
    LINE,
    LINES_MAX,
    PAGE_BYTES_MAX,
    entry_line,
    hash_of,
    head_line,
    is_gone,
    is_item,
)
from shared.errors import ExportMoved
from shared.jsonbytes.write import Pieces
from shared.process.pool import Pool
from shared.request.owners import Owners
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store

BESIDE_BYTES = 64 * 1024
"""What lines are longer than entries, and how a page begins and ends."""

ENTRIES_BYTES_MAX = PAGE_BYTES_MAX - BESIDE_BYTES
"""Of entries as they are stored, whose lines are about as long; behind one that is larger there is no other."""

PART_BYTES_MIN = 64 * 1024

LARGE_BYTES = 64 * 1024
"""More than this takes over a millisecond to write, and goes to a thread."""


class Exporting:
    """The use case that reads all of a conversation."""

    def __init__(self, store: Store, pool: Pool, settings: Settings) -> None:
        self._store = store
        self._pool = pool
        self._settings = settings

    async def page(self, conversation: Conversation, cursor: Cursor) -> Pieces:
        """Return the lines of a page. Raises NotFound, ExportMoved."""
        reply = await self._store.eval(
            "export",
            conversation.names,
            [
                conversation.caller.key_hash,
                *cursor[:6],
                self._bytes_max(),
                LINES_MAX,
            ],
            reply_bytes_max=max(self._settings.store_reply_bytes_max, self._settings.item_bytes_max),
        )
        if reply[0] == "moved":
            raise ExportMoved(
                "The conversation was compacted, or an item of the export was deleted before its page; begin anew.",
                param="cursor",
            )
        if reply[0] != "ok":
            raise_refusal(reply, conversation.id, self._settings)
        is_large = sum(map(len, reply[5])) > LARGE_BYTES
        return await self._pool.run_when(is_large, _write, conversation.id, cursor, reply)

    def _bytes_max(self) -> int:
        """Return how much a page may hold: what an import takes as a body, too."""
        settings = self._settings
        return max(
            PART_BYTES_MIN,
            min(ENTRIES_BYTES_MAX, settings.store_reply_bytes_max, settings.body_bytes_max - BESIDE_BYTES),
        )


def _write(conversation_id: str, cursor: Cursor, reply: list[Any]) -> Pieces:
    _, state, sums, place, sent, entries = reply
    generation, version, chain, created_at, metadata, expiry_s, forked_from, summary, written_tokens, *owners = state
    if cursor.page == 1:
        results, saved, asked_items, asked_terms, oldest = sums
        cursor = cursor._replace(results=int(results), saved=int(saved), recalled_from=oldest)
        cursor = cursor._replace(asked_items=asked_items, asked_terms=asked_terms)
        head = head_line(
            {
                "type": "conversation",
                "id": conversation_id,
                "created_at": int(created_at),
                "metadata": orjson.Fragment(metadata),
                **{name: each or None for name, each in zip(Owners._fields, owners, strict=True)},
                "expires_after_s": int(expiry_s) or None,
                "forked_from": forked_from or None,
                "version": int(version),
            }
        )
    else:
        head = head_line({"type": "page", "id": conversation_id, "page": cursor.page, "behind": cursor.before})
    lines = [head, *map(entry_line, entries)]
    items, gone = cursor.items + sum(map(is_item, lines)), cursor.gone + sum(map(is_gone, lines))
    digest = hash_of(cursor.before, lines)
    told: dict[str, Any] = {}
    if place:
        state_of = generation, int(version), chain, summary
        counts = int(place), int(sent), cursor.page + 1, items, gone, cursor.results, cursor.saved
        further = Cursor(*state_of, *counts, cursor.asked_items, cursor.asked_terms, cursor.recalled_from, digest)
        told = {"type": "more", "cursor": str(further), "sha256": digest}
    else:
        asked = (cursor.asked_items, cursor.asked_terms)
        told = {
            "type": "end",
            "items": items,
            "gone": gone,
            "written_tokens": int(written_tokens),
            "results": cursor.results,
            "saved_tokens": cursor.saved,
            "asked": dict(zip(("items", "terms"), map(int, asked), strict=True)) if all(asked) else None,
            "recalled_from": cursor.recalled_from or None,
            "sha256": digest,
        }
    return [*lines, orjson.dumps(told) + LINE]
