"""
The fold that is kept beside a snapshot, so that a context folds what is new and nothing else.

    kept, and nothing of it is gone   grown by the items that came since
    else                              the newest items that the budget needs are folded
    not enough                        as many more as are held

A fold begins where the first context that needed it had to begin, and ends with the snapshot: it costs what budgets
hold, not what the conversation holds. A deletion, a summary, a compaction or another encoding asks for another one, and
another format where one sends another thing than the other.
Pages and items make none.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from shared.context.format_rules import CHAT, FormatRules
from shared.context.short_results import Shortening, shown_short
from shared.context.summarised import Summary
from shared.context.tail import is_enough
from shared.context.units import Folded, counted_for, extend, fold, serves
from shared.conversations.kept_counts import recounted
from shared.conversations.snapshot import Snapshot, is_all_from, items_from, tail_start
from shared.items.counts import Counts
from shared.items.item import Item

SPARE_TOKENS = 500
"""Read beyond the budget: consecutive answers share a frame, and so count less together than each alone."""

TAIL_PERCENT = 125
"""
Of the budget, what is read and folded at first. What a context holds is known when the turn before the oldest one that
fits whole is there as well (shared/context/tail.py); few turns are larger than a quarter of a budget.
"""

RECOUNTED_TAIL_PERCENT = 150
"""
The same where tokens are counted in another encoding than the one by which a tail is measured: there the same text may
count less, and more of it fit.
"""

FOLDED_ITEM_BYTES = 48
"""What a fold holds for each item; measured, see the tests."""

FOLDED_UNIT_BYTES = 224
"""And for each unit."""

RECOUNTED_ITEM_BYTES = 180
"""What an item holds again when it is counted in another encoding, or for another format; its texts are shared."""

_SEQ = attrgetter("seq")


class Kept(NamedTuple):
    """
    A fold of the newest items of a snapshot, counted in *encoding*, "" for the primary one, for the format that it
    serves. *is_recounted*: its items count another thing than what is stored of them. *shortening*: how results are
    shown, None for all of them whole; *short_bytes*: what short forms hold.

    All items with seqs from *first* to *last* are in it, *pins* pinned ones from before, and the note of *summary*.
    """

    folded: Folded
    encoding: str
    first: int
    last: int
    pins: int
    summary: Summary | None
    is_recounted: bool = False
    shortening: Shortening | None = None
    short_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        item_bytes = FOLDED_ITEM_BYTES + (RECOUNTED_ITEM_BYTES if self.is_recounted else 0)
        return item_bytes * len(self.folded.items) + FOLDED_UNIT_BYTES * len(self.folded.units) + self.short_bytes


def tail_tokens(budget_tokens: int, encoding: str) -> int:
    """Return how many tokens of the newest items a context of *budget_tokens* is most likely chosen from."""
    percent = RECOUNTED_TAIL_PERCENT if encoding else TAIL_PERCENT
    return budget_tokens * percent // 100 + SPARE_TOKENS


def news_of(
    kept: Kept | None,
    encoding: str,
    snapshot: Snapshot,
    rules: FormatRules = CHAT,
    shortening: Shortening | None = None,
) -> Sequence[Item] | None:
    """
    Return the items of *snapshot* that came since *kept*; None where that is no fold of it any more.

    Seqs are given once, so what was there is there if it is as much as it was.
    """
    if kept is None or kept.encoding != encoding or kept.summary is not snapshot.summary:
        return None
    if not serves(kept.folded, rules) or kept.shortening != shortening:
        return None
    items, begin = snapshot.items, _start_of(kept, snapshot)
    end = bisect_right(items, kept.last, key=_SEQ)
    pins = bisect_left(snapshot.pins, kept.first, key=_SEQ)
    count = end - begin + pins + (kept.summary is not None)
    return items[end:] if pins == kept.pins and count == len(kept.folded.items) else None


def stored_items(kept: Kept, snapshot: Snapshot) -> Sequence[Item]:
    """Return what was folded, as it is stored: counted in the primary encoding."""
    if not kept.is_recounted:
        return kept.folded.items
    return items_from(snapshot, _start_of(kept, snapshot))


def newest_fold(
    snapshot: Snapshot,
    kept: Kept | None,
    encoding: str,
    counts: Mapping[int, Counts],
    budget_tokens: int,
    rules: FormatRules = CHAT,
    shortening: Shortening | None = None,
) -> Kept | None:
    """
    Return a fold of *snapshot* that decides what a context of *budget_tokens* holds in the format of *rules*, made of
    *kept* where that will do; None where *snapshot* lacks what would decide. *counts* are those in *encoding*, unless
    it is the primary one. *shortening*: how results are shown, None for all of them whole.

    Raises:   Uncounted.
    """
    news = news_of(kept, encoding, snapshot, rules, shortening)
    if kept is not None and news is not None:
        grown = _grown(_under(kept, rules), snapshot, news, counts)
        if _decides(grown, snapshot, budget_tokens):
            return grown
    short_before = shortening.short_before if shortening else 0
    starts = {tail_start(snapshot, tail_tokens(budget_tokens, encoding), short_before), tail_start(snapshot, None)}
    how = _How(rules, encoding, counts, shortening, _short_items(kept) if shortening else {})
    for start in sorted(starts, reverse=True):
        made = _begun(snapshot, start, how)
        if _decides(made, snapshot, budget_tokens):
            return made
    return None


class _How(NamedTuple):
    """How items are counted and shown before they are folded. *short*: those in a short form that was made before."""

    rules: FormatRules
    encoding: str
    counts: Mapping[int, Counts]
    shortening: Shortening | None
    short: Mapping[int, Item]

    def counted(self, items: Sequence[Item], saved_tokens: int) -> tuple[Sequence[Item], int]:
        """Return *items*, the newest of a log, so, and the bytes of what is made anew of them for that."""
        counted = recounted(items, self.counts) if self.encoding else items
        short_bytes = 0
        if self.shortening is not None:
            counted = shown_short(counted, items, self.shortening, saved_tokens, self.short)
            short_bytes = sum([len(item.body) + len(item.extras) for item in counted if item.left_out_tokens])
        return counted_for(counted, self.rules), short_bytes


def _short_items(kept: Kept | None) -> dict[int, Item]:
    return {item.seq: item for item in kept.folded.items if item.left_out_tokens} if kept is not None else {}


def _under(kept: Kept, rules: FormatRules) -> Kept:
    return kept if kept.folded.rules is rules else kept._replace(folded=kept.folded._replace(rules=rules))


def _grown(kept: Kept, snapshot: Snapshot, news: Sequence[Item], counts: Mapping[int, Counts]) -> Kept:
    if not news:
        return kept
    how = _How(kept.folded.rules, kept.encoding, counts, kept.shortening, {})
    counted, short_bytes = how.counted(news, snapshot.header.saved_tokens)
    is_recounted = kept.is_recounted or counted is not news
    if is_recounted:
        items: Sequence[Item] = [*kept.folded.items, *counted]
    else:
        items = items_from(snapshot, _start_of(kept, snapshot))
    return kept._replace(
        folded=extend(kept.folded, items),
        last=news[-1].seq,
        is_recounted=is_recounted,
        short_bytes=kept.short_bytes + short_bytes,
    )


def _begun(snapshot: Snapshot, start: int, how: _How) -> Kept:
    items = items_from(snapshot, start)
    counted, short_bytes = how.counted(items, snapshot.header.saved_tokens)
    known = snapshot.items
    last = known[-1].seq if known else 0
    first = known[start].seq if start < len(known) else last + 1
    pins = bisect_left(snapshot.pins, first, key=_SEQ)
    return Kept(
        fold(counted, how.rules),
        how.encoding,
        first,
        last,
        pins,
        snapshot.summary,
        counted is not items,
        how.shortening,
        short_bytes,
    )


def _decides(kept: Kept, snapshot: Snapshot, budget_tokens: int) -> bool:
    return is_all_from(snapshot, _start_of(kept, snapshot)) or is_enough(kept.folded, budget_tokens)


def _start_of(kept: Kept, snapshot: Snapshot) -> int:
    return bisect_left(snapshot.items, kept.first, key=_SEQ)
