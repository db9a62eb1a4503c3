"""The choice is the oracle's, for every log and budget."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.proving.contexts.dialogues import folded
from scripts.proving.contexts.oracle import Expected, expected
from scripts.proving.contexts.sendings import SENDINGS
from shared.context.fit import Selection, fit
from shared.context.format_rules import RULES
from shared.context.render import FORMATS
from shared.context.units import counted_for
from shared.errors import ContextDoesNotFit
from shared.items.item import Item
from tests.examples import examples
from tests.logs import chats, logs_with_budgets


def chosen(log: list[Item], budget: int, context_format: str, *, stable_prefix: bool) -> Expected:
    try:
        selection: Selection = fit(folded(log, context_format), budget, stable_prefix)
    except ContextDoesNotFit as error:
        needed_tokens = error.extensions["needed_tokens"]
        assert isinstance(needed_tokens, int)
        return Expected([], [], 0, needed_tokens)
    sent = [item.id for unit in selection.units for item in unit]
    return Expected(sent, [item.id for item in selection.items], selection.tokens)


def wanted(log: list[Item], budget: int, context_format: str, *, stable_prefix: bool) -> Expected:
    counted = counted_for(log, RULES[context_format])
    return expected(counted, budget, stable_prefix, SENDINGS[context_format])


@pytest.mark.parametrize("context_format", FORMATS)
@settings(max_examples=examples(400), deadline=None)
@given(case=logs_with_budgets())
def test_the_newest_turns_that_fit_are_kept(context_format: str, case: tuple[list[Item], int]) -> None:
    log, budget = case

    assert chosen(log, budget, context_format, stable_prefix=False) == wanted(
        log, budget, context_format, stable_prefix=False
    )


@pytest.mark.parametrize("context_format", FORMATS)
@settings(max_examples=examples(400), deadline=None)
@given(case=st.one_of(logs_with_budgets(), chats()))
def test_a_stable_window_starts_at_the_earliest_anchor_that_fits(
    context_format: str, case: tuple[list[Item], int]
) -> None:
    log, budget = case

    assert chosen(log, budget, context_format, stable_prefix=True) == wanted(
        log, budget, context_format, stable_prefix=True
    )
