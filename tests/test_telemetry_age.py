"""What an instance counts by its age: durations while it is young, reads, and by how much its memory grew."""

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.releasing.samples import BY_AGE, Sample
from shared.environment import read_settings
from shared.process.ending import Ending
from shared.store.upstash import Store
from shared.telemetry.deltas import Deltas
from shared.telemetry.fleet import exposition
from shared.telemetry.growth import EACH_LOOK, FIRST_LOOK, Growth
from shared.telemetry.series import AGES, YOUNG, age_of
from shared.telemetry.telemetry import Ended, Sources, Telemetry

LAST = {age: int(age.split("-")[-1]) for age in AGES[:-1]}


def test_an_age_is_what_its_name_says() -> None:
    for number in range(1, 1_025):
        assert age_of(number) == next(age for age, last in LAST.items() if number <= last)
    for number in (1_025, 4_096, 4_097, 1_000_000):
        assert age_of(number) == AGES[-1]


async def test_what_is_counted_by_age_adds_up_to_all(deployment: str, kept: Callable[[], dict[str, str]]) -> None:
    settings, draw = read_settings(), Random(5)
    store = Store(settings)
    telemetry, tiers = Telemetry(store, settings, Sources(dict, dict), 0.25, Ending()), ("L0", "L1", "L2", "")
    durations, reads = Counter[str](), Counter[tuple[str, str]]()
    for number in range(1, 300):
        age, tier = age_of(number), draw.choice(tiers)
        is_partial = tier == "L2" and draw.random() < 0.5
        route = draw.choice(["/v1/conversations", "/api/health"])
        telemetry.record(Ended("GET", route, 200, tier, "", 0.001, draw.uniform(0.001, 0.1), is_partial))
        if route.startswith("/v1"):
            durations[age if age in YOUNG else ""] += 1
        if tier:
            reads[age, "partial" if is_partial else tier] += 1
    await telemetry.flush()
    await store.close()
    sample = Sample.read(exposition({deployment: kept()}).decode(), deployment)

    assert all(sample.tells(key) for key in BY_AGE)
    assert {labels[2]: sum(buckets.values()) for labels, buckets in sample.durations().items()} == durations
    assert sample.counters["reads_by_age"] == reads
    assert sum(reads.values()) == sample.total("reads")
    assert sample.counters["requests_by_age"] == {("17-64",): 48, ("65-256",): 192}


def test_a_deployment_that_does_not_count_by_age_is_told_apart() -> None:
    text = exposition({"dpl_old": {"requests GET /v1/usage 2xx": "3", "reads L1": "3"}}).decode()

    assert not any(Sample.read(text, "dpl_old").tells(key) for key in BY_AGE)


def test_each_series_of_young_requests_shows_its_own_bounds() -> None:
    """All of them would be a megabyte of zeros."""
    fields = {
        "duration GET /v1/usage 100": "1",
        "young_duration 1 GET /v1/usage 100": "1",
        "young_duration 2-4 GET /v1/usage 0": "1",
        "young_duration 2-4 GET /v1/usage 304": "1",
        "young_duration 2-4 GET /v1/usage 305": "2",
    }
    text = exposition({"dpl_1": fields}).decode()
    sample = Sample.read(text, "dpl_1")

    assert text.count("young_duration_seconds_bucket") == 2 + 1 + 3 + 1
    assert sample.histograms["young_duration"] == {
        ("1", "GET", "/v1/usage"): {100: 1},
        ("2-4", "GET", "/v1/usage"): {0: 1, 304: 1, 305: 2},
    }


def grown(levels: list[int], requests: int) -> Deltas:
    """Return what an instance counts that holds *levels*, one after the other, when it looks."""
    deltas, seen = Deltas(), iter(levels)
    growth = Growth(lambda: next(seen))
    for answered in range(1, requests + 1):
        growth.look(answered, deltas)
    return deltas


def test_memory_is_looked_at_as_ages_end() -> None:
    deltas = grown([100, 150, 140, 140, 200, 190, 195], 1_024 + EACH_LOOK)

    assert deltas.counts == {
        "requests_by_age 17-64": 48,
        "resident_growth 17-64 up": 50,
        "requests_by_age 65-256": 192,
        "resident_growth 65-256 down": 10,
        "requests_by_age 257-1024": 768,
        "resident_growth 257-1024 up": 60,
        "resident_growth 257-1024 down": 10,
        "requests_by_age over-1024": EACH_LOOK,
        "resident_growth over-1024 up": 5,
    }


@given(st.integers(0, 6_000), st.lists(st.integers(0, 10**9), min_size=25, max_size=25))
def test_growth_is_what_lies_between_the_first_look_and_the_last(requests: int, levels: list[int]) -> None:
    counts = grown(levels, requests).counts
    looks = sum(requests >= end for end in (FIRST_LOOK, 64)) + requests // EACH_LOOK
    told = sum(value if name.endswith("up") else -value for name, value in counts.items() if "growth" in name)
    covered = sum(value for name, value in counts.items() if name.startswith("requests"))

    assert told == (levels[looks - 1] - levels[0] if looks else 0)
    last = 0 if not looks else FIRST_LOOK * 4 ** (looks - 1) if looks < 3 else requests // EACH_LOOK * EACH_LOOK
    assert covered == max(0, last - FIRST_LOOK)


@pytest.mark.parametrize("requests", [1, 15, 16, 63])
def test_an_instance_that_ends_young_says_nothing_of_growth(requests: int) -> None:
    assert grown([1, 2], requests).counts == {}
