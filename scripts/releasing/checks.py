"""
What is compared of a canary and the stable beside it: events of an interval, by strata of equal kind.

    errors      answers of 5xx, by route
    ceiling     answers of 5xx, of the canary alone
    slow, tail  durations above the stable's own 95th and 99th percentile of that route and age of instance
    cold        cold starts above the stable's own 75th percentile: cold starts are compared with cold starts only
    hits        reads answered from an instance's memory, the rest of them too, by age of instance
    lag         looks at the event loop that were late
    refusals    answers of 4xx, by route; `budget`: refusals for want of budget

A canary with a tenth of the traffic has fewer requests an instance, so more first ones: slower, and without anything
in memory. Where the deployments count by age, what is compared is of equal age. Where they do not, hits are not
judged, and of the canary's events as many are left out as it had first requests. That leaves out no fewer than were
caused by them, and an e-value only falls by it.

Percentiles and what is harmless of them are read from counts that were there before the interval: nothing that is
judged has a say in by what it is.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from scripts.releasing.evidence import Counted, Hypothesis
from scripts.releasing.policy import Policy
from scripts.releasing.reference import Percentile, Reference, above
from scripts.releasing.samples import READS_BY_AGE, YOUNG_DURATION, Labels, Sample
from shared.telemetry.series import LAG_BOUNDS_S, PARTIAL, YOUNG

WORSE = (1.3, 1.7, 2.5, 4.0, 8.0, 20.0)
BETTER = (0.8, 0.6, 0.4, 0.25, 0.1, 0.02)
"""Alternatives, as multiples of what a hypothesis allows: which one is right is unknown, so all are averaged over."""

QUARTER = 1.25
MEMORY_TIERS = frozenset({"L0", "L1", PARTIAL})
"""Answers for which the store did not have to send what the instance knows already. Where the rest was sent, too: how
often a conversation has grown since the last read depends on who reads it, and on nothing that a release does."""


class Observation(NamedTuple):
    """
    What an interval had of a stratum of *group*, a route or "". Evidence against *harmless* aborts a release, against
    *harmful* lets it pass; None: it is no evidence for that.
    """

    group: str
    counted: Counted
    harmless: Hypothesis | None = None
    harmful: Hypothesis | None = None


class View(NamedTuple):
    """
    An interval of both sides, and what was known of the stable when it began. *tells_age*: both count by age.
    """

    stable: Sample
    canary: Sample
    reference: Reference
    tells_age: bool
    policy: Policy


def at_most(ratio: float, excess: float = 0.0) -> Hypothesis:
    return Hypothesis(ratio, excess, [each * ratio if ratio else each for each in WORSE])


def at_least(ratio: float, excess: float = 0.0) -> Hypothesis:
    return Hypothesis(ratio, excess, [each * ratio if ratio else each for each in BETTER])


def errors(view: View) -> list[Observation]:
    harmless = at_most(QUARTER, view.policy.errors_harmless)
    found = [Observation(_named(labels), counted, harmless) for labels, counted in _answers(view, "5xx")]
    # What is harmful is so of all requests together: a share of them that fails, on whatever routes.
    sides = [
        (sum(sample.requests("5xx").values()), sum(sample.requests().values())) for sample in (view.canary, view.stable)
    ]
    harmful = at_least(1.0, view.policy.errors_harmful)
    return [*found, Observation("", Counted(*sides[0], *sides[1]), harmful=harmful)]


def ceiling(view: View) -> list[Observation]:
    events, requests = sum(view.canary.requests("5xx").values()), sum(view.canary.requests().values())
    return [Observation("", Counted(events, requests, 0, 0), at_most(0.0, view.policy.errors_max))]


def refusals(view: View) -> list[Observation]:
    harmless = at_most(view.policy.refusals_harmless, view.policy.errors_harmless)
    return [Observation("", counted, harmless) for _, counted in _answers(view, "4xx")]


def budget(view: View) -> list[Observation]:
    refused = [sample.counters.get("refusals", {}).get(("budget",), 0) for sample in (view.canary, view.stable)]
    answered = [sum(sample.requests().values()) for sample in (view.canary, view.stable)]
    harmless = at_most(view.policy.refusals_harmless, view.policy.errors_harmless)
    return [Observation("", Counted(refused[0], answered[0], refused[1], answered[1]), harmless)]


def slow(view: View) -> list[Observation]:
    policy = view.policy

    def lines(percentile: Percentile) -> tuple[Hypothesis, Hypothesis]:
        harmless = percentile.ratio(policy.slowdown_harmless)
        # Where all take nearly the same, both slowdowns bring all of them above.
        return at_most(harmless), at_least(max(percentile.ratio(policy.slowdown_harmful), QUARTER * harmless))

    return list(_durations(view, 0.95, policy.reference_requests, lines))


def tail(view: View) -> list[Observation]:
    policy = view.policy

    def lines(percentile: Percentile) -> tuple[Hypothesis, Hypothesis]:
        harmless = max(policy.tail_harmless, percentile.ratio(policy.slowdown_harmless))
        # Where durations hardly differ, a harmless slowdown alone doubles the share above.
        return at_most(harmless), at_least(max(policy.tail_harmful, QUARTER * harmless))

    return list(_durations(view, 0.99, 2 * policy.reference_requests, lines))


def cold(view: View) -> list[Observation]:
    policy = view.policy
    percentile = view.reference.of_cold_starts(0.75, max(40, policy.reference_requests // 10))
    if percentile is None:
        return []
    canary, stable = (percentile.above(sample.buckets("cold_start")) for sample in (view.canary, view.stable))
    counted = Counted(*canary, *stable)
    return [Observation("", counted, at_most(percentile.ratio(policy.cold_slowdown_harmless)))]


def hits(view: View) -> list[Observation]:
    policy = view.policy
    canary, stable = (_hits_by_age(sample) for sample in (view.canary, view.stable))
    return [
        Observation(
            "",
            Counted(*canary[age], *stable.get(age, (0, 0))),
            at_least(policy.hits_harmless),
            at_most(policy.hits_harmful),
        )
        for age in canary
    ]


def lag(view: View) -> list[Observation]:
    policy = view.policy
    first = next((number for number, bound_s in enumerate(LAG_BOUNDS_S) if bound_s >= policy.late_s), -1)
    canary, stable = (sample.buckets("lag") for sample in (view.canary, view.stable))
    late = max(0.0, above(canary, first) - policy.late_looks_per_start * starts_of(view.canary))
    counted = Counted(late, sum(canary.values()), above(stable, first), sum(stable.values()))
    return [Observation("", counted, at_most(policy.lag_harmless))]


class Check(NamedTuple):
    """
    *measure* says what an interval had of it. Of *words* a verdict is made: what the canary does too often. A check
    *by_route* finds what only one route has, too.
    """

    name: str
    measure: Callable[[View], list[Observation]]
    clump: str
    words: str
    by_route: bool = False
    is_required: bool = False
    """A stage is only passed once its harm is ruled out."""
    is_low: bool = False
    """Fewer events are worse."""


CHECKS = (
    Check("errors", errors, "errors", "answers of 5xx", by_route=True, is_required=True),
    Check("ceiling", ceiling, "errors", "answers of 5xx, by themselves"),
    Check("slow", slow, "durations", "above the stable's 95th percentile", by_route=True, is_required=True),
    Check("tail", tail, "durations", "above the stable's 99th percentile", by_route=True, is_required=True),
    Check("cold", cold, "cold_starts", "cold starts above the stable's 75th percentile"),
    Check("hits", hits, "hits", "reads from memory", is_required=True, is_low=True),
    Check("lag", lag, "lag", "late looks at the event loop"),
    Check("refusals", refusals, "refusals", "answers of 4xx"),
    Check("budget", budget, "refusals", "refusals for want of budget"),
)


def starts_of(sample: Sample) -> int:
    """Return how many instances answered their first request."""
    return sum(sample.buckets("cold_start").values())


def _answers(view: View, status: str) -> Iterable[tuple[Labels, Counted]]:
    canary, stable = view.canary.requests(), view.stable.requests()
    canary_events, stable_events = view.canary.requests(status), view.stable.requests(status)
    for labels, requests in canary.items():
        counted = canary_events.get(labels, 0), requests, stable_events.get(labels, 0), stable.get(labels, 0)
        yield labels, Counted(*counted)


def _durations(
    view: View, share: float, requests_min: int, lines: Callable[[Percentile], tuple[Hypothesis, Hypothesis]]
) -> Iterable[Observation]:
    ages = YOUNG if view.tells_age else ()
    canary, stable = view.canary.durations(ages), view.stable.durations(ages)
    first = 0 if view.tells_age else starts_of(view.canary)
    for labels, buckets in canary.items():
        percentile = view.reference.of_durations(labels, ages, share, requests_min)
        if percentile is not None:
            events, requests = percentile.above(buckets)
            counted = Counted(max(0, events - first), requests, *percentile.above(stable.get(labels, {})))
            yield Observation(_named(labels), counted, *lines(percentile))


def _hits_by_age(sample: Sample) -> Mapping[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for (age, tier), count in sample.counters.get(READS_BY_AGE, {}).items():
        hit, all_ = found.get(age, (0, 0))
        found[age] = hit + (count if tier in MEMORY_TIERS else 0), all_ + count
    return found


def _named(labels: Labels) -> str:
    return f"{labels[0]} {labels[1]}"


def tells_age(*samples: Sample) -> bool:
    """Tell whether all of *samples*, whole ones, count first requests and reads by age."""
    return all(sample.tells(YOUNG_DURATION) and sample.tells(READS_BY_AGE) for sample in samples)
