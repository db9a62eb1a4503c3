"""A fold that grew with its log is the fold of the whole log."""

from collections.abc import Iterable
from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.context.units import NOTHING, Folded, extend, fold
from shared.items.item import Item
from tests.examples import examples
from tests.logs import chats, logs

cuts = st.lists(st.integers(0, 60), max_size=8).map(sorted)


def grown(log: list[Item], ends: Iterable[int]) -> list[Folded]:
    """The folds of *log* up to each of *ends* and of all of it, each grown from the one before."""
    folds = [NOTHING]
    for end in (*(end for end in ends if end < len(log)), len(log)):
        folds.append(extend(folds[-1], log[:end]))
    return folds


def plain(folded: Folded) -> Folded:
    """*folded* with its items as a list: they may be any sequence."""
    return folded._replace(items=list(folded.items))


@settings(max_examples=examples(1500), deadline=None)
@given(logs(), cuts)
def test_it_does_not_matter_in_which_pieces_the_items_came(log: list[Item], ends: list[int]) -> None:
    assert plain(grown(log, ends)[-1]) == plain(fold(log))


@settings(max_examples=examples(300), deadline=None)
@given(logs())
def test_items_that_come_one_by_one_give_the_same_at_each_of_them(log: list[Item]) -> None:
    for each in grown(log, range(len(log))):
        assert plain(each) == plain(fold(each.items))


@settings(max_examples=examples(300), deadline=None)
@given(logs(), logs(), cuts)
def test_what_a_fold_grew_into_leaves_it_as_it_was(log: list[Item], other: list[Item], ends: list[int]) -> None:
    folds = grown(log, ends)
    copies = deepcopy([plain(each) for each in folds])
    for each in folds:
        assert plain(extend(each, [*each.items, *other])) == plain(fold([*each.items, *other]))

    assert [plain(each) for each in folds] == copies


@settings(max_examples=examples(100), deadline=None)
@given(chats())
def test_what_nothing_new_touches_is_taken_over(case: tuple[list[Item], int]) -> None:
    log, _ = case
    before = fold(log[:-1])

    assert all(ours is theirs for ours, theirs in zip(before.units[:-1], extend(before, log).units, strict=False))
