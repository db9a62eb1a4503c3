"""
What a deployment does with its requests, as instances count it: durations, answers, hits, cold starts, lag and memory.

Its figures are assumptions of the size that was measured (docs/performance.md), not fits: durations are log-normal by
route, the first requests of an instance are slower and find nothing in memory, instances differ by their hosts, all
requests of a client's burst may be held up together, and for seconds an hour the store is away for both sides.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scripts.releasing.samples import GROWTH, READS_BY_AGE, REQUESTS_BY_AGE, YOUNG_DURATION, Sample
from scripts.releasing.simulation.kinds import Kind
from scripts.releasing.simulation.traffic import RESIDENT_NOISE_BYTES, Real, Requests, Whole
from shared.telemetry.growth import EACH_LOOK, FIRST_LOOK
from shared.telemetry.series import AGES, DURATION_BOUNDS_S, LAG_BOUNDS_S, OCTAVE, YOUNG

ROUTES = (
    ("GET", "/v1/conversations/{id}/context"),
    ("POST", "/v1/conversations/{id}/items"),
    ("GET", "/v1/conversations/{id}/items"),
)
ROUTE_SHARES = (0.5, 0.4, 0.1)
IS_READ = np.array([True, False, True])
STATUSES = ("2xx", "4xx", "5xx")

FIRST_SLOWDOWN = 5.0
"""Of an instance's first request; of its second to sixteenth it is 1 + 1 / age."""
MISS_SLOWDOWN = 1.3
HELD_UP_SHARE, HELD_UP_SLOWDOWN = 0.01, 3.0
"""Of bursts."""
HIT_SHARE_MAX, HIT_HALF_AGE = 0.75, 40.0
TOGETHER_SHARE = 0.5
"""Of reads hit or miss as their burst does."""
ERROR_SHARE = 0.001
BLIPS_PER_S, BLIP_S, BLIP_ERROR_SHARE = 1 / 3_600, 2.0, 0.5
REFUSED_BURST_SHARE, BUDGET_BURST_SHARE = 0.01, 0.005
READY_S, READY_SPREAD = 0.45, 0.25
LOOK_S, LATE_LOOK_SHARE, LATE_LOOKS_PER_START = 0.005, 2e-4, 3.0
WARM_GROWTH_BYTES, WARM_AGE = 60_000.0, 16.0
"""By what memory grows with an instance's first requests, and at which age by half of that."""

Truths = NDArray[np.bool_]
BUCKETS = len(DURATION_BOUNDS_S) + 1
ON_TIME, LATE = 0, 9
"""Buckets of LAG_BOUNDS_S: up to 1 ms, and above 15 ms."""
AGE_BOUNDS = np.array([1, 4, 16, 64, 256, 1_024])


@dataclass(frozen=True, slots=True)
class World:
    """What is so on both sides: of durations the *medians_s* and the deviations of their logarithms, by route."""

    medians_s: Real
    deviations: Real

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "World":
        return cls(np.array([0.006, 0.008, 0.02]) * np.exp(rng.normal(0, 0.2, 3)), rng.uniform(0.4, 0.9, 3))


@dataclass(frozen=True, slots=True)
class Weather:
    """What an interval brings to both sides: how *slow* everything is, and which *share of it* the store is away."""

    slow: float
    away_share: float


class Counts:
    """What a deployment counted, as arrays; and as a Sample."""

    def __init__(self, *, tells_age: bool) -> None:
        self._tells_age = tells_age
        self.durations = np.zeros((len(ROUTES), len(YOUNG) + 1, BUCKETS), np.int64)
        self.answers = np.zeros((len(ROUTES), len(STATUSES)), np.int64)
        self.reads = np.zeros((len(AGES), 2), np.int64)
        self.ages = np.zeros(len(AGES), np.int64)
        self.growth = np.zeros((len(AGES), 2), np.int64)
        self.cold = np.zeros(BUCKETS, np.int64)
        self.lag = np.zeros(len(LAG_BOUNDS_S) + 1, np.int64)
        self.budget = 0

    def sample(self) -> Sample:
        counters: dict[str, dict[tuple[str, ...], int]] = {
            "requests": {
                (*route, status): int(self.answers[at, number])
                for at, route in enumerate(ROUTES)
                for number, status in enumerate(STATUSES)
            },
            "refusals": {("budget",): self.budget},
        }
        whole = self.durations.sum(axis=1)
        histograms: dict[str, dict[tuple[str, ...], dict[int, int]]] = {
            "duration": {route: _sparse(whole[at]) for at, route in enumerate(ROUTES)},
            "cold_start": {(): _sparse(self.cold)},
            "lag": {(): _sparse(self.lag)},
        }
        if self._tells_age:
            counters[READS_BY_AGE] = {
                (age, tier): int(self.reads[at, number])
                for at, age in enumerate(AGES)
                for number, tier in enumerate(("L2", "L1"))
            }
            counters[REQUESTS_BY_AGE] = {(age,): int(self.ages[at]) for at, age in enumerate(AGES)}
            counters[GROWTH] = {
                (age, way): int(self.growth[at, number])
                for at, age in enumerate(AGES)
                for number, way in enumerate(("up", "down"))
            }
            histograms[YOUNG_DURATION] = {
                (age, *route): _sparse(self.durations[at, number])
                for at, route in enumerate(ROUTES)
                for number, age in enumerate(YOUNG)
            }
        return Sample(counters, histograms, {})


class Service:
    """A deployment that behaves as *kind* says where it *is_canary*, drawn from *rng*; it counts into `counts`."""

    def __init__(self, kind: Kind, world: World, rng: np.random.Generator, *, is_canary: bool) -> None:
        self._kind, self._world, self._rng, self._is_canary = kind, world, rng, is_canary
        self._routes = rng.dirichlet(100 * np.array(ROUTE_SHARES))
        lower, upper = (1 - kind.spread, 1 + kind.spread) if is_canary else (1.0, 1.0)
        self._slowdown, self._errors, self._hits = rng.uniform(lower, upper, 3)
        self.counts = Counts(tells_age=kind.tells_age)

    def answer(self, requests: Requests, weather: Weather, stage: int) -> None:
        """Answer *requests*, and count them."""
        rng, count = self._rng, len(requests.age)
        if not count:
            return
        kind = self._kind if self._is_canary and stage >= self._kind.begins_at_stage else GOOD
        route = rng.choice(len(ROUTES), count, p=self._routes)
        ages = np.searchsorted(AGE_BOUNDS, requests.age)
        hit = self._hit(requests, route, kind)
        took_s, held_up = self._durations(requests, route, hit, weather.slow, kind)
        status = self._statuses(requests, route, weather.away_share, kind)
        counts = self.counts
        _count(counts.answers, route, status)
        _count(counts.durations, route, np.minimum(ages, len(YOUNG)), bucket_numbers(took_s))
        is_read = IS_READ[route]
        _count(counts.reads, ages[is_read], hit[is_read].astype(np.int64))
        first = requests.age == 1
        starts = int(first.sum())
        ready_s = READY_S * np.exp(rng.normal(0, READY_SPREAD, starts)) * kind.cold_slowdown
        _count(counts.cold, bucket_numbers(ready_s + took_s[first]))
        looks = int(took_s.sum() / LOOK_S)
        late = int(rng.binomial(looks, LATE_LOOK_SHARE) + rng.poisson(LATE_LOOKS_PER_START * starts) + held_up)
        counts.lag[[ON_TIME, LATE]] += [max(0, looks - late), late]
        self._grow(requests, kind)

    def _hit(self, requests: Requests, route: Whole, kind: Kind) -> Truths:
        rng, count = self._rng, len(route)
        share = HIT_SHARE_MAX * (requests.age - 1) / (requests.age - 1 + HIT_HALF_AGE)
        drawn = rng.random(count)
        together = rng.random(count) < TOGETHER_SHARE
        drawn[together] = rng.random(requests.bursts)[requests.burst[together]]
        is_hit: Truths = drawn < share * kind.hit_ratio * self._hits
        is_hit &= IS_READ[route]
        return is_hit

    def _durations(self, requests: Requests, route: Whole, hit: Truths, slow: float, kind: Kind) -> tuple[Real, int]:
        """Return how long each took, in seconds, and how many bursts were held up."""
        rng, count, age = self._rng, len(route), requests.age
        took_s = self._world.medians_s[route] * np.exp(rng.normal(0, 1, count) * self._world.deviations[route])
        took_s *= np.array([each.speed for each in requests.instances])[requests.instance]
        took_s *= np.where(age == 1, FIRST_SLOWDOWN, np.where(age <= 16, 1 + 1 / age, 1.0))
        took_s *= np.where(hit, 1.0, MISS_SLOWDOWN) * slow * self._slowdown * kind.slowdown
        if kind.tail_share:
            took_s[rng.random(count) < kind.tail_share] *= kind.tail_slowdown
        held_up = rng.random(requests.bursts) < HELD_UP_SHARE
        took_s[held_up[requests.burst]] *= HELD_UP_SLOWDOWN
        return took_s, int(held_up.sum())

    def _statuses(self, requests: Requests, route: Whole, away_share: float, kind: Kind) -> Whole:
        rng, count = self._rng, len(route)
        refused = rng.random(requests.bursts) < REFUSED_BURST_SHARE
        over_budget = rng.random(requests.bursts) < BUDGET_BURST_SHARE
        self.counts.budget += int(over_budget[requests.burst].sum())
        is_refused = (refused | over_budget)[requests.burst] | (rng.random(count) < kind.refusal_share)
        away = (rng.random(requests.bursts) < away_share)[requests.burst]
        share = np.where(away, BLIP_ERROR_SHARE, ERROR_SHARE * self._errors)
        share = share + kind.error_share * ((route == kind.error_route) | (kind.error_route < 0))
        status = np.where(is_refused, 1, 0)
        status[rng.random(count) < share] = 2
        return status

    def _grow(self, requests: Requests, kind: Kind) -> None:
        """Count by how much instances grew over the ages that ended; what an age begins with was seen at its begin."""
        counts = np.bincount(requests.instance, minlength=len(requests.instances)).tolist()
        for instance, more in zip(requests.instances, counts, strict=True):
            before = instance.answered - more
            ends = (0, FIRST_LOOK, 4 * FIRST_LOOK, *range(EACH_LOOK, instance.answered + 1, EACH_LOOK))
            for begin, end in pairwise(ends):
                if before < end <= instance.answered:
                    level_bytes = self._rng.normal(0, RESIDENT_NOISE_BYTES)
                    warm_bytes = WARM_GROWTH_BYTES * WARM_AGE * math.log((end + WARM_AGE) / (begin + WARM_AGE))
                    leaked_bytes = kind.leak_bytes * (end - begin)
                    grown = int(warm_bytes + leaked_bytes + level_bytes - instance.level_bytes)
                    instance.level_bytes = level_bytes
                    if begin:
                        age = np.searchsorted(AGE_BOUNDS, end)
                        self.counts.growth[age, 0 if grown > 0 else 1] += abs(grown)
                        self.counts.ages[age] += end - begin


GOOD = Kind("the stable", True)


def bucket_numbers(took_s: Real) -> Whole:
    """Return the numbers of the buckets of DURATION_BOUNDS_S."""
    numbers = np.ceil(OCTAVE * np.log2(np.maximum(took_s, 1e-9) * 16_000)).astype(np.int64)
    return np.clip(numbers, 0, BUCKETS - 1)


def _count(counts: Whole, *indices: Whole) -> None:
    """Add 1 to each place of *counts* that *indices* name."""
    flat = np.ravel_multi_index(indices, counts.shape)
    counts += np.bincount(flat, minlength=counts.size).reshape(counts.shape)


def _sparse(counts: Whole) -> dict[int, int]:
    numbers = np.flatnonzero(counts)
    return dict(zip(numbers.tolist(), counts[numbers].tolist(), strict=True))
