"""A context is the same whatever is kept beside what is held; what is kept decides only what it costs."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.context.formats.unit_form import NO_FORMS
from shared.context.render import FORMATS
from shared.context.summarised import summarised
from shared.context.wanted import PARAMETERS, ContextRequest, read_context_request
from shared.conversations.composed import COPIED_ITEMS, LARGE_BYTES, LARGE_ITEMS, Composed, compose, is_large
from shared.conversations.entries import DELETION, Entry
from shared.conversations.folds import newest_fold
from shared.conversations.held import Held
from shared.conversations.snapshot import Snapshot, advance
from shared.errors import ContextDoesNotFit
from shared.items.counts import PRIMARY_ENCODING
from shared.process.clock import Instant
from shared.request.parameters import read_members
from tests.examples import examples
from tests.snapshots import HEADER, SECOND, grown, lives, recount, snapshot_of, talk

NOW = Instant(0.0, 0.0)


def wanted(budget: int, **values: object) -> ContextRequest:
    return read_context_request(read_members(PARAMETERS, {"budget": budget, "document_budget": 0, **values}))


def held(snapshot: Snapshot, encoding: str = "") -> Held:
    items = list(summarised(snapshot.items, snapshot.summary))
    return Held(snapshot, NOW, {encoding: recount(items)} if encoding else {}, {})


def composed(what: Held, request: ContextRequest) -> Composed | int:
    try:
        answer = compose("conv", what, request)
    except ContextDoesNotFit as refusal:
        return int(str(refusal.extensions["needed_tokens"]))
    assert answer is not None
    return answer


@settings(max_examples=examples(300), deadline=None)
@given(lives(), st.sampled_from(["", SECOND]), st.booleans(), st.data())
def test_the_bytes_are_those_of_a_context_that_nothing_was_kept_for(
    life: tuple[list[list[Entry]], int], encoding: str, stable_prefix: bool, data: st.DataObject
) -> None:
    batches, budget = life
    fold, forms = None, NO_FORMS
    for snapshot in grown(batches):
        bare = held(snapshot, encoding)
        asked = data.draw(st.sampled_from([budget, budget // 2, budget * 3])) + 1
        form = data.draw(st.sampled_from(FORMATS))
        request = wanted(asked, format=form, stable_prefix=stable_prefix, encoding=encoding or PRIMARY_ENCODING)
        with_kept, without = composed(bare._replace(fold=fold, forms=forms), request), composed(bare, request)

        if isinstance(with_kept, int) or isinstance(without, int):
            assert with_kept == without
            continue
        assert with_kept.body is not None
        assert without.body is not None
        assert b"".join(with_kept.body) == b"".join(without.body)
        fold, forms = with_kept.fold, with_kept.forms


def test_what_is_new_and_what_may_be_kept_decide_whether_it_is_work_for_a_thread() -> None:
    count = LARGE_ITEMS * 2
    log = talk(count + LARGE_ITEMS + 1)
    bare = held(snapshot_of(log[:count]))
    small, large = wanted(2_000), wanted(10**6)
    kept = bare._replace(fold=newest_fold(bare.snapshot, None, "", {}, 2_000))
    grown_by = {more: kept._replace(snapshot=snapshot_of(log[: count + more])) for more in (2, LARGE_ITEMS + 1)}

    assert is_large(bare, small)
    assert not is_large(kept, small)
    assert not is_large(grown_by[2], small)
    assert is_large(grown_by[LARGE_ITEMS + 1], small)
    assert is_large(kept, large)
    assert is_large(kept, wanted(2_000, encoding=SECOND))


def test_a_fold_that_lost_an_item_is_work_for_a_thread() -> None:
    bare = held(snapshot_of(talk(LARGE_ITEMS * 2)))
    kept = bare._replace(fold=newest_fold(bare.snapshot, None, "", {}, 2_000))
    deletion = Entry(LARGE_ITEMS * 2 + 1, "d", DELETION, target=LARGE_ITEMS * 2)
    after = advance(bare.snapshot, HEADER._replace(version=deletion.seq), [deletion])

    assert is_large(kept._replace(snapshot=after), wanted(2_000))


def test_few_items_of_many_bytes_are_work_for_a_thread() -> None:
    log = talk(LARGE_ITEMS * 2)
    log[-1] = log[-1]._replace(body=b"x" * (LARGE_BYTES + 1))
    bare = held(snapshot_of(log))

    assert is_large(bare._replace(fold=newest_fold(bare.snapshot, None, "", {}, 2_000)), wanted(2_000))


def test_a_very_long_fold_grows_in_a_thread() -> None:
    log = talk(COPIED_ITEMS + 4)
    bare = held(snapshot_of(log[:-2]))
    kept = bare._replace(fold=newest_fold(bare.snapshot, None, "", {}, 10**9))

    assert not is_large(kept, wanted(2_000))
    assert is_large(kept._replace(snapshot=snapshot_of(log)), wanted(2_000))
