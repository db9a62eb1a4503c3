"""Where a beginning ends that later contexts have as well, how it is marked, and what of it was sent before."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from scripts.proving.contexts.dialogues import folded
from scripts.proving.contexts.promises import recount
from scripts.proving.providers.by_format import faults_of
from shared.context.again import tokens_again
from shared.context.fit import Selection, fit
from shared.context.format_rules import RULES
from shared.context.formats.rendering import Rendering
from shared.context.render import render
from shared.context.units import Folded
from shared.items.item import Item
from shared.tokens.rule import REPLY_TOKENS
from tests.examples import examples
from tests.logs import characters, chats, logs_with_budgets
from tests.selections import Case, select

MESSAGES = {"items": "input", "chat": "messages", "anthropic": "messages", "gemini": "contents"}
"""By formats that have some."""


def growing(case: Case, context_format: str) -> list[tuple[list[Item], Folded, Selection, Rendering]]:
    """The contexts of a log at the end of each of its turns."""
    log, budget = case
    ends = [at for at in range(2, len(log)) if log[at].kind == "u"] + [len(log)]
    found = []
    for end in ends:
        fold = folded(log[:end], context_format)
        selection = fit(fold, budget, stable_prefix=True)
        found.append((log[:end], fold, selection, render(context_format, selection)))
    return found


def messages_of(context_format: str, rendering: Rendering) -> list[Any]:
    sent: list[Any] = orjson.loads(rendering.members[MESSAGES[context_format]])
    return sent


@pytest.mark.parametrize("context_format", MESSAGES)
@settings(max_examples=examples(150), deadline=None)
@given(case=chats())
def test_while_the_window_stands_later_contexts_begin_alike(context_format: str, case: Case) -> None:
    for (_, _, earlier, before), (_, _, later, after) in pairwise(growing(case, context_format)):
        if earlier.first_id == later.first_id and earlier.omitted.items == later.omitted.items:
            older, newer = messages_of(context_format, before), messages_of(context_format, after)

            assert newer[: before.breakpoints[-1]] == older[: before.breakpoints[-1]]


@pytest.mark.parametrize("context_format", MESSAGES)
@settings(max_examples=examples(150), deadline=None)
@given(case=logs_with_budgets())
def test_each_is_of_so_many_messages(context_format: str, case: Case) -> None:
    rendering = render(context_format, select(case, context_format))
    count = len(messages_of(context_format, rendering))

    assert list(rendering.breakpoints) == sorted({*rendering.breakpoints})
    assert all(0 <= each <= count for each in rendering.breakpoints)
    assert len(rendering.breakpoints) <= 3
    if 0 in rendering.breakpoints:
        assert rendering.members.get("system", b"[]") != b"[]" or "system_instruction" in rendering.members


@settings(max_examples=examples(200), deadline=None)
@given(case=logs_with_budgets())
def test_marks_are_on_the_last_blocks_of_beginnings_and_nothing_else_changes(case: Case) -> None:
    selection = select(case, "anthropic")
    plain = render("anthropic", selection)
    marked = render("anthropic", selection._replace(cached_for="1h"), plain.forms)
    system, messages = (orjson.loads(marked.members[name]) for name in ("system", "messages"))
    at = [number for number, message in enumerate(messages, 1) if "cache_control" in message["content"][-1]]
    marks = [
        block.pop("cache_control")
        for block in (*system, *(b for m in messages for b in m["content"]))
        if "cache_control" in block
    ]

    assert set(at) <= set(marked.breakpoints)
    assert len(marks) <= 4
    assert all(mark == {"type": "ephemeral", "ttl": "1h"} for mark in marks)
    assert len(marks) == len(at) + bool(system)
    assert {"system": system, "messages": messages} == {
        name: orjson.loads(value) for name, value in plain.members.items()
    }
    assert faults_of("anthropic", plain.members) == []
    assert marked.forms == plain.forms


@settings(max_examples=examples(150), deadline=None)
@given(case=chats())
def test_what_was_sent_before_is_the_beginning_that_both_have(case: Case) -> None:
    _, budget = case
    for (before_log, _, before, _), (log, fold, selection, after) in pairwise(growing(case, "chat")):
        pairs = enumerate(zip(before.items, selection.items, strict=False))
        same = next((at for at, (old, new) in pairs if old.seq != new.seq), len(before.items))
        told = tokens_again(selection, fold, log, before_log[-1].seq, lambda each: fit(each, budget, True))

        assert told == recount(messages_of("chat", after)[:same], characters) - REPLY_TOKENS


@settings(max_examples=examples(150), deadline=None)
@given(case=logs_with_budgets())
@pytest.mark.parametrize("context_format", ["chat", "anthropic", "gemini"])
def test_all_of_it_was_sent_with_the_same_version(context_format: str, case: Case) -> None:
    log, budget = case
    selection = select(case, context_format, stable_prefix=True)
    fold = folded(log, context_format)
    newest_seq = max((item.seq for item in log), default=0)
    told = tokens_again(selection, fold, log, newest_seq, lambda each: fit(each, budget, True))

    assert told == selection.tokens - REPLY_TOKENS
    assert fold.rules is RULES[context_format] or fold.is_common
