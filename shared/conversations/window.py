"""
The window of a context, beside what is recalled: chosen, and what of the older items is to be quoted.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from shared.context.fit import Selection, fit
from shared.context.recalled import (
    NOTHING,
    Quote,
    Recollection,
    Unrecalled,
    note_of,
    note_text,
    quotes_of,
    text_of,
)
from shared.context.tail import is_enough
from shared.context.units import Folded, fold
from shared.context.wanted import ContextRequest
from shared.conversations.held import Held
from shared.errors import ContextDoesNotFit
from shared.items.counts import PRIMARY_ENCODING
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.recall.ask import Ask, ask_for
from shared.tokens.counter import Counter

_SEQ = attrgetter("seq")


def choose(folded: Folded, wanted: ContextRequest) -> Selection:
    """
    Return what a context holds of *folded*: as much as the budget less the share of what is recalled has room for, or,
    where too little fits into that, the budget. Raises ContextDoesNotFit.
    """
    if share_tokens := wanted.recall_tokens:
        try:
            return fit(folded, wanted.available_tokens - share_tokens, wanted.stable_prefix)
        except ContextDoesNotFit:
            pass
    try:
        return fit(folded, wanted.available_tokens, wanted.stable_prefix)
    except ContextDoesNotFit as error:
        if not wanted.overhead_tokens:
            raise
        raise ContextDoesNotFit(wanted.budget_tokens, error.needed_tokens + wanted.overhead_tokens) from None


def ask_of(wanted: ContextRequest) -> Ask | None:
    """Return what the store is asked for, None where nothing is recalled."""
    if not wanted.recall_tokens:
        return None
    query = ""
    if wanted.query:
        from shared.recall.terms import query_codes  # Few ask by words of their own.

        query = query_codes(wanted.query)
    return ask_for(wanted.recall_tokens, query, wanted.include)


def has_answer(held: Held, ask: Ask) -> bool:
    """Tell whether what is *held* as recalled answers *ask* for the newest user message that is held."""
    recalled, snapshot = held.recalled, held.snapshot
    if recalled is None or recalled.ask != ask or recalled.deleted_tokens != snapshot.header.deleted_tokens:
        return False
    newest = next((item.seq for item in reversed(snapshot.items) if item.kind == Kind.USER), None)
    return recalled.user_seq in (None, newest)


def recollected(
    held: Held, wanted: ContextRequest, folded: Folded, selection: Selection, *, is_all: bool
) -> Recollection | None:
    """
    Return what is quoted beside *selection*, which was chosen from *folded*; None where more of the conversation has to
    be read to tell. *is_all*: there is nothing older.

    Raises:   Unrecalled: the note is to be made first.
    """
    share_tokens, recalled = wanted.recall_tokens, held.recalled
    if recalled is None or selection.tokens > wanted.available_tokens - share_tokens or not folded.user_units:
        return NOTHING
    at = folded.units[folded.user_units[-1]].first
    if recalled.user_seq not in (None, folded.items[at].seq):
        return NOTHING  # The message by which was asked is gone.
    key = (recalled.ask, recalled.mark, share_tokens, wanted.encoding, wanted.format, wanted.stable_prefix)
    if (made := (held.notes or {}).get(key)) is not None:
        return made
    if at == len(folded.items) - 1:
        shown: frozenset[int] | None = frozenset([item.seq for item in selection.items])  # Nothing answers it yet.
    else:
        shown = _shown_before(folded, at, wanted, is_all=is_all)
    if shown is None:
        return None
    asked = (wanted.query or text_of(folded.items[at])).casefold()
    quotes = quotes_of(recalled, partial(_item_of, held.snapshot.items), shown, share_tokens, asked)
    if not quotes:
        return NOTHING
    raise Unrecalled(key, quotes, share_tokens)


def _shown_before(folded: Folded, user: int, wanted: ContextRequest, *, is_all: bool) -> frozenset[int] | None:
    """Return the seqs of what the context held when the newest user message, at the position *user*, had come."""
    before = fold(folded.items[: user + 1], folded.rules)
    budget_tokens = wanted.available_tokens - wanted.recall_tokens
    if not (is_all or is_enough(before, budget_tokens)):
        return None
    try:
        selection = fit(before, budget_tokens, wanted.stable_prefix)
    except ContextDoesNotFit:
        return frozenset([folded.items[user].seq])
    return frozenset([item.seq for item in selection.items])


def _item_of(items: Sequence[Item], seq: int) -> Item | None:
    at = bisect_left(items, seq, key=_SEQ)
    return items[at] if at < len(items) and items[at].seq == seq else None


async def make_note(counter: Counter, encoding: str, wanted: Unrecalled) -> Recollection:
    """Return the note of what is *wanted*: the best of its quotes that fit, counted."""
    quotes = list(wanted.quotes)
    own = await _tokens_of(counter, encoding, quotes)
    while quotes:
        text = note_text(quotes)
        [tokens] = await counter.count(encoding, [text])
        note = note_of(text, tokens)
        over_tokens = tokens + note.overhead_tokens - wanted.share_tokens
        if over_tokens <= 0:
            return Recollection(note, tuple(quotes), tuple(own))
        while quotes and over_tokens > 0:
            # The least that does, of the last ones: what matches less well gives way.
            at = next(
                (at for at in range(len(own) - 1, max(-1, len(own) - 9), -1) if own[at] >= over_tokens), len(own) - 1
            )
            over_tokens -= own.pop(at) + 3
            del quotes[at]
    return NOTHING


async def _tokens_of(counter: Counter, encoding: str, quotes: Sequence[Quote]) -> list[int]:
    """Return what the texts of *quotes* count; what is quoted as a whole was counted when it was appended."""
    known = [each.tokens if encoding == PRIMARY_ENCODING else None for each in quotes]
    lacking = [each.text for each, tokens in zip(quotes, known, strict=True) if tokens is None]
    counted = iter(await counter.count(encoding, lacking))
    return [next(counted) if tokens is None else tokens for tokens in known]


def told(recollection: Recollection) -> list[dict[str, Any]]:
    """Return what an answer tells of it, in the order of the log."""
    rows = sorted(zip(recollection.quotes, recollection.tokens, strict=True), key=lambda each: each[0].item.seq)
    return [{"item_id": quote.item.id, "tokens": tokens, "score": quote.score} for quote, tokens in rows]
