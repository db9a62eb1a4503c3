"""A context chosen from the tail of a conversation is the one that would have been chosen from all of it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.context.fit import fit
from shared.context.tail import first_that_fits, first_that_matters, is_enough
from shared.context.units import fold
from shared.conversations.entries import DELETION, Entry
from shared.conversations.snapshot import (
    Snapshot,
    advance,
    begin,
    extend,
    is_all_from,
    items_from,
    tail_start,
)
from shared.errors import ContextDoesNotFit
from shared.items.item import Item
from shared.items.kinds import Kind
from tests.examples import examples
from tests.logs import chats, logs_with_budgets
from tests.snapshots import HEADER, numbered, outcome, snapshot_of


def tail(snapshot: Snapshot, tokens_min: int) -> tuple[list[Item], bool]:
    """The pinned items and the newest others that hold *tokens_min*, and whether that is all there is."""
    start = tail_start(snapshot, tokens_min)
    return list(items_from(snapshot, start)), is_all_from(snapshot, start)


@settings(max_examples=examples(1500), deadline=None)
@given(st.one_of(logs_with_budgets(), chats()), st.booleans(), st.floats(0, 2))
def test_a_tail_that_is_enough_decides_as_everything_does(
    case: tuple[list[Item], int], stable_prefix: bool, share: float
) -> None:
    log, budget = numbered(case[0]), case[1]
    items, is_all = tail(snapshot_of(log), int(budget * share))
    if is_all or is_enough(fold(items), budget):
        everything = outcome(log, budget, stable_prefix=stable_prefix)

        assert outcome(items, budget, stable_prefix=stable_prefix) == everything


@settings(max_examples=examples(800), deadline=None)
@given(st.one_of(logs_with_budgets(), chats()), st.booleans(), st.data())
def test_what_does_not_matter_does_not_matter_when_kept_items_grow(
    case: tuple[list[Item], int], stable_prefix: bool, data: st.DataObject
) -> None:
    log, budget = case
    folded = fold(log)
    start = first_that_matters(folded, budget)
    try:
        kept = fit(folded, budget, stable_prefix)
    except ContextDoesNotFit:
        return
    longer = dict.fromkeys(data.draw(st.lists(st.sampled_from(kept.positions), max_size=3)) if kept.positions else [])
    log = [
        item._replace(content_tokens=item.content_tokens + 40) if at in longer else item for at, item in enumerate(log)
    ]
    items = [item for at, item in enumerate(log) if at >= start or item.kind in (Kind.SYSTEM, Kind.SUMMARY)]

    assert outcome(items, budget, stable_prefix=stable_prefix) == outcome(log, budget, stable_prefix=stable_prefix)


@settings(max_examples=examples(300), deadline=None)
@given(st.one_of(logs_with_budgets(), chats()), st.booleans())
def test_from_before_what_fits_a_window_holds_a_user_message_and_the_last_unit_at_most(
    case: tuple[list[Item], int], stable_prefix: bool
) -> None:
    log, budget = case
    folded = fold(log)
    start = first_that_fits(folded, budget)
    try:
        kept = fit(folded, budget, stable_prefix)
    except ContextDoesNotFit:
        return
    before = [unit for unit in folded.units if unit.first < start and unit.first in kept.positions]

    assert len(before) <= 2
    assert all(log[unit.first].kind == Kind.USER or folded.last_sent in unit.members for unit in before)


@settings(max_examples=examples(1000), deadline=None)
@given(st.one_of(logs_with_budgets(), chats()), st.booleans(), st.integers(0, 60))
def test_a_tail_that_a_full_reply_cut_anywhere_is_enough_only_where_it_decides_the_same(
    case: tuple[list[Item], int], stable_prefix: bool, first: int
) -> None:
    log, budget = numbered(case[0]), case[1]
    items = [item for at, item in enumerate(log) if at >= first or item.kind == Kind.SYSTEM]
    if is_enough(fold(items), budget):
        everything = outcome(log, budget, stable_prefix=stable_prefix)

        assert outcome(items, budget, stable_prefix=stable_prefix) == everything


@settings(max_examples=examples(300), deadline=None)
@given(chats())
def test_the_usual_tail_of_an_ordinary_conversation_is_enough(case: tuple[list[Item], int]) -> None:
    log, budget = numbered(case[0]), case[1]
    items, is_all = tail(snapshot_of(log), budget * 5 // 4 + 500)

    assert is_all or is_enough(fold(items), budget)


@settings(max_examples=examples(300), deadline=None)
@given(chats(), st.integers(0, 60), st.integers(0, 3000))
def test_a_tail_of_a_tail_is_the_tail_of_the_whole(case: tuple[list[Item], int], first: int, tokens_min: int) -> None:
    log = numbered(case[0])
    users = [item.seq for item in log if item.kind == Kind.USER and item.seq >= first]
    partial = snapshot_of(log, users[0] if users else 1)
    if partial.tail_tokens >= tokens_min:
        assert tail(partial, tokens_min)[0] == tail(snapshot_of(log), tokens_min)[0]


@settings(max_examples=examples(300), deadline=None)
@given(logs_with_budgets(), st.data())
def test_a_snapshot_is_the_same_whichever_way_its_entries_came(
    case: tuple[list[Item], int], data: st.DataObject
) -> None:
    log = numbered(case[0])
    entries = [Entry(item.seq, f"{item.seq:x}", item.kind, item) for item in log]
    for target in data.draw(st.lists(st.sampled_from([item.seq for item in log]), unique=True) if log else st.just([])):
        entries.append(Entry(len(log) + len(entries) + 10, "d", DELETION, target=target))
    header = HEADER._replace(version=entries[-1].seq if entries else 0)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(entries)), max_size=3)))
    snapshot = begin(header, 1, [], [])
    for start, end in zip([0, *cuts], [*cuts, len(entries)], strict=True):
        snapshot = advance(snapshot, header, entries[start:end])
    whole = begin(header, 1, [], entries)

    assert snapshot.items == whole.items
    assert snapshot.pins == whole.pins == tuple(item for item in whole.items if item.kind == Kind.SYSTEM)
    assert (snapshot.tail_tokens, snapshot.size_bytes) == (whole.tail_tokens, whole.size_bytes)
    assert snapshot.turn_tokens == whole.turn_tokens
    assert snapshot.chains == whole.chains


@settings(max_examples=examples(300), deadline=None)
@given(logs_with_budgets(), st.integers(1, 60), st.integers(1, 60))
def test_a_tail_that_older_entries_extend_is_the_longer_tail(
    case: tuple[list[Item], int], one: int, other: int
) -> None:
    log = numbered(case[0])
    entries = [Entry(item.seq, f"{item.seq:x}", item.kind, item) for item in log]
    first, later = sorted((one, other))

    def tail_from(start: int) -> Snapshot:
        pins = [entry for entry in entries if entry.seq < start and entry.kind == Kind.SYSTEM]
        return begin(HEADER, start, pins, [entry for entry in entries if entry.seq >= start])

    extended = extend(tail_from(later), first, [entry for entry in entries if first <= entry.seq < later])

    assert extended._replace(chains=()) == tail_from(first)._replace(chains=())


@settings(max_examples=examples(300), deadline=None)
@given(logs_with_budgets(), st.integers(1, 60))
def test_a_tail_that_begins_anywhere_counts_as_much_as_it_holds_of_whole_turns(
    case: tuple[list[Item], int], first: int
) -> None:
    log = numbered(case[0])
    users = [item.seq for item in log if item.kind == Kind.USER and item.seq >= first]
    torn, begun = snapshot_of(log, first), snapshot_of(log, users[0] if users else len(log) + 100)

    assert torn.turn_tokens == begun.tail_tokens
