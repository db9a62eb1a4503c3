"""What a load's answers come to: by hand, and what has to hold for all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.proving.load.answers import Answer, Used, used_of
from scripts.proving.load.ceiling import Turn, ceiling, turns_of
from scripts.proving.load.figures import Late, Measured, Spent, figures, hits
from scripts.proving.load.schedule import Piece, Step
from scripts.proving.load.show import show
from tests.examples import examples


def turn(number: int, tier: str, used: Used | None = None, **more: object) -> Answer:
    values = {"due_s": 1.0, "sent_s": 1.0, "ended_s": 1.1, "status": 200} | more
    return Answer("turn", number, tier=tier, used=used, **values)  # type: ignore[arg-type]


def measured(*answers: Answer, seconds: float = 60.0, spent: Spent | None = None) -> Measured:
    return Measured(list(answers), seconds, spent or Spent(), Late(100, 1, 12.0), Late(100, 2, 20.0))


@pytest.mark.parametrize(
    ("kept", "own", "before", "known", "tier", "expected"),
    [
        (10, 2, 8, 0, "L2", (8, 0, 0)),  # Nothing was ever seen here.
        (10, 2, 8, 8, "L1", (8, 8, 8)),
        (10, 2, 8, 6, "partial", (8, 6, 6)),
        (10, 2, 20, 17, "partial", (8, 5, 5)),  # The three newest of the eight that are shown were not here.
        (10, 2, 20, 9, "partial", (8, 0, 0)),  # What was here is older than what is shown.
        (10, 2, 20, 17, "L2", (8, 0, 5)),  # It was here once, and had gone.
        (2, 2, 20, 20, "L1", (0, 0, 0)),
    ],
)
def test_entries_that_the_instance_held_count_for_l1(
    kept: int, own: int, before: int, known: int, tier: str, expected: tuple[int, int, int]
) -> None:
    assert used_of(kept, own, before, known, tier) == expected


@settings(max_examples=examples(300))
@given(*[st.integers(0, 200)] * 4, st.sampled_from(["L0", "L1", "partial", "L2"]))
def test_no_more_is_held_than_is_possible_or_used(kept: int, own: int, before: int, known: int, tier: str) -> None:
    entries, held, could = used_of(kept, own, before, known, tier)

    assert 0 <= held <= could <= entries <= before


def test_hits_by_hand() -> None:
    found = hits(
        [
            turn(0, "L2", Used(50, 0, 0)),  # A conversation's first turn continues nothing.
            turn(1, "L1", Used(10, 10, 10)),
            turn(1, "partial", Used(10, 6, 6)),
            turn(2, "L2", Used(20, 0, 4)),
        ]
    )

    assert found["continuing_turns"] == 3
    assert (found["l1"], found["l1_ceiling"], found["l1_of_ceiling"]) == (0.4, 0.5, 0.8)
    assert (found["total"], found["l2_of_the_rest"]) == (1.0, 1.0)


def test_a_baseline_is_right_wrong_or_without_the_history() -> None:
    found = hits([turn(1, "right"), turn(2, "wrong"), turn(1, "missing"), turn(3, "right")])

    assert found["tiers"] == {"missing": 1, "right": 2, "wrong": 1}
    assert found["total"] == 0.5


def test_latency_counts_from_when_a_request_was_due() -> None:
    found = figures(measured(turn(0, "L2", due_s=1.0, sent_s=3.0, ended_s=3.25), turn(0, "L2")))

    assert found["latency_ms"]["by_kind"]["turn"]["max"] == 2_250
    assert found["late"] == 1


def test_errors_are_told_by_status_and_name() -> None:
    answers = [turn(0, "L2"), turn(0, "", status=503, error="FUNCTION_THROTTLED"), turn(0, "", status=404)]
    found = figures(measured(*answers, turn(0, "", status=0)))

    assert found["statuses"] == {"0": 1, "200": 1, "404": 1, "503 FUNCTION_THROTTLED": 1}
    assert (found["errors"], found["unknown"]) == (2, 1)


def test_requests_are_counted_by_cpu_second() -> None:
    found = figures(measured(*[turn(0, "L2")] * 30, spent=Spent(cpu_s=1.5, commands=210, requests=30)))

    assert found["instances"]["requests_per_cpu_s"] == 20
    assert found["instances"]["right_turns_per_cpu_s"] == 20
    assert (found["store"]["requests"], found["store"]["commands"]) == (30, 210)


def test_a_wrong_history_is_no_turn_that_was_got_done() -> None:
    answers = [turn(1, "right"), turn(1, "wrong"), turn(1, "missing"), turn(0, "right")]
    found = figures(measured(*answers, spent=Spent(cpu_s=1.5)))

    assert found["instances"]["right_turns_per_cpu_s"] == 2


def test_two_stretches_are_one_behind_the_other() -> None:
    first = measured(turn(0, "L2"), seconds=10, spent=Spent(cpu_s=1, instances_mean=1))
    second = measured(turn(1, "L1", Used(1, 1, 1)), seconds=30, spent=Spent(cpu_s=2, instances_mean=3))
    both = first.plus(second)

    assert [each.due_s for each in both.answers] == [1.0, 11.0]
    assert (both.seconds, both.spent.cpu_s, both.spent.instances_mean) == (40, 3, 2.5)
    assert both.lag == Late(200, 2, 12.0)
    assert sum(row["requests"] for row in figures(both)["timeline"]) == 2


def test_an_interrupted_result_says_so() -> None:
    document = {
        "is_whole": False, "speeds": {"1": {"designs": {"warmthread": figures(measured(turn(0, "L2")))}}},
        "joined": None, "saturation": {},
    }  # fmt: skip

    assert show(document).startswith("NOT WHOLE")


def test_a_single_instance_that_lives_on_can_hold_all_that_it_saw() -> None:
    turns = [Turn(float(number), 0, 3 * number + 1, 1, 3 * number + 2) for number in range(10)]
    found = ceiling(turns, 1, 0.0, 1)

    # Of each turn's history it did not see the reply, which came by itself, and another entry.
    assert found.requests == 1
    assert found.entries == pytest.approx(1 - 2 * 9 / sum(each.before for each in turns[1:]))


def test_a_life_over_before_each_turn_leaves_nothing() -> None:
    turns = [Turn(1_000.0 * number, 0, number, 1, number + 1) for number in range(10)]

    assert ceiling(turns, 1, 1.0, 1) == (0, 0)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=40),
    st.integers(1, 6),
    st.floats(1, 500),
    st.integers(),
)
def test_a_ceiling_is_a_share_and_more_instances_do_not_know_more_than_one_that_lives_on(
    drawn: list[tuple[int, int]], instances: int, life_s: float, seed: int
) -> None:
    sizes: dict[int, int] = {}
    turns = []
    for number, (conversation, own) in enumerate(drawn):
        before = sizes.get(conversation, 0)
        turns.append(Turn(10.0 * number, conversation, before, own, before + own))
        sizes[conversation] = before + own
    found, most = ceiling(turns, instances, life_s, seed), ceiling(turns, 1, 0.0, seed)

    assert 0 <= found.entries <= most.entries <= 1
    assert 0 <= found.requests <= most.requests <= 1


def test_only_the_newest_entries_that_fit_are_used() -> None:
    steps = [
        Step(0, "create", 0, 0, tuple(Piece("user", 100, number) for number in range(9))),
        Step(1, "turn", 0, 0, (Piece("tool", 100, 10), Piece("user", 50, 11))),
    ]

    # Of 1,058 tokens 500 fit: the message, the result, its call of 8, and three before them.
    assert turns_of(steps, 500) == [Turn(1, 0, 9, 3, 6)]
