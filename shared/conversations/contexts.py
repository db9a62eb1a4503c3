"""
Contexts: everything that matters of a conversation, in at most N tokens.

    read what is new, or the tail that the budget can hold -> fold that tail -> fit -> render -> splice

Choosing and rendering are pure (shared/context/), and cost what the budget holds, not what the conversation holds. No
count is made here when the encoding is the primary one. Documents come in between two choices: see
context_documents.py.
"""

from functools import partial
from typing import NamedTuple

from shared.context.fit import Selection, fit
from shared.context.formats.rendering import Rendering
from shared.context.formats.unit_form import Forms
from shared.context.render import render
from shared.context.summarised import summarised
from shared.context.tail import is_enough
from shared.context.units import Folded
from shared.context.units import fold as fold_units
from shared.context.wanted import ContextRequest
from shared.conversations.context_documents import Embedding, Shown, digest_of
from shared.conversations.conversation import Conversation
from shared.conversations.history import Held, History, Need
from shared.conversations.kept_counts import recount, write_kept_counts
from shared.conversations.provenance import Provenance, touch_when_due
from shared.conversations.snapshot import Snapshot, tail
from shared.documents.documents import Documents
from shared.errors import ContextDoesNotFit
from shared.items.counts import PRIMARY_ENCODING
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.jsonbytes.write import Pieces, splice
from shared.process.pool import Pool
from shared.request.after_response import Later
from shared.request.freshness import Freshness
from shared.store.attempts import Besides
from shared.store.upstash import Store
from shared.tokens.counter import Counter

LARGE_ITEMS, LARGE_BYTES = 400, 512 * 1024
"""More than this takes over a millisecond to fold or to render, and goes to a thread."""

SPARE_TOKENS = 500
"""Read beyond the budget: consecutive answers share a frame, and so count less together than each alone."""


class Context(NamedTuple):
    """An answer: *body* is None where the caller has it already, by its tag."""

    body: Pieces | None
    etag: str
    source: Provenance
    tokens: int = 0
    reserved: list[str] | None = None


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
        reserve: Besides | None = None,
    ) -> Context:
        """
        Return the JSON of a `conversation.context`: promises (a) to (g) of the README. With *reserve* a reservation is
        made in the same step as the read; when the context then does not fit, its caller has to release it.

        Raises:   ContextDoesNotFit, and as History.read.
        """
        encoding = "" if wanted.encoding == PRIMARY_ENCODING else wanted.encoding
        tokens_min = wanted.available_tokens * (3 if encoding else 5) // (2 if encoding else 4) + SPARE_TOKENS
        reading = await self._history.read(conversation, Need(tokens_min, encoding), freshness, reserve)
        reserved = reading.reserved
        source = Provenance.of_reading(reading)
        touch_when_due(self._store, conversation, source, later)
        etag = source.etag_with(wanted.digest)
        if etag in known_etags and not reading.held.marks:
            return Context(None, etag, source)
        is_large = _is_large(reading.held.snapshot)
        items, is_all = await self._pool.run_when(is_large, tail, reading.held.snapshot, tokens_min)
        folded = await self._fold(conversation, reading.held, items, encoding, later)
        if not is_all and not is_enough(folded, wanted.available_tokens):
            reading = await self._history.read(conversation, Need(None, encoding), freshness)
            source, whole = Provenance.of_reading(reading), reading.held.snapshot
            items = summarised(whole.items, whole.summary)
            folded = await self._fold(conversation, reading.held, items, encoding, later)
        snapshot = reading.held.snapshot
        is_large = _is_large(snapshot)
        selection = await self._pool.run_when(is_large, _choose, folded, wanted)
        shown: list[Shown] = []
        if any(item.documents for item in selection.items):
            embedding = Embedding(self._documents, self._counter, conversation.caller, wanted, later)
            may_ask, marks = not freshness.is_only_if_cached, reading.held.marks
            # Counted in the encoding that is wanted: what was folded is what was recounted.
            embedded = await embedding.embed(folded.items, folded, selection, marks, may_ask=may_ask)
            folded = await self._pool.run_when(is_large, fold_units, embedded.items)
            selection = await self._pool.run_when(is_large, _choose, folded, wanted)
            shown = embedded.kept(selection)
        etag = source.etag_with(wanted.digest + digest_of(shown))
        if etag in known_etags:
            return Context(None, etag, source)
        held = reading.held
        written = conversation.id, snapshot, wanted, items, selection, shown, held.forms
        body, forms = await self._pool.run_when(is_large, _write, *written)
        if forms is not held.forms:
            self._history.keep_forms(conversation, held, forms)
        return Context(body, etag, source, selection.tokens, reserved)

    async def _fold(
        self, conversation: Conversation, held: Held, items: list[Item], encoding: str, later: Later
    ) -> Folded:
        is_large = _is_large(held.snapshot)
        if not encoding:
            return await self._pool.run_when(is_large, fold_units, items)
        pool = self._pool
        kept = held.counts.setdefault(encoding, {})  # What is held may not have been asked for in this encoding.
        recounted, fresh = await recount(self._counter, encoding, items, kept, pool, is_large=is_large)
        if fresh:
            kept = self._history.add_counts(conversation, held, encoding, fresh)
            blocks = await pool.run_when(is_large, write_kept_counts, kept, list(fresh))
            generation = held.snapshot.header.generation
            later.add(partial(self._keep_counts, conversation, generation, encoding, blocks))
        return await pool.run_when(is_large, fold_units, recounted)

    async def _keep_counts(
        self, conversation: Conversation, generation: str, encoding: str, blocks: dict[int, str]
    ) -> None:
        fields = [part for block in blocks.items() for part in block]
        await self._store.eval(
            "keep_counts", conversation.names, [conversation.caller.key_hash, generation, encoding, *fields]
        )


def _is_large(snapshot: Snapshot) -> bool:
    return len(snapshot.items) > LARGE_ITEMS or snapshot.size_bytes > LARGE_BYTES


def _write(
    conversation_id: str,
    snapshot: Snapshot,
    wanted: ContextRequest,
    items: list[Item],
    selection: Selection,
    shown: list[Shown],
    kept: Forms,
) -> tuple[Pieces, Forms]:
    """Render *selection*, chosen from *items*, and write the answer. Pure, for any thread."""
    stored = {item.seq: item for item in items}
    kept_tokens = sum(_stored_tokens(stored[item.seq]) for item in selection.items if item.kind != Kind.SUMMARY)
    rendering = render(wanted.format, selection, kept)
    body = _write_context(conversation_id, snapshot, wanted, selection, kept_tokens, rendering, shown)
    return body, rendering.forms


def _choose(folded: Folded, wanted: ContextRequest) -> Selection:
    try:
        return fit(folded, wanted.available_tokens, stable_prefix=wanted.stable_prefix)
    except ContextDoesNotFit as error:
        if not wanted.overhead_tokens:
            raise
        raise ContextDoesNotFit(wanted.budget_tokens, error.needed_tokens + wanted.overhead_tokens) from None


def _stored_tokens(item: Item) -> int:
    return item.overhead_tokens + item.content_tokens


def _write_context(
    conversation_id: str,
    snapshot: Snapshot,
    wanted: ContextRequest,
    selection: Selection,
    kept_tokens: int,
    rendering: Rendering,
    shown: list[Shown],
) -> Pieces:
    is_known = wanted.model is None or wanted.model.exact
    header, summary, note, omitted = snapshot.header, snapshot.summary, selection.note, selection.omitted
    kept_items = len(selection.items) - (note is not None)
    return splice(
        {
            "object": "conversation.context",
            "conversation_id": conversation_id,
            "version": header.version,
            "model": wanted.model.name if wanted.model else None,
            "encoding": wanted.encoding,
            "exact": is_known and selection.only_text,
            "counting": "estimate" if not is_known else "exact" if selection.only_text else "rule",
            "format": wanted.format,
            "budget": wanted.budget_tokens,
            "overhead_tokens": wanted.overhead_tokens,
            "tokens": selection.tokens,
            "uncounted_tokens": selection.hosted_tokens,
        },
        rendering.pieces,
        {
            "summary": {"through": summary.through_id, "tokens": _stored_tokens(note)} if summary and note else None,
            "kept": {
                "items": kept_items,
                "first_id": selection.first_id,
                "last_id": selection.last_id,
            },
            "omitted": {
                # By the header, and in the primary encoding: the same whether all of the log was read or a tail.
                "items": header.live_items - kept_items,
                "tokens": header.written_tokens - header.deleted_tokens - kept_tokens,
                "unsupported": rendering.unsupported,
                "orphan_outputs": omitted.orphan_outputs,
                "unanswered_calls": omitted.unanswered_calls,
                "dangling_reasoning": omitted.dangling_reasoning,
            },
            "documents": [each._asdict() for each in shown],
        },
    )
