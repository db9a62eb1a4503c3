"""
Documents: what tenants have in the object store, through the tiers.

    path -> place (shared/items/document_paths.py) -> L1 -> single flight -> L2 -> lease -> source

What tenants write of them is in writing.py.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import cached_property, partial
from typing import TYPE_CHECKING

from shared.cache.l1 import L1
from shared.cache.tiered import Found, Limits, LoadError, Mark, Origin, TieredCache, Unmodified
from shared.config import Settings
from shared.documents.document import Document, read_document
from shared.documents.embedded import count_document
from shared.documents.heat import Heat
from shared.documents.shelf import Shelf
from shared.documents.source import NO_STORE, Loaded, Missing, NotModified, ObjectMoved, Source, SourceDown
from shared.errors import NotFound, SourceUnavailable, StoreUnavailable
from shared.items.document_paths import Place, place_for
from shared.request.after_response import Later
from shared.request.caller import Caller
from shared.request.invocation import invalid_key, was_confirmed
from shared.request.tracing import Kind, part
from shared.store import keys
from shared.store.upstash import Store
from shared.tokens.counter import Counter

if TYPE_CHECKING:
    from shared.documents.writing import Writer

Answer = Found[Document]

TIERS = {Origin.L1: "L1", Origin.L2: "L2", Origin.SOURCE: "source", Origin.STALE: "STALE"}
NO_TIER = "none"
"""What answered nothing: the source is away, and no copy will do."""


class Documents:
    """The documents of one instance."""

    def __init__(self, store: Store, counter: Counter, settings: Settings) -> None:
        self.source = Source(settings)
        self.shelf = Shelf(store, settings)
        self.heat = Heat(store)
        self.answers = dict.fromkeys((*TIERS.values(), NO_TIER), 0)
        """What was asked for since the start, in contexts too, by what answered."""
        self.loads = dict.fromkeys(("loaded", "unmodified", "missing", "failed"), 0)
        """What the source was asked for, by what it said."""
        self._store = store
        self._counter = counter
        self._settings = settings
        self.l1: L1[Document] = L1(settings.document_l1_bytes_max)
        store.erasures.listen(self.l1.forget_of)
        limits = Limits(settings.document_fresh_s, settings.document_missing_s, settings.document_stale_s)
        self.tiers: TieredCache[Place, Document] = TieredCache(self.l1, self.shelf, self._load, limits)

    @cached_property
    def writer(self) -> "Writer":
        """What writes them, which few instances are asked to do."""
        from shared.documents.writing import Writer

        return Writer(self._store, self.source, self.shelf, self.l1, self._settings)

    async def close(self) -> None:
        """Close what was opened to write."""
        if "writer" in vars(self):
            await self.writer.close()

    async def read(self, caller: Caller, path: str, later: Later) -> Answer:
        """
        Return the document at *path* as *caller* names it, which exists.

        Raises:   Unauthorized; NotFound; SourceUnavailable: the object store is away, and no copy will do.
        """
        try:
            found = await self._read(caller, path, later)
        except SourceUnavailable as error:
            self.answers[NO_TIER] += 1
            if self.source.is_there:
                raise
            raise SourceUnavailable(NO_STORE, retry_after_s=error.retry_after_s) from error
        if found.value is None:
            raise NotFound(f"There is no document {path[:64]!r}.", param="path")
        return found

    async def _read(self, caller: Caller, path: str, later: Later) -> Answer:
        place = place_for(caller.tenant, path)
        try:
            # Both travel in one request.
            (reply, (mark, sent)) = await asyncio.gather(
                self._store.eval("key", [keys.tenant_key(caller.tenant)], [caller.key_hash]),
                self.shelf.read(place, self.tiers.held_etag(place)),
            )
        except StoreUnavailable:
            if not was_confirmed():
                raise
            found = await self.tiers.get_without_l2(place)
        else:
            if reply[0] != "ok":
                raise invalid_key()
            found = self.tiers.learn(place, mark, sent) or await self.tiers.get(place, mark)
        return self._answered(place, found, later)

    async def resolve(self, place: Place, mark: Mark | None, later: Later) -> Answer:
        """Return the document of *place*, whose mark came with the conversation. Raises SourceUnavailable."""
        try:
            found = await self.tiers.get(place, mark)
        except SourceUnavailable:
            self.answers[NO_TIER] += 1
            raise
        return self._answered(place, found, later)

    def held(self, place: Place, mark: Mark | None) -> Answer | None:
        """Return the same without asking anybody, None where that cannot be said from memory."""
        found = self.tiers.held(place, mark)
        if found is not None:
            self.answers[TIERS[found.origin]] += 1
        return found

    def _answered(self, place: Place, found: Answer, later: Later) -> Answer:
        """Return *found*, counted, and what is due for it added to *later*."""
        self.answers[TIERS[found.origin]] += 1
        self.refresh_when_due(place, found, later)
        if found.value is not None:
            self.heat.note(place, later)
        return found

    async def count(self, place: Place, path: str, found: Answer, encoding: str, later: Later) -> int:
        """Return the tokens of a document as a context shows it; the count is kept with it after the response."""
        document = found.value
        assert document is not None
        is_new = encoding not in document.counts
        tokens = await self.count_new(path, document, encoding)
        if is_new and found.mark is not None:
            keep = partial(self.shelf.keep_count, place, document, encoding)
            later.offer(keep, "keeping the count of a document", place.object_path)
        return tokens

    async def count_new(self, path: str, document: Document, encoding: str) -> int:
        """Return the same of one that is not kept yet. Raises TextNotCountable."""
        return await count_document(self._counter, encoding, path, document)

    async def rest(self, place: Place, document: Document) -> AsyncIterator[bytes]:
        """Yield what a document has behind the part that is held. Raises SourceUnavailable."""
        try:
            async for piece in self.source.slices(
                place.object_path, document.etag, document.held_bytes, document.total_bytes
            ):
                yield piece
        except (SourceDown, ObjectMoved) as error:
            raise SourceUnavailable("The object store did not send the rest of the document.") from error

    def refresh_when_due(self, place: Place, found: Answer, later: Later) -> None:
        if found.is_due and found.mark is not None:
            refresh = partial(self.tiers.refresh, place, found.mark)
            later.offer(refresh, "refreshing a document", place.object_path)

    async def _load(self, key: Place, held_etag: str) -> Document | Unmodified | None:
        try:
            with part("load document", Kind.CLIENT):
                loaded = await self.source.load(key.object_path, held_etag)
        except SourceDown as error:
            self.loads["failed"] += 1
            raise LoadError from error
        match loaded:
            case NotModified():
                self.loads["unmodified"] += 1
                return Unmodified()
            case Missing():
                self.loads["missing"] += 1
                return None
            case Loaded():
                self.loads["loaded"] += 1
                return read_document(loaded)
