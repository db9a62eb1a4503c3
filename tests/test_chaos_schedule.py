"""When faults come: the same for the same seed, each kind at least once, some at the same time."""

import subprocess
import sys
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.proving.changes import STORES
from scripts.proving.chaos.probe import Cycle, recovery_s
from scripts.proving.chaos.schedule import Kind, Window, lanes_of, lines, schedule

ROOT = Path(__file__).parents[1]


@given(store=st.sampled_from(STORES), seed=st.integers(), seconds=st.floats(10, 2_000))
def test_every_kind_comes_within_the_run_and_one_of_a_lane_at_a_time(store: str, seed: int, seconds: float) -> None:
    lanes = lanes_of(store)
    windows = schedule(seed, seconds, lanes)

    assert windows == schedule(seed, seconds, lanes)
    assert {each.kind for each in windows} == {kind for lane in lanes for kind in lane}
    assert all(0 < each.begin_s < each.end_s < seconds for each in windows)
    for lane in lanes:
        own = [each for each in windows if each.kind in lane]
        assert all(a.end_s <= b.begin_s for a, b in pairwise(own))


@pytest.mark.parametrize("seed", range(5))
def test_faults_of_different_lanes_overlap(seed: int) -> None:
    windows = schedule(seed, 60)

    assert any(a.begin_s < b.end_s and b.begin_s < a.end_s for a, b in combinations(windows, 2))


def test_the_schedule_is_printed_the_same_twice_and_another_seed_has_another() -> None:
    command = [sys.executable, "-m", "scripts.proving", "chaos", "--print-schedule", "--seed", "7", "--seconds", "60"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert printed.splitlines() == lines(7, 60)
    assert lines(7, 60) != lines(8, 60)


def window(kind: Kind, begin_s: float, end_s: float) -> Window:
    return Window(kind, begin_s, end_s, 0)


def test_recovery_counts_from_the_end_of_all_that_overlaps_to_the_first_right_answers() -> None:
    silent, kills = window(Kind.STORE_SILENT, 1, 3), window(Kind.KILLS, 2, 5)
    cycles = [Cycle(100.5, 100.9, True), Cycle(103.5, 104.0, True), Cycle(105.1, 105.4, False), Cycle(106, 106.5, True)]

    assert recovery_s(silent, 100, [silent], cycles) == 1.0
    assert recovery_s(silent, 100, [silent, kills], cycles) == 1.5
    # What refuses nothing delays nothing.
    assert recovery_s(silent, 100, [silent, window(Kind.DUPLICATES, 2, 9)], cycles) == 1.0


def test_a_recovery_that_nobody_could_see_is_not_told() -> None:
    silent, cycles = window(Kind.STORE_SILENT, 1, 3), [Cycle(104, 105, True)]

    assert recovery_s(silent, 100, [silent, window(Kind.FULL, 4, 6)], cycles) is None
    assert recovery_s(silent, 100, [silent], []) is None
