"""
A context as a function of what is held and what is wanted: chosen, rendered, written. Pure, for any thread.

    fold, kept or made -> fit -> render -> splice

It costs what the budget holds, and what came since the last context, not what the conversation holds.
"""

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from shared.context.fit import Selection
from shared.context.format_rules import RULES
from shared.context.formats.rendering import Rendering
from shared.context.formats.unit_form import Forms
from shared.context.pressure import summarise_through
from shared.context.recalled import NOTHING, Recollection, with_note
from shared.context.render import render
from shared.context.short_results import Shortening, shortening_of
from shared.context.tail import first_that_fits, first_that_matters, is_enough
from shared.context.units import Folded, fold
from shared.context.wanted import TOKENS_MAX, ContextRequest
from shared.conversations.context_documents import Embedded, Shown
from shared.conversations.folds import Kept, newest_fold, news_of, stored_items
from shared.conversations.held import Held
from shared.conversations.snapshot import Header, Snapshot, is_all_from
from shared.conversations.window import choose, recollected, told
from shared.errors import ContextDoesNotFit
from shared.items.counts import PRIMARY_ENCODING
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.jsonbytes.write import Pieces, splice
from shared.tokens.rule import REPLY_TOKENS

LARGE_ITEMS, LARGE_BYTES = 400, 512 * 1024
"""More than this takes over a millisecond to fold or to render, and goes to a thread."""

COPIED_ITEMS = 20_000
"""The same for the lists of a fold that grows: they are copied, for who still reads the older one."""


class Chosen(NamedTuple):
    """
    What a context holds, what became of its documents, and *kept_tokens*, those of its items as they are stored. It was
    chosen from *folded*, whose items are *stored* with other counts at times. *is_all*: there is nothing older that a
    context could hold. *recollection*: what is quoted of older items.
    """

    selection: Selection
    shown: list[Shown]
    kept_tokens: int
    folded: Folded
    stored: Sequence[Item]
    is_all: bool
    recollection: Recollection = NOTHING

    def omitted_tokens(self, header: Header) -> int:
        """By the header, and in the primary encoding: the same whether all of the log was read or a tail."""
        return header.written_tokens - header.deleted_tokens - self.kept_tokens


class Composed(NamedTuple):
    """
    A context. *fold* and *forms* are to be kept for the next one. *body* is None where what is *chosen* mentions
    documents, which are to be put in first.
    """

    fold: Kept
    chosen: Chosen
    body: Pieces | None
    forms: Forms


def second_encoding(wanted: ContextRequest) -> str:
    """Return the encoding that is wanted, "" if it is the one that every item is counted in."""
    return "" if wanted.encoding == PRIMARY_ENCODING else wanted.encoding


def folded_tokens(wanted: ContextRequest) -> int:
    """Return the budget for which items are read and folded: what is explained is all of the conversation."""
    return TOKENS_MAX if wanted.explain else wanted.available_tokens


def shortening_in(snapshot: Snapshot, wanted: ContextRequest) -> Shortening | None:
    """Return how the results of a conversation are shown, None where all are whole."""
    if not wanted.short_results:
        return None
    pinned = sum([item.tokens for item in snapshot.pins])
    if snapshot.summary is not None:
        pinned += snapshot.summary.item.tokens
    room_tokens = max(0, wanted.available_tokens - pinned - REPLY_TOKENS)
    return shortening_of(reversed(snapshot.items), snapshot.header.results, room_tokens)


def is_large(held: Held, wanted: ContextRequest) -> bool:
    """Tell whether composing is work for a thread: much to be folded, or much that may be kept."""
    snapshot, kept = held.snapshot, held.fold
    news = news_of(kept, second_encoding(wanted), snapshot, RULES[wanted.format], shortening_in(snapshot, wanted))
    start = 0
    if kept is not None and news is not None and not wanted.explain:
        start = first_that_fits(kept.folded, wanted.available_tokens)
    if kept is None or news is None or start == 0:  # All that is held may have to be folded.
        return is_whole_large(held)
    items = kept.folded.items
    if len(items) - start + len(news) > LARGE_ITEMS or (news and len(items) > COPIED_ITEMS):
        return True
    if snapshot.size_bytes <= LARGE_BYTES:
        return False
    return sum(len(item.body) for each in (items[start:], news) for item in each) > LARGE_BYTES


class Shallow(Exception):
    """What was folded decides the context, and not what that held when its newest user message had come."""


def is_whole_large(held: Held) -> bool:
    """Tell whether folding all that is held is work for a thread."""
    return len(held.snapshot.items) > LARGE_ITEMS or held.snapshot.size_bytes > LARGE_BYTES


def compose(conversation_id: str, held: Held, wanted: ContextRequest, *, is_whole: bool = False) -> Composed | None:
    """
    Return the context that is *wanted* of what is *held*, None where more of the conversation has to be read.
    *is_whole*: all of it is to be folded.

    Raises:   ContextDoesNotFit; Uncounted, Unrecalled: that is to be counted first. Shallow: not when *is_whole*.
    """
    encoding = second_encoding(wanted)
    counts = held.counts.get(encoding, {}) if encoding else {}
    rules = RULES[wanted.format]
    shortening = shortening_in(held.snapshot, wanted)
    tokens = TOKENS_MAX if is_whole else folded_tokens(wanted)
    kept = newest_fold(held.snapshot, held.fold, encoding, counts, tokens, rules, shortening)
    if kept is None:
        return None
    selection, is_all, recollection = choose(kept.folded, wanted), _is_all(held.snapshot, kept), NOTHING
    if wanted.recall_tokens:
        found = recollected(held, wanted, kept.folded, selection, is_all=is_all)
        if found is None:
            raise Shallow
        recollection = found
    stored = stored_items(kept, held.snapshot)
    if kept.is_recounted:
        kept_tokens = _stored_tokens(selection, stored)
    else:
        kept_tokens = selection.stored_tokens - (selection.note.tokens if selection.note is not None else 0)
    chosen = Chosen(with_note(selection, recollection.note), [], kept_tokens, kept.folded, stored, is_all, recollection)
    if selection.mentions:
        return Composed(kept, chosen, None, held.forms)
    body, forms = write(conversation_id, held, wanted, chosen)
    return Composed(kept, chosen, body, forms)


def that_matter(kept: Kept, held: Held, wanted: ContextRequest) -> tuple[list[Item], list[Item]]:
    """Return the items that a context may hold, or explain, as they were folded, and as they are stored."""
    folded = kept.folded
    start = first_that_matters(folded, folded_tokens(wanted))
    pinned = [*folded.systems, *([] if folded.note is None else [folded.note])]
    positions = [*sorted(at for at in pinned if at < start), *range(start, len(folded.items))]
    stored = stored_items(kept, held.snapshot)
    return [folded.items[at] for at in positions], [stored[at] for at in positions]


def choose_embedded(
    wanted: ContextRequest, embedded: Embedded, stored: Sequence[Item], recollection: Recollection
) -> Chosen:
    """Choose again, now that documents are in some of the items. Raises ContextDoesNotFit."""
    folded = fold(embedded.items, RULES[wanted.format])
    selection = choose(folded, wanted)
    shown, kept_tokens = embedded.kept(selection), _stored_tokens(selection, stored)
    selection = with_note(selection, recollection.note)
    return Chosen(selection, shown, kept_tokens, folded, stored, is_all=False, recollection=recollection)


def write(conversation_id: str, held: Held, wanted: ContextRequest, chosen: Chosen) -> tuple[Pieces, Forms]:
    """Return the answer's JSON, and what it is made of."""
    selection = chosen.selection._replace(cached_for=wanted.cached_for) if wanted.cached_for else chosen.selection
    rendering = render(wanted.format, selection, held.forms)
    return _write_context(conversation_id, held, wanted, chosen, rendering), rendering.forms


def _is_all(snapshot: Snapshot, kept: Kept) -> bool:
    """Tell whether nothing older than what was folded may be sent."""
    return is_all_from(snapshot, bisect_left(snapshot.items, kept.first, key=attrgetter("seq")))


def _stored_tokens(selection: Selection, stored: Sequence[Item]) -> int:
    """Return the tokens of what is selected of the items that are *stored*, the note aside."""
    kept = [stored[at] for at in selection.positions]
    return sum([item.tokens for item in kept if item.kind != Kind.SUMMARY])


def _write_context(
    conversation_id: str,
    held: Held,
    wanted: ContextRequest,
    chosen: Chosen,
    rendering: Rendering,
) -> Pieces:
    is_known = wanted.model is None or wanted.model.exact
    selection, snapshot = chosen.selection, held.snapshot
    header, summary, note, omitted = snapshot.header, snapshot.summary, selection.note, selection.omitted
    kept_items = len(selection.items) - (note is not None) - (chosen.recollection.note is not None)
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
            "summary": {"through": summary.through_id, "tokens": note.tokens} if summary and note else None,
            "kept": {
                "items": kept_items,
                "first_id": selection.first_id,
                "last_id": selection.last_id,
            },
            "omitted": {
                "items": header.live_items - kept_items,
                "tokens": chosen.omitted_tokens(header),
                "unsupported": rendering.unsupported,
                "orphan_outputs": omitted.orphan_outputs,
                "unanswered_calls": omitted.unanswered_calls,
                "dangling_reasoning": omitted.dangling_reasoning,
            },
            "documents": [each._asdict() for each in chosen.shown],
            "pressure": _pressure(snapshot, wanted, chosen),
            **({"shortened": _shortened(selection)} if wanted.short_results else {}),
            **(_recalled(held, chosen) if wanted.recall_tokens else {}),
            **(_cache(conversation_id, snapshot, wanted, chosen, rendering) if _tells_cache(wanted) else {}),
            **(_explanation(snapshot, chosen, rendering) if wanted.explain else {}),
        },
    )


def _pressure(snapshot: Snapshot, wanted: ContextRequest, chosen: Chosen) -> dict[str, Any]:
    """Return how much more there is than the budget holds, in the primary encoding, as all that is said of the log."""
    header, summary = snapshot.header, snapshot.summary
    tokens = header.log_tokens(summary)
    note_tokens = summary.item.tokens if summary is not None else 0
    return {
        "ratio": round((tokens + note_tokens) / wanted.available_tokens, 4),
        "tokens": tokens + note_tokens,
        "omitted_tokens": tokens - chosen.kept_tokens,
        "summarise_through": summarise_through(chosen.folded, chosen.selection.window),
    }


def _shortened(selection: Selection) -> list[dict[str, Any]]:
    return [
        {"item_id": item.id, "tokens": item.tokens, "left_out_tokens": item.left_out_tokens}
        for item in selection.items
        if item.left_out_tokens
    ]


def _recalled(held: Held, chosen: Chosen) -> dict[str, Any]:
    from_id = held.recalled.from_id if held.recalled is not None else ""
    return {"recalled": told(chosen.recollection), "recalled_from": from_id or None}


def _tells_cache(wanted: ContextRequest) -> bool:
    return wanted.stable_prefix or bool(wanted.cached_for) or wanted.since is not None


def _cache(
    conversation_id: str, snapshot: Snapshot, wanted: ContextRequest, chosen: Chosen, rendering: Rendering
) -> dict[str, Any]:
    """Return what a caller tells a provider's prompt cache, and what that can read."""
    cache: dict[str, Any] = {"breakpoints": [*rendering.breakpoints], "key": conversation_id}
    if wanted.since is not None:
        cache["tokens"] = _tokens_again(snapshot, wanted, chosen, wanted.since)
    return {"cache": cache}


def _tokens_again(snapshot: Snapshot, wanted: ContextRequest, chosen: Chosen, since: int) -> int:
    # Few ask for it.
    from shared.context.again import tokens_again

    newest_seq = since - snapshot.header.removed
    items = [item for item in snapshot.items if item.seq <= newest_seq]
    results = sum([item.kind == Kind.OUTPUT for item in snapshot.items[len(items) :]])
    then = snapshot._replace(
        header=snapshot.header._replace(results=snapshot.header.results - results),
        items=tuple(items),
        pins=tuple([item for item in snapshot.pins if item.seq <= newest_seq]),
    )
    is_alike = shortening_in(then, wanted) == shortening_in(snapshot, wanted)

    def choose_then(folded: Folded) -> Selection | None:
        if not is_alike or not (chosen.is_all or is_enough(folded, wanted.available_tokens)):
            return None
        try:
            return choose(folded, wanted)
        except ContextDoesNotFit:
            return None

    return tokens_again(chosen.selection, chosen.folded, chosen.stored, newest_seq, choose_then)


def _explanation(snapshot: Snapshot, chosen: Chosen, rendering: Rendering) -> dict[str, Any]:
    # Few contexts are explained.
    from shared.context.explained import Choice, ShownText, explained

    texts = [ShownText(each.item_id, each.tokens, each.status) for each in chosen.shown if each.tokens]
    choice = Choice(
        chosen.selection,
        chosen.folded,
        chosen.stored,
        snapshot.items,
        snapshot.summary,
        texts,
        frozenset(rendering.unsupported),
        chosen.recollection.note_tokens,
    )
    return {"explanation": {"units": [row.told() for row in explained(choice)]}}
