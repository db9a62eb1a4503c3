"""Each promise, checked on its own on what is sent, for every format."""

import pytest
from hypothesis import assume, given, settings

from shared.context.fit import Selection, fit
from shared.context.render import Format, render
from shared.context.units import fold
from shared.errors import ContextDoesNotFit
from shared.items.item import Item
from tests.context_oracle import facts
from tests.context_promises import broken_promises, recount
from tests.logs import characters, logs_with_budgets

Case = tuple[list[Item], int]


def select(case: Case, *, stable_prefix: bool = False) -> Selection:
    log, budget = case
    try:
        return fit(fold(log), budget, stable_prefix)
    except ContextDoesNotFit:
        assume(False)
        raise


@pytest.mark.parametrize("stable_prefix", [False, True])
@pytest.mark.parametrize("context_format", Format)
@settings(max_examples=250, deadline=None)
@given(case=logs_with_budgets())
def test_every_format_keeps_the_promises(context_format: Format, stable_prefix: bool, case: Case) -> None:
    selection = select(case, stable_prefix=stable_prefix)
    rendering = render(context_format, selection)

    assert broken_promises(*case, selection.tokens, context_format, rendering.members) == set()
