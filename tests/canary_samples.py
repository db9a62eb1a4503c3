"""
Samples of deployments as tests of the judge of canaries want them: counts that follow from a number of requests.
"""

from collections.abc import Mapping, Sequence

from scripts.releasing.judging import Judge, Outcome, Verdict
from scripts.releasing.policy import Policy
from scripts.releasing.samples import GROWTH, READS_BY_AGE, REQUESTS_BY_AGE, YOUNG_DURATION, Buckets, Labels, Sample

ROUTE, OTHER_ROUTE = ("GET", "/v1/conversations/{id}/context"), ("POST", "/v1/conversations/{id}/items")
STAGES = (10, 25, 50, 100)
QUICK = Policy(stage_s_min=0, stage_requests_min=100)
SHAPE = {
    100: 0.5,
    104: 0.2,
    106: 0.1,
    108: 0.07,
    110: 0.05,
    112: 0.04,
    114: 0.016,
    116: 0.012,
    118: 0.006,
    120: 0.003,
    122: 0.003,
}
"""Share of requests by the number of their bucket: the 95th percentile lies in 112, the 99th in 118."""

SHAPE_OF_STARTS = {190: 0.6, 194: 0.2, 198: 0.2}


def sample(
    requests: int,
    errors: Sequence[int] = (0, 0),
    *,
    shape: Mapping[int, float] = SHAPE,
    starts: int = 0,
    shape_of_starts: Mapping[int, float] = SHAPE_OF_STARTS,
    late: int = 0,
    refused: int = 0,
    over_budget: int = 0,
) -> Sample:
    """Return what a deployment counted that answered *requests* of each of two routes."""
    counters: dict[str, dict[tuple[str, ...], int]] = {"requests": {}, "refusals": {("budget",): over_budget}}
    for route, failed in zip((ROUTE, OTHER_ROUTE), errors, strict=True):
        counters["requests"] |= {
            (*route, "2xx"): requests - failed - refused,
            (*route, "4xx"): refused,
            (*route, "5xx"): failed,
        }
    histograms: dict[str, dict[Labels, Buckets]] = {
        "duration": {route: spread(requests, shape) for route in (ROUTE, OTHER_ROUTE)},
        "cold_start": {(): spread(starts, shape_of_starts)},
        "lag": {(): {0: 4 * requests - late, 9: late}},
    }
    return Sample(counters, histograms, {"resident_max": 2e8, "memory_limit": 1e9})


def aged(whole: Sample, reads: Mapping[str, tuple[int, int]], grown_bytes: int = 0, tier: str = "L1") -> Sample:
    """
    Return *whole* with what newer releases count: by age (hits, reads), hits by *tier*, and memory that grew with each.
    """
    counters = dict(whole.counters)
    by_age: dict[Labels, int] = {}
    for age, (hits, all_) in reads.items():
        by_age |= {(age, tier): hits, (age, "L2"): all_ - hits}
    counters[READS_BY_AGE] = by_age
    counters[REQUESTS_BY_AGE] = {(age,): all_ for age, (_, all_) in reads.items()}
    counters[GROWTH] = {
        (age, way): all_ * grown_bytes if way == "up" else 0
        for age, (_, all_) in reads.items()
        for way in ("up", "down")
    }
    young: Mapping[Labels, Buckets] = {("1", *ROUTE): dict.fromkeys((124,), sum(whole.buckets("cold_start").values()))}
    return Sample(counters, {**whole.histograms, YOUNG_DURATION: young}, whole.gauges)


def spread(count: int, shape: Mapping[int, float]) -> dict[int, int]:
    """Return *count* things spread over buckets by *shape*; what rounding leaves is in the first."""
    buckets = {number: int(count * share) for number, share in shape.items()}
    first = min(buckets)
    return buckets | {first: buckets[first] + count - sum(buckets.values())}


def told(requests: int, rate: float, shape: Mapping[int, float] = SHAPE) -> Sample:
    """Return what *requests* of shadow load of each route tell, of whose reads *rate* were hits."""
    hits = round(rate * requests)
    return Sample(
        {READS_BY_AGE: {("", "L1"): hits, ("", "L2"): requests - hits}},
        {"duration": {route: spread(requests, shape) for route in (ROUTE, OTHER_ROUTE)}},
    )


def looked(
    sides: Sequence[tuple[Sample, Sample]], policy: Policy = QUICK, stage: int = 0, judge: Judge | None = None
) -> list[Verdict]:
    """Return the verdicts of a judge that looks once a minute, until one is not HOLD."""
    own = Judge(policy, STAGES) if judge is None else judge
    verdicts = []
    for number, (stable, canary) in enumerate(sides):
        verdicts.append(own.look(stage, stable, canary, 60.0 * number))
        if verdicts[-1].outcome is not Outcome.HOLD:
            break
    return verdicts
