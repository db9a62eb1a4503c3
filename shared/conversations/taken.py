"""
What a reply of the store makes of what is held: a pure step, in any thread, and what is held after it.
"""

from typing import Any, NamedTuple

from shared.context.formats.unit_form import NO_FORMS
from shared.context.recalled import Recollection
from shared.conversations.entries import Entry, read_entry
from shared.conversations.held import Held
from shared.conversations.kept_counts import read_kept_counts
from shared.conversations.needs import Told
from shared.conversations.snapshot import Snapshot, advance, begin, extend, read_header
from shared.items.counts import Counts
from shared.process.clock import Instant
from shared.recall.ask import Ask, Rank, Recalled

CONTINUING = frozenset({"news", "older"})
"""Kinds of replies that go on from what is held."""


class Taken(NamedTuple):
    """
    What a reply made of what was held: the *snapshot* after it, and the kept counts and *marks* of documents that it
    brought, and what else it told.
    """

    kind: str
    snapshot: Snapshot
    counts: dict[int, Counts]
    marks: dict[str, str]
    told: Told
    recalled: Recalled | None = None


def take(held: Held | None, encoding: str, ask: Ask | None, reply: list[Any]) -> Taken | None:
    """Return what *reply* makes of *held*, None when it is no part of the same history. Runs in any thread."""
    _, fields, kind, first, raw_entries, raw_pins, blocks, documents, *more = reply
    header, first = read_header(fields), int(first)
    entries = [read_entry(seq, raw) for seq, raw in enumerate(raw_entries, start=first)]
    if held is not None and kind == "news":
        snapshot = advance(held.snapshot, header, entries)
    elif kind == "older":
        if held is None or header.generation != held.snapshot.header.generation:
            return None
        # What was written since the newer part was read is asked for next.
        snapshot = extend(held.snapshot, first, entries)
    else:
        pins: list[Entry] = [read_entry(int(raw_pins[at]), raw_pins[at + 1]) for at in range(0, len(raw_pins), 2)]
        snapshot = begin(header, first, pins, entries)
    counts = read_kept_counts(blocks) if encoding else {}
    recalled = read_recalled(ask, more[0]) if ask is not None else None
    place = more[0] if more and ask is None else None
    told = Told(float(place) if place else None, kind in ("tail", "older"))
    return Taken(kind, snapshot, counts, dict(zip(documents[::2], documents[1::2], strict=True)), told, recalled)


def hold(held: Held | None, encoding: str, asked_at: Instant, taken: Taken | None) -> Held | None:
    """Return what is held after *taken*. The counts are shared, so only the loop changes them."""
    if taken is None:
        return None
    counts: dict[str, dict[int, Counts]] = {}
    fold, recalled, notes = None, taken.recalled, dict[Any, Recollection]()
    if held is not None and taken.kind in CONTINUING:
        counts, fold = held.counts, held.fold
        if recalled is None:
            recalled, notes = held.recalled, held.notes if held.notes is not None else notes
    if encoding:
        counts.setdefault(encoding, {}).update(taken.counts)
    forms = held.forms if held is not None else NO_FORMS
    return Held(taken.snapshot, asked_at, counts, taken.marks, forms, fold, recalled, notes)


def read_recalled(ask: Ask, told: Any) -> Recalled | None:
    """Return what the script *told*, None where it says that the reader knows."""
    if not told:
        return None
    mark, from_id, listed, days, *_ = told
    ranks = [
        Rank(int(place), int(score) / 1000 if score else None, read_entry(int(place), raw).item if raw else None)
        for place, score, raw in zip(listed[::3], listed[1::3], listed[2::3], strict=True)
    ]
    since = [each.split(":") for each in days.split(";") if each]
    return Recalled(ask, mark, from_id, tuple(ranks), tuple([(int(place), int(day)) for place, day in since]))
