"""
Which documents are hot: uses, counted where they happen and halved with each day that goes by.

An instance counts in memory, and hands its counts over after a response, seldom: the first one at once, because many an
instance does not live for a second one. What it could not hand over for HELD_S it drops, so that nothing comes back of
a document that was forgotten meanwhile (shared/erasing/documents.py).
"""

import time
from collections import Counter
from collections.abc import Callable

from shared.items.document_paths import Place, read_object_path
from shared.request.after_response import Later
from shared.store import keys
from shared.store.upstash import Store

HALF_LIFE_S = 86_400.0
FLUSH_S = 10.0
HELD_S = 15.0
NAMES_MAX = 500
"""Counted between two flushes; further documents are not. Of a script, too: Lua unpacks fewer than 8,000."""

HOT_MAX = 10_000


class Heat:
    """The uses that one instance saw."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._uses: Counter[str] = Counter()
        self._since_unix_s = 0.0
        """When the first of them was counted."""
        self._flushed_at_unix_s = 0.0

    def note(self, place: Place, later: Later) -> None:
        """Count a use of the document at *place*."""
        if self._uses and abs(self._clock() - self._since_unix_s) > HELD_S:
            self._uses.clear()
        if not self._uses:
            self._since_unix_s = self._clock()
        if len(self._uses) < NAMES_MAX or place.object_path in self._uses:
            self._uses[place.object_path] += 1
        if abs(self._clock() - self._flushed_at_unix_s) >= FLUSH_S:
            self._flushed_at_unix_s = self._clock()
            later.offer(self.flush, "handing over uses of documents")

    async def flush(self) -> None:
        """Hand the counts over. Raises StoreUnavailable: they are lost, and it is no matter."""
        uses, self._uses = self._uses, Counter()
        if uses:
            arguments: list[str | int] = [repr(self._clock() / HALF_LIFE_S), HOT_MAX]
            for name, count in uses.items():
                arguments += [name, count]
            await self._store.eval("heat", [keys.HOT_KEY], arguments)

    async def hottest(self, count: int) -> list[Place]:
        """Return the documents with the highest decayed counts, hottest first. Raises StoreUnavailable."""
        if count == 0:
            return []
        names = await self._store.command("ZREVRANGE", keys.HOT_KEY, 0, count - 1, is_idempotent=True)
        return [read_object_path(name, "name") for name in names]
