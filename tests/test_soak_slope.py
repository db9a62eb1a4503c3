"""What a soak concludes from a series: what was planted is found, and what only moves is not taken for growth."""

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.proving.soak.slope import Series, slope
from scripts.proving.soak.verdict import FAILS, HOLDS, MEMORY, UNDECIDED, judged
from tests.examples import examples

POINTS, REQUESTS_A_POINT, AGAIN = 130, 40, 25
BEGIN_BYTES = 130_000_000

type Moves = Callable[[int, random.Random], float]


def _walk() -> Moves:
    at = [0.0]

    def step(number: int, dice: random.Random) -> float:
        at[0] = 0.8 * at[0] + dice.gauss(0, 40_000)
        return at[0]

    return step


def _steps() -> Moves:
    at = [0.0]

    def step(number: int, dice: random.Random) -> float:
        if dice.random() < 0.1:
            at[0] = dice.choice((0, 60, 120)) * 4_096
        return at[0]

    return step


MOVES: dict[str, Callable[[], Moves]] = {
    "noise": lambda: lambda number, dice: dice.gauss(0, 150_000),
    "a walk that returns": _walk,
    "steps": _steps,
    "a sawtooth": lambda: lambda number, dice: number % (POINTS // 5) * 8_000,
    "waves": lambda: lambda number, dice: 200_000 * math.sin(number / 4),
}


def series_of(kind: str, leak_bytes: float, dice: random.Random) -> Series:
    moves = MOVES[kind]()
    xs = (number * REQUESTS_A_POINT for number in range(POINTS))
    return [(x, BEGIN_BYTES + leak_bytes * x + moves(number, dice)) for number, x in enumerate(xs)]


def verdict_of(kind: str, leak_bytes: float, seed: int) -> str:
    dice = random.Random(seed)
    found = judged(MEMORY, [series_of(kind, leak_bytes, dice) for _ in range(2)], seed, AGAIN)
    return str(found["verdict"])


@pytest.mark.parametrize("kind", MOVES)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=examples(40) // 2, deadline=None)
def test_a_planted_leak_is_found_and_none_where_there_is_none(kind: str, seed: int) -> None:
    assert verdict_of(kind, 1_000, seed) == FAILS
    assert verdict_of(kind, 0, seed) == HOLDS


@given(leak_bytes=st.floats(-2_000, 2_000), begin=st.integers(0, 10**9))
@settings(max_examples=examples(40), deadline=None)
def test_the_slope_of_a_line_is_its_slope(leak_bytes: float, begin: int) -> None:
    found = slope([[(x, begin + leak_bytes * x) for x in range(0, 4_000, 40)]], 1, AGAIN)

    assert found is not None
    assert found.estimate == pytest.approx(leak_bytes, abs=1e-3)
    assert found.low <= found.estimate + 1e-3
    assert found.high >= found.estimate - 1e-3


def test_series_of_several_instances_are_not_joined() -> None:
    flat = [[(float(x), level) for x in range(0, 4_000, 40)] for level in (1e8, 2e8)]
    later = [[(x + 4_000, y) for x, y in flat[1]]]

    found = slope([[(x, y + x % 3) for x, y in flat[0]], *later], 1, AGAIN)

    assert found is not None
    assert abs(found.estimate) < 1e-2


@pytest.mark.parametrize(
    "series",
    [
        [],
        [(float(number), 1e8) for number in range(20)],  # Too few points.
        [(float(number), 1e8 + number) for number in range(400)],  # Too few requests.
        [(40.0 * number, 0.0) for number in range(400)],  # A system that does not tell.
        [(40.0 * number, 1e8 + number % 10 * 40_000_000 * math.sin(number)) for number in range(400)],  # Too loud.
    ],
)
def test_what_cannot_be_told_is_not_judged(series: Series) -> None:
    assert judged(MEMORY, [series], 1, AGAIN)["verdict"] == UNDECIDED


def test_a_slope_below_the_bound_does_not_fail() -> None:
    assert verdict_of("noise", 20, 1) == HOLDS


def test_the_same_seed_gives_the_same_interval() -> None:
    many = [series_of("steps", 100, random.Random(1))]

    assert slope(many, 3, AGAIN) == slope(many, 3, AGAIN)
