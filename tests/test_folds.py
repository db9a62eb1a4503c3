"""What is kept of a fold beside a snapshot that changes decides what everything, folded anew, would decide."""

import gc
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.context.summarised import summarised
from shared.context.units import Folded, fold
from shared.conversations.entries import DELETION, Entry
from shared.conversations.folds import Kept, newest_fold, news_of, stored_items
from shared.conversations.kept_counts import Uncounted, recounted
from shared.conversations.snapshot import Snapshot, advance
from shared.items.kinds import Kind
from tests.examples import examples
from tests.snapshots import HEADER, SECOND, grown, lives, outcome, recount, snapshot_of, talk


def plain(folded: Folded) -> Folded:
    return folded._replace(items=list(folded.items))


@settings(max_examples=examples(800), deadline=None)
@given(lives(), st.booleans(), st.sampled_from(["", SECOND]), st.data())
def test_a_kept_fold_decides_as_everything_does(
    life: tuple[list[list[Entry]], int], stable_prefix: bool, encoding: str, data: st.DataObject
) -> None:
    batches, budget = life
    kept: Kept | None = None
    for snapshot in grown(batches):
        if data.draw(st.booleans()):
            continue  # Not every version is asked for.
        asked = data.draw(st.sampled_from([budget, budget // 2, budget * 3]))
        everything = list(summarised(snapshot.items, snapshot.summary))
        counts = recount(everything) if encoding else {}
        kept = newest_fold(snapshot, kept, encoding, counts, asked)

        assert kept is not None
        assert [item.id for item in stored_items(kept, snapshot)] == [item.id for item in kept.folded.items]
        assert plain(kept.folded) == plain(fold(kept.folded.items))
        counted = recounted(everything, counts) if encoding else everything
        decided = outcome(list(kept.folded.items), asked, stable_prefix=stable_prefix)
        assert decided == outcome(counted, asked, stable_prefix=stable_prefix)


@settings(max_examples=examples(500), deadline=None)
@given(lives(), st.booleans(), st.integers(1, 30))
def test_a_fold_of_a_tail_decides_as_everything_does_or_says_that_it_cannot(
    life: tuple[list[list[Entry]], int], stable_prefix: bool, first: int
) -> None:
    batches, budget = life
    kept: Kept | None = None
    partial: Snapshot | None = None
    for batch, snapshot in zip(batches, grown(batches), strict=True):
        partial = tail_of(snapshot, first) if partial is None else advance(partial, snapshot.header, batch)
        made = newest_fold(partial, kept, "", {}, budget)
        if made is not None:
            kept = made
            everything = list(summarised(snapshot.items, snapshot.summary))

            assert outcome(list(kept.folded.items), budget, stable_prefix=stable_prefix) == outcome(
                everything, budget, stable_prefix=stable_prefix
            )


def tail_of(snapshot: Snapshot, first: int) -> Snapshot:
    """*snapshot* as one that knows the items from a user message on, the first at or after seq *first*."""
    users = [item.seq for item in snapshot.items if item.kind == Kind.USER and item.seq >= first]
    return snapshot_of(list(snapshot.items), users[0] if users else 1)._replace(
        header=snapshot.header, summary=snapshot.summary
    )


def test_only_what_is_new_is_folded() -> None:
    log = talk(402)
    before = newest_fold(snapshot_of(log[:400]), None, "", {}, 300)
    assert before is not None
    snapshot = snapshot_of(log)
    after = newest_fold(snapshot, before, "", {}, 300)
    assert after is not None

    assert len(before.folded.items) <= 60
    assert len(after.folded.items) == len(before.folded.items) + 2
    assert all(ours is theirs for ours, theirs in zip(before.folded.units, after.folded.units, strict=False))
    assert newest_fold(snapshot, after, "", {}, 300) is after


def test_a_larger_budget_than_before_gets_a_longer_fold_and_a_smaller_one_the_same() -> None:
    snapshot = snapshot_of(talk(400))
    small = newest_fold(snapshot, None, "", {}, 300)
    large = newest_fold(snapshot, small, "", {}, 3_000)

    assert small is not None
    assert large is not None
    assert len(large.folded.items) > len(small.folded.items)
    assert newest_fold(snapshot, large, "", {}, 300) is large


@pytest.mark.parametrize("target", [1, 390, 400])
def test_a_deletion_within_a_fold_ends_it(target: int) -> None:
    log = talk(400)
    snapshot = snapshot_of(log)
    kept = newest_fold(snapshot, None, "", {}, 10**6)
    after = advance(snapshot, HEADER._replace(version=401), [Entry(401, "d", DELETION, target=target)])

    assert news_of(kept, "", snapshot) == ()
    assert news_of(kept, "", after) is None


def test_what_was_deleted_before_a_fold_does_not_end_it() -> None:
    snapshot = snapshot_of(talk(400))
    kept = newest_fold(snapshot, None, "", {}, 300)
    after = advance(snapshot, HEADER._replace(version=401), [Entry(401, "d", DELETION, target=3)])

    assert news_of(kept, "", after) == ()


def test_a_fold_in_another_encoding_needs_the_counts_of_what_is_new_only() -> None:
    log = talk(404)
    counts = recount(log[:400])
    kept = newest_fold(snapshot_of(log[:400]), None, SECOND, counts, 300)
    with pytest.raises(Uncounted) as lack:
        newest_fold(snapshot_of(log), kept, SECOND, counts, 300)

    assert lack.value.items == log[400:]
    grown_up = newest_fold(snapshot_of(log), kept, SECOND, recount(log), 300)
    assert grown_up is not None
    assert kept is not None
    assert grown_up.folded.items[: len(kept.folded.items)] == kept.folded.items


@pytest.mark.parametrize("encoding", ["", SECOND])
@pytest.mark.parametrize("budget", [10**6, 8_000])
def test_a_fold_holds_about_what_it_is_charged(encoding: str, budget: int) -> None:
    """Measured here, as for items: neither half nor twice of what the interpreter allocates."""
    snapshot = snapshot_of(talk(4_000))
    counts = recount(list(snapshot.items)) if encoding else {}
    newest_fold(snapshot, None, encoding, counts, budget)  # What is known of ids is the process's.
    gc.collect()
    tracemalloc.start()
    kept = newest_fold(snapshot, None, encoding, counts, budget)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept is not None
    assert 0.8 < held / kept.size_bytes < 1.1
