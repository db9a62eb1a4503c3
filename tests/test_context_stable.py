"""A stable window moves rarely, and what that costs is bounded."""

from itertools import pairwise

import orjson
from hypothesis import given, settings

from scripts.proving.contexts.oracle import facts, tokens_of
from shared.context.fit import Selection, fit
from shared.context.render import render
from shared.context.units import fold
from shared.items.item import Item
from tests.examples import examples
from tests.logs import chats

Case = tuple[list[Item], int]


def growing(case: Case) -> list[tuple[list[Item], Selection]]:
    """The selections of a log at the end of each of its turns."""
    log, budget = case
    ends = [at for at in range(2, len(log)) if log[at].kind == "u"] + [len(log)]
    return [(log[:end], fit(fold(log[:end]), budget, stable_prefix=True)) for end in ends]


@settings(max_examples=examples(200), deadline=None)
@given(chats())
def test_it_gives_up_at_most_a_third_of_the_budget_and_one_turn(case: Case) -> None:
    _, budget = case
    for log, selection in growing(case):
        turns = facts(log).turns
        ids = [log[turn[0].head[0]].id for turn in turns]
        weights = [log[turn[0].head[0]].preceding_tokens for turn in turns]
        start = ids.index(str(selection.first_id))
        system_tokens = 3 + log[0].overhead_tokens + log[0].content_tokens
        fitting = [
            index
            for index in range(len(turns))
            if system_tokens + tokens_of(log, [unit for turn in turns[index:] for unit in turn]) <= budget
        ]
        longest = min(fitting, default=start)

        assert start == longest or weights[start - 1] - weights[longest] < max(1, budget // 3)


@settings(max_examples=examples(200), deadline=None)
@given(chats())
def test_the_window_moves_only_forward_and_only_when_it_overflows(case: Case) -> None:
    _, budget = case
    for (earlier_log, earlier), (log, later) in pairwise(growing(case)):
        ids = [item.id for item in log]
        before, after = ids.index(str(earlier.first_id)), ids.index(str(later.first_id))
        from_before = tokens_of(
            log,
            [unit for turn in facts(log).turns for unit in turn if unit.head[0] >= before],
        )
        system_tokens = 3 + log[0].overhead_tokens + log[0].content_tokens
        anchored = earlier.omitted.items == before - 1 and before < len(earlier_log)

        assert before <= after
        assert before == after or not anchored or system_tokens + from_before > budget


@settings(max_examples=examples(200), deadline=None)
@given(chats())
def test_while_it_stands_a_longer_log_only_adds_messages(case: Case) -> None:
    for (_, earlier), (_, later) in pairwise(growing(case)):
        if earlier.first_id == later.first_id and earlier.omitted.items == later.omitted.items:
            before = orjson.loads(render("chat", earlier).members["messages"])
            after = orjson.loads(render("chat", later).members["messages"])

            assert after[: len(before)] == before
