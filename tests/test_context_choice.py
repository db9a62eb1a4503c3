"""The choice is the oracle's, for every log and budget."""

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.proving.contexts.oracle import Expected, expected
from shared.context.fit import Selection, fit
from shared.context.units import fold
from shared.errors import ContextDoesNotFit
from shared.items.item import Item
from tests.examples import examples
from tests.logs import chats, logs_with_budgets


def chosen(log: list[Item], budget: int, *, stable_prefix: bool) -> Expected:
    try:
        selection: Selection = fit(fold(log), budget, stable_prefix)
    except ContextDoesNotFit as error:
        needed_tokens = error.extensions["needed_tokens"]
        assert isinstance(needed_tokens, int)
        return Expected([], [], 0, needed_tokens)
    sent = [item.id for unit in selection.units for item in unit]
    return Expected(sent, [item.id for item in selection.items], selection.tokens)


@settings(max_examples=examples(1000), deadline=None)
@given(logs_with_budgets())
def test_the_newest_turns_that_fit_are_kept(case: tuple[list[Item], int]) -> None:
    log, budget = case

    assert expected(log, budget) == chosen(log, budget, stable_prefix=False)


@settings(max_examples=examples(1200), deadline=None)
@given(st.one_of(logs_with_budgets(), chats()))
def test_a_stable_window_starts_at_the_earliest_anchor_that_fits(case: tuple[list[Item], int]) -> None:
    log, budget = case

    assert expected(log, budget, stable_prefix=True) == chosen(log, budget, stable_prefix=True)
