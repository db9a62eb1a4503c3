"""
Contexts: everything that matters of a conversation, in at most N tokens.

    read what is new, or the tail that the budget can hold -> compose -> keep what the next one can be made of

Choosing and rendering is one function of what is held and what is wanted (composed.py). No count is made here when the
encoding is the primary one. Documents come in between two choices: see context_documents.py.
"""

from functools import partial
from typing import NamedTuple

from shared.context.recalled import Unrecalled
from shared.context.wanted import ContextRequest
from shared.conversations.composed import (
    LARGE_BYTES,
    LARGE_ITEMS,
    Chosen,
    Composed,
    Shallow,
    choose_embedded,
    compose,
    is_large,
    is_whole_large,
    second_encoding,
    that_matter,
    write,
)
from shared.conversations.context_documents import Embedding, digest_of
from shared.conversations.conversation import Conversation
from shared.conversations.folds import tail_tokens
from shared.conversations.held import Reading
from shared.conversations.history import History, Within
from shared.conversations.kept_counts import Uncounted, count_anew, write_kept_counts
from shared.conversations.needs import Need
from shared.conversations.provenance import Provenance, touch_when_due
from shared.conversations.window import ask_of, has_answer, make_note
from shared.documents.documents import Documents
from shared.errors import NotCached
from shared.jsonbytes.write import Pieces
from shared.process.pool import Pool
from shared.request.after_response import Later
from shared.request.freshness import Freshness, Tier
from shared.request.tracing import RECORDS, note, part
from shared.store.upstash import Store
from shared.tokens.counter import Counter


class Context(NamedTuple):
    """An answer: *body* is None where the caller has it already, by its tag."""

    body: Pieces | None
    etag: str
    provenance: Provenance
    tokens: int = 0


class Contexts:
    """Reads conversations and answers with the part of them that fits."""

    def __init__(self, store: Store, counter: Counter, history: History, documents: Documents, pool: Pool) -> None:
        self._pool = pool
        self._store = store
        self._counter = counter
        self._history = history
        self._documents = documents

    async def context(
        self,
        conversation: Conversation,
        wanted: ContextRequest,
        freshness: Freshness,
        known_etags: frozenset[str],
        later: Later,
        within: Within | None = None,
    ) -> Context:
        """
        Return the JSON of a `conversation.context`: promises (a) to (g) of docs/contexts.md. What a script *within*
        did when it read stays done, also where there is no context of it.

        Raises:   ContextDoesNotFit, and as History.read.
        """
        encoding = second_encoding(wanted)
        tokens = None if wanted.explain else tail_tokens(wanted.available_tokens, encoding)
        ask = ask_of(wanted)
        need = Need(tokens, encoding, wanted.short_results and tokens is not None, ask)
        reading = await self._history.read(conversation, need, freshness, within)
        if ask is not None and reading.tier in (Tier.L0, Tier.STALE) and not has_answer(reading.held, ask):
            if freshness.is_only_if_cached:
                raise NotCached("This instance has no copy that is fresh enough.")
            reading = await self._history.read(conversation, need, Freshness())
        provenance = reading.provenance
        touch_when_due(self._store, conversation, provenance, later)
        etag = provenance.etag_with(wanted.digest)
        if etag in known_etags and not reading.held.marks:
            return Context(None, etag, provenance)
        composed = await self._compose(conversation, reading, wanted, later)
        if composed is None:
            reading = await self._history.read(conversation, Need(None, encoding, ask=ask), freshness)
            provenance = reading.provenance
            composed = await self._compose(conversation, reading, wanted, later)
            assert composed is not None
        chosen, body, forms = composed.chosen, composed.body, composed.forms
        if body is None:
            embedding = Embedding(self._documents, self._counter, conversation.caller, wanted, later)
            chosen = await self._embed(embedding, reading, wanted, composed, may_ask=not freshness.is_only_if_cached)
        etag = provenance.etag_with(wanted.digest + digest_of(chosen.shown))
        if body is None and etag not in known_etags:
            large = is_large(reading.held, wanted)
            body, forms = await self._pool.run_when(large, write, conversation.id, reading.held, wanted, chosen)
        reading.keep(composed.fold, forms)
        if etag in known_etags:
            return Context(None, etag, provenance)
        omitted_tokens = chosen.omitted_tokens(reading.held.snapshot.header)
        self._history.context_tokens.note(chosen.selection.tokens, omitted_tokens)
        note({RECORDS: len(chosen.selection.positions)})
        return Context(body, etag, provenance, chosen.selection.tokens)

    async def _compose(
        self, conversation: Conversation, reading: Reading, wanted: ContextRequest, later: Later
    ) -> Composed | None:
        """Return what `compose` does, once all is counted that it needs."""
        large, is_whole = is_large(reading.held, wanted), False
        while True:
            try:
                with part("choose context"):
                    do = partial(compose, conversation.id, reading.held, wanted, is_whole=is_whole)
                    return await self._pool.run_when(large, do)
            except Shallow:
                large, is_whole = is_whole_large(reading.held), True
            except Uncounted as lack:
                await self._count(conversation, reading, wanted.encoding, lack, later)
            except Unrecalled as lack:
                reading.add_note(lack.key, await make_note(self._counter, wanted.encoding, lack))

    async def _count(
        self, conversation: Conversation, reading: Reading, encoding: str, lack: Uncounted, later: Later
    ) -> None:
        """Count what lacks counts in *encoding*, and keep these: here now, in the store after the response."""
        large = len(lack.items) > LARGE_ITEMS or sum(len(item.body) for item in lack.items) > LARGE_BYTES
        fresh = await count_anew(self._counter, encoding, lack.items, self._pool, is_large=large)
        kept = reading.add_counts(encoding, fresh)
        blocks = await self._pool.run_when(large, write_kept_counts, kept, list(fresh))
        generation = reading.held.snapshot.header.generation
        keep = partial(self._keep_counts, conversation, generation, encoding, blocks)
        later.add(keep, "keeping counts", *conversation.place)

    async def _embed(
        self, embedding: Embedding, reading: Reading, wanted: ContextRequest, composed: Composed, *, may_ask: bool
    ) -> Chosen:
        """Choose again with the documents that the first choice mentions."""
        held, large = reading.held, is_large(reading.held, wanted)
        items, stored = await self._pool.run_when(large, that_matter, composed.fold, held, wanted)
        folded, selection = composed.fold.folded, composed.chosen.selection
        embedded = await embedding.embed(items, folded, selection, held.marks, may_ask=may_ask)
        recollection = composed.chosen.recollection
        return await self._pool.run_when(large, choose_embedded, wanted, embedded, stored, recollection)

    async def _keep_counts(
        self, conversation: Conversation, generation: str, encoding: str, blocks: dict[int, str]
    ) -> None:
        fields = [part for block in blocks.items() for part in block]
        await self._store.eval(
            "keep_counts", conversation.names, [conversation.caller.key_hash, generation, encoding, *fields]
        )
