"""Each promise, checked on its own on what is sent, for every format."""

import orjson
import pytest
from hypothesis import given, settings

from scripts.proving.contexts.counting import counted
from scripts.proving.contexts.oracle import facts
from scripts.proving.contexts.promises import broken_promises, recount
from shared.context.fit import fit
from shared.context.render import FORMATS, render
from shared.context.units import fold
from shared.errors import ContextDoesNotFit
from shared.items.item import Item
from tests.examples import examples
from tests.logs import characters, logs, logs_with_budgets
from tests.selections import Case, select


@pytest.mark.parametrize("stable_prefix", [False, True])
@pytest.mark.parametrize("context_format", FORMATS)
@settings(max_examples=examples(200), deadline=None)
@given(case=logs_with_budgets())
def test_every_format_keeps_the_promises(context_format: str, stable_prefix: bool, case: Case) -> None:
    selection = select(case, context_format, stable_prefix=stable_prefix)
    rendering = render(context_format, selection)

    assert broken_promises(*case, selection.tokens, context_format, rendering.members) == set()


@settings(max_examples=examples(300), deadline=None)
@given(logs_with_budgets())
def test_tokens_are_those_of_the_chat_messages(case: Case) -> None:
    selection = select(case)
    messages = orjson.loads(render("chat", selection).members["messages"])

    assert recount(messages, characters) == selection.tokens <= case[1]


@pytest.mark.parametrize("context_format", FORMATS)
@settings(max_examples=examples(300), deadline=None)
@given(case=logs_with_budgets())
def test_tokens_are_those_of_what_is_sent(context_format: str, case: Case) -> None:
    selection = select(case, context_format)

    assert counted(selection, render(context_format, selection).members, characters) == selection.tokens <= case[1]


@settings(max_examples=examples(200), deadline=None)
@given(logs_with_budgets())
def test_newest_user_message_and_last_unit_are_always_kept(case: Case) -> None:
    log, _ = case
    selection = select(case)
    known = facts(log)
    kept = {item.id for item in selection.items}
    wanted = [at for at in (*known.systems, *known.note, known.newest_user, known.last) if at is not None]

    assert {log[at].id for at in wanted} <= kept


@settings(max_examples=examples(200), deadline=None)
@given(logs_with_budgets())
def test_only_what_cannot_fit_is_refused_and_the_needed_budget_does(case: Case) -> None:
    log, budget = case
    try:
        selection = fit(fold(log), budget)
        needed = budget
    except ContextDoesNotFit as refusal:
        needed = int(str(refusal.extensions["needed_tokens"]))
        selection = fit(fold(log), needed)

        assert selection.tokens == needed > budget

    assert selection.tokens <= needed


@settings(max_examples=examples(200), deadline=None)
@given(logs())
def test_a_budget_for_everything_leaves_out_only_what_can_never_be_sent(log: list[Item]) -> None:
    known = facts(log)
    never = [*known.orphans, *known.unanswered, *known.dangling]
    never += [at for unit in known.leading for at in unit.members]
    selection = fit(fold(log), 10**9)

    assert {item.id for item in log} - {item.id for item in selection.items} == {log[at].id for at in never}
    assert selection.omitted.items == len(set(never))
    assert selection.omitted.tokens == sum(log[at].overhead_tokens + log[at].content_tokens for at in never)


@settings(max_examples=examples(200), deadline=None)
@given(logs_with_budgets())
def test_what_can_never_be_sent_is_named_from_the_start_of_the_window_on(case: Case) -> None:
    log, _ = case
    selection = select(case)
    known = facts(log)
    kept = [at for at, item in enumerate(log) if item in selection.items and item.kind not in "sy"]
    start = min(kept, default=len(log))
    omitted = selection.omitted

    assert omitted.orphan_outputs == [log[at].id for at in known.orphans if at >= start]
    assert omitted.unanswered_calls == [log[at].id for at in known.unanswered if at >= start]
    assert omitted.dangling_reasoning == [log[at].id for at in known.dangling if at >= start]


@settings(max_examples=examples(100), deadline=None)
@given(logs_with_budgets())
def test_the_same_log_and_parameters_give_the_same_bytes(case: Case) -> None:
    log, budget = case
    for form in FORMATS:
        first, second = select(case, form), select((list(log), budget), form)

        assert first == second
        assert render(form, first) == render(form, second)


@settings(max_examples=examples(200), deadline=None)
@given(logs_with_budgets())
def test_a_context_is_exact_only_when_it_is_messages_of_one_text(case: Case) -> None:
    selection = select(case)
    messages = orjson.loads(render("chat", selection).members["messages"])
    plain = all(
        isinstance(message["content"], str) and message.keys() <= {"role", "content", "name"} for message in messages
    )

    if selection.only_text:
        assert plain
