"""What was made of a unit for one context serves the next, and gives the same bytes."""

import tracemalloc

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scripts.proving.contexts.dialogues import folded, to_log
from shared.context.fit import Selection, fit
from shared.context.formats.unit_form import KEPT_BYTES_MAX, NO_FORMS, UNIT_BYTES
from shared.context.render import FORMATS, render
from shared.errors import ContextDoesNotFit
from shared.items.item import Item
from tests.examples import examples
from tests.logs import characters, logs_with_budgets

LONG = {"type": "message", "role": "user", "content": "x" * 100}


def select(log: list[Item], budget: int, context_format: str = "chat") -> Selection:
    try:
        return fit(folded(log, context_format), budget)
    except ContextDoesNotFit:
        assume(False)
        raise


@pytest.mark.parametrize("context_format", FORMATS)
@settings(max_examples=examples(200), deadline=None)
@given(case=logs_with_budgets(), data=st.data())
def test_a_context_is_the_same_whatever_was_kept(
    context_format: str, case: tuple[list[Item], int], data: st.DataObject
) -> None:
    log, budget = case
    some, more = log[: data.draw(st.integers(0, len(log)))], data.draw(st.integers(budget, 2 * budget + 100))
    kept = render(context_format, select(some, more, context_format)).forms
    selection = select(log, budget, context_format)
    rendering, fresh = render(context_format, selection, kept), render(context_format, selection)

    assert rendering.members == fresh.members
    assert rendering.unsupported == fresh.unsupported
    assert render(context_format, selection, rendering.forms).forms is rendering.forms


def test_only_what_is_new_is_encoded() -> None:
    log = to_log([{**LONG, "id": f"m{seq}"} for seq in range(10)], characters)
    kept = render("chat", select(log[:9], 10**6)).forms
    forms = render("chat", select(log, 10**6), kept).forms

    assert [seq for seq, form in forms.units.items() if form is not kept.units.get(seq)] == [log[9].seq]


def test_items_with_other_bytes_are_others() -> None:
    log = to_log([{**LONG, "id": "m"}], characters)
    kept = render("chat", select(log, 10**6)).forms
    other = [log[0]._replace(body=log[0].body.replace(b"xxx", b"yyy"))]

    assert b"yyy" in render("chat", select(other, 10**6), kept).members["messages"]


def test_forms_that_are_too_large_are_not_kept() -> None:
    log = to_log([{**LONG, "id": "m", "content": "x" * KEPT_BYTES_MAX}], characters)

    assert render("chat", select(log, 10**9)).forms is NO_FORMS


@pytest.mark.parametrize("context_format", ["chat", "items"])
def test_a_form_holds_about_what_it_is_charged(context_format: str) -> None:
    log = to_log([{**LONG, "id": f"m{seq}"} for seq in range(2_000)], characters)
    selection = fit(folded(log, context_format), 10**9)
    tracemalloc.start()
    forms = render(context_format, selection).forms
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert forms.size_bytes == sum(UNIT_BYTES + len(b"".join(form.pieces)) for form in forms.units.values())
    assert 0.6 < held / forms.size_bytes < 1.1
