"""
A snapshot: the state of a conversation at one version, folded from its entries; whole, or its tail only.

Immutable, so that any number of requests may hold one while a newer one is made. Folding costs what the news cost:
entries are read once, and a deletion takes its item out.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from shared.context.summarised import Summary, summarised
from shared.conversations.entries import DELETION, NO_SUMMARY, Entry
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.items.short import saving
from shared.request.owners import NOBODY, Owners

_SEQ = attrgetter("seq")

ITEM_BYTES = 480
"""What an item holds beside its JSON: the tuple, its numbers and its short texts; measured, see the tests."""

SHORT_BYTES = 160
"""The same of each of its short forms."""

CHAINS_MAX = 16
"""Writers of a conversation that others write to as well know their own version again among so many newer ones."""


class Header(NamedTuple):
    """
    What a conversation says of itself, beside its entries. Times are Unix seconds; expiry 0 means never.

    *written_tokens* counts every item ever appended, *deleted_tokens* those of them that are gone. *removed* entries
    were taken out by compaction: an entry's seq is its version less their number. *results*: how many were ever
    appended; their short forms save *saved_tokens*. *covered*: the id of an item, and the tokens of the live items up
    to there, system items aside; None where no summary says it. *bytes*: what all of it takes in the store.
    *forked_from*: the conversation that it is a copy of, "" for none. *owners*: whose it is.
    """

    generation: str
    version: int
    chain: str
    live_items: int
    expiry_s: int
    used_at_unix_s: int
    created_at_unix_s: int
    metadata: str
    written_tokens: int
    deleted_tokens: int
    removed: int = 0
    results: int = 0
    saved_tokens: int = 0
    covered: tuple[str, int] | None = None
    bytes: int = 0
    forked_from: str = ""
    owners: Owners = NOBODY

    def log_tokens(self, summary: Summary | None) -> int:
        """Return what the live items count, those aside that *summary* stands for."""
        covered_id, covered_tokens = self.covered or ("", 0)
        is_known = summary is not None and covered_id == summary.through_id
        return self.written_tokens - self.deleted_tokens - (covered_tokens if is_known else 0)


class Snapshot(NamedTuple):
    """
    The live items of a conversation at `header.version`, in order.

    *first*: the seq from which all is known; 1 when that is everything. *items*: the pinned ones before it, then
    all from there on. *pins*: the pinned ones among them. *tail_tokens*: those of the items from *first* on that are
    not pinned; *turn_tokens*: those of them from the first user message on, because a context needs whole turns.
    *summary* is the newest one. *chains*: the chain hashes of the newest entries, as far as they were read.
    """

    header: Header
    first: int
    items: tuple[Item, ...]
    pins: tuple[Item, ...]
    tail_tokens: int
    turn_tokens: int
    size_bytes: int
    summary: Summary | None = None
    chains: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return self.first == 1

    @property
    def version(self) -> int:
        return self.header.version

    def passed(self, chain: str) -> bool:
        """Tell whether this is the state with that chain hash, or is known to have come after it."""
        return chain == self.header.chain or chain in self.chains


def read_header(fields: list[Any]) -> Header:
    """Return the header that the read script replied, in Header's order."""
    generation, version, chain, live, expiry_s, used_at, created_at, metadata, written, deleted, removed = fields[:11]
    results, saved, covered, size_bytes, forked_from, user, agent = fields[13:20]
    covered_id, _, covered_tokens = covered.partition(" ")
    return Header(
        generation,
        int(version),
        chain,
        int(live),
        int(expiry_s),
        int(used_at),
        int(created_at),
        metadata,
        int(written or 0),
        int(deleted or 0),
        int(removed or 0),
        int(results or 0),
        int(saved or 0),
        (covered_id, int(covered_tokens)) if covered else None,
        int(size_bytes),
        forked_from,
        Owners(user, agent),
    )


def begin(header: Header, first: int, pins: Iterable[Entry], entries: list[Entry]) -> Snapshot:
    """Return the snapshot of *entries*, those from *first* on, with the *pins* from before."""
    pins = list(pins)
    pinned = tuple(entry.item for entry in pins if entry.item is not None)
    size_bytes = sum(item_bytes(item) for item in pinned)
    before = _with_summary(Snapshot(header, first, pinned, pinned, 0, 0, size_bytes), pins)
    return advance(before, header, entries)


def advance(snapshot: Snapshot, header: Header, news: list[Entry]) -> Snapshot:
    """
    Return the snapshot after *news*, the entries that follow it.

    Where *header* is ahead of them, because a reply was full, the new snapshot is at the last of them.
    """
    if news and news[-1].seq + header.removed < header.version:
        header = header._replace(version=news[-1].seq + header.removed, chain=news[-1].chain)
    snapshot = _with_summary(snapshot, news)._replace(header=header, chains=_newest_chains(snapshot.chains, news))
    added = [entry.item for entry in news if entry.item is not None]
    gone = {entry.target for entry in news if entry.kind == DELETION}
    if not added and not gone:
        return snapshot
    items = snapshot.items + tuple(added)
    pins = snapshot.pins + tuple(item for item in added if item.kind == Kind.SYSTEM)
    size_bytes = snapshot.size_bytes + sum(item_bytes(item) for item in added)
    tail_tokens = snapshot.tail_tokens + sum(_tail_tokens(item) for item in added)
    turn_tokens = _turn_tokens(added, snapshot.turn_tokens)
    if gone:
        removed = [item for item in items if item.seq in gone]
        items = tuple(item for item in items if item.seq not in gone)
        pins = tuple(item for item in pins if item.seq not in gone)
        size_bytes -= sum(item_bytes(item) for item in removed)
        tail_tokens -= sum(_tail_tokens(item) for item in removed if item.seq >= snapshot.first)
        turn_tokens = _turn_tokens(items[bisect_left(items, snapshot.first, key=_SEQ) :])
    return snapshot._replace(
        items=items, pins=pins, tail_tokens=tail_tokens, turn_tokens=turn_tokens, size_bytes=size_bytes
    )


def extend(snapshot: Snapshot, first: int, older: list[Entry]) -> Snapshot:
    """Return *snapshot* with *older*, the entries from *first* up to where it began."""
    pins = [Entry(item.seq, "", item.kind, item) for item in snapshot.pins if item.seq < first]
    longer = begin(snapshot.header, first, pins, older)
    if snapshot.summary is not None:
        longer = _with_summary(longer, [Entry(0, "", Kind.SUMMARY, summary=snapshot.summary)])
    newer = [Entry(item.seq, "", item.kind, item) for item in snapshot.items if item.seq >= snapshot.first]
    return advance(longer, snapshot.header, newer)._replace(header=snapshot.header, chains=snapshot.chains)


def _with_summary(snapshot: Snapshot, entries: list[Entry]) -> Snapshot:
    """
    Return *snapshot* with the newest summary after *entries*: the last that they bring and do not delete.

    What is left of a summary that is gone had taken the place of the one before it.
    """
    summary = snapshot.summary
    for entry in entries:
        if entry.summary is not None or entry.kind == NO_SUMMARY:
            summary = entry.summary
        elif summary is not None and entry.target == summary.item.seq:
            summary = None
    if summary is snapshot.summary:
        return snapshot
    before_bytes, after_bytes = (item_bytes(each.item) if each else 0 for each in (snapshot.summary, summary))
    return snapshot._replace(summary=summary, size_bytes=snapshot.size_bytes - before_bytes + after_bytes)


def tail_start(snapshot: Snapshot, tokens_min: int | None, short_before: int = 0) -> int:
    """
    Return where, among the items, the newest begin that hold *tokens_min*, or all that matter.

    That is at a user message, pinned items aside, so that no turn is cut. It costs what is behind it. What a summary
    stands for does not matter. Results before the seq *short_before* count as their shortest forms.
    """
    items, begin_at = snapshot.items, _begin_at(snapshot)
    if tokens_min is None:
        return begin_at
    start, tokens = len(items), 0
    while start > begin_at:
        start -= 1
        item = items[start]
        tokens += _tail_tokens(item)
        if item.seq < short_before:
            tokens -= saving(item)
        if tokens >= tokens_min and item.kind == Kind.USER:
            break
    return start


def items_from(snapshot: Snapshot, start: int) -> Sequence[Item]:
    """Return the items from *start* on, behind the pinned ones before it and the summary, if there is one."""
    items, pins = snapshot.items, snapshot.pins
    if start < len(items):
        pins = pins[: bisect_left(pins, items[start].seq, key=_SEQ)]
    if len(pins) == start and snapshot.summary is None:
        return items
    return summarised([*pins, *items[start:]], snapshot.summary)


def is_all_from(snapshot: Snapshot, start: int) -> bool:
    """Tell whether nothing before *start* matters, pinned items aside."""
    return start <= _begin_at(snapshot) and snapshot.first <= _whole_from(snapshot)


def _begin_at(snapshot: Snapshot) -> int:
    return bisect_left(snapshot.items, max(snapshot.first, _whole_from(snapshot)), key=_SEQ)


def _whole_from(snapshot: Snapshot) -> int:
    return snapshot.summary.through_seq + 1 if snapshot.summary else 1


def _tail_tokens(item: Item) -> int:
    return 0 if item.kind == Kind.SYSTEM else item.tokens


def _newest_chains(before: tuple[str, ...], news: list[Entry]) -> tuple[str, ...]:
    return (*before, *(entry.chain for entry in news[-CHAINS_MAX:] if entry.chain))[-CHAINS_MAX:]


def _turn_tokens(items: Iterable[Item], before: int = 0) -> int:
    """Return the tokens of *items* that are not pinned, from the first user message on; *before*: of those before."""
    tokens = before
    for item in items:
        if tokens or item.kind == Kind.USER:
            tokens += _tail_tokens(item)
    return tokens


def item_bytes(item: Item) -> int:
    """Return what *item* holds, about."""
    return ITEM_BYTES + SHORT_BYTES * len(item.shorts) + len(item.body) + len(item.extras)
