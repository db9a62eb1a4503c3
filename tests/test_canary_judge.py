"""The judge of canaries: what it aborts, what it lets pass, what it waits for, and that it can be interrupted."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.releasing.judging import WEIGHTS, Judge, Outcome
from scripts.releasing.policy import Policy
from scripts.releasing.samples import Sample
from tests.canary_samples import QUICK, SHAPE, STAGES, aged, looked, sample

LOOKS = 60
STABLE, CANARY = 450, 50
"""Requests of each route between two looks."""

SLOWER = {number + 6: share for number, share in SHAPE.items()}
TAILED = {number: share * 0.96 for number, share in SHAPE.items()} | {150: 0.04}
FIRST_ONES = {number: share * 0.98 for number, share in SHAPE.items()} | {160: 0.02}

Side = Callable[[int], Sample]


def sides(canary: Side, stable: Side = sample, looks: int = LOOKS) -> list[tuple[Sample, Sample]]:
    """Return looks at a stable with a past of 20,000 requests of each route, and at a canary that begins."""
    return [(stable(20_000 + STABLE * at), canary(CANARY * at)) for at in range(looks)]


def reads(rate: float, weights: Mapping[str, float]) -> Callable[[int], dict[str, tuple[int, int]]]:
    """Return what *count* reads were, of which *weights* had each age, and *rate* hits, but for an instance's first."""

    def of(count: int) -> dict[str, tuple[int, int]]:
        all_ = {age: int(count * weight) for age, weight in weights.items()}
        return {age: (0 if age == "1" else int(rate * each), each) for age, each in all_.items()}

    return of


OLD, YOUNGER = {"1": 0.01, "17-64": 0.19, "65-256": 0.8}, {"1": 0.1, "17-64": 0.7, "65-256": 0.2}


def of_age(rate: float, weights: Mapping[str, float], grown_bytes: int = 0, tier: str = "L1") -> Side:
    return lambda count: aged(sample(count, starts=count // 50), reads(rate, weights)(count), grown_bytes, tier)


def test_the_first_look_only_notes_what_was_before() -> None:
    [verdict] = looked([(sample(20_000), sample(500, (500, 500)))])

    assert verdict.outcome is Outcome.HOLD
    assert verdict.reasons == ("what both sides counted before is noted; the next look compares",)


def test_a_canary_that_is_the_same_passes_once_harm_is_ruled_out() -> None:
    verdicts = looked(sides(sample))

    assert verdicts[-1].outcome is Outcome.PASS
    assert {verdicts[-1].figures[name]["said"] for name in ("errors", "slow", "tail")} == {"harmless"}
    assert verdicts[1].outcome is Outcome.HOLD
    assert "tail: harm is not ruled out yet" in " ".join(verdicts[1].reasons)


def test_a_stage_lasts_and_has_requests_first() -> None:
    longer = looked(sides(sample), Policy(stage_s_min=3_000, stage_requests_min=1))
    more = looked(sides(sample), Policy(stage_s_min=0, stage_requests_min=5_000))

    assert (len(longer), longer[-1].outcome) == (51, Outcome.PASS)
    assert (len(more), more[-1].outcome) == (51, Outcome.PASS)
    assert longer[-2].reasons == ("the stage has lasted 2,940 of at least 3,000 s",)
    assert more[-2].reasons == ("the canary has had 4,900 of at least 5,000 requests",)


@pytest.mark.parametrize(
    ("canary", "named"),
    [
        (lambda count: sample(count, (count // 50, count // 50)), "errors: answers of 5xx: "),
        (
            lambda count: sample(count, (0, count // 12)),
            "errors: answers of 5xx on POST /v1/conversations/{id}/items: ",
        ),
        (lambda count: sample(count, shape=SLOWER), "slow: above the stable's 95th percentile"),
        (lambda count: sample(count, shape=TAILED), "tail: above the stable's 99th percentile"),
        (lambda count: sample(count, starts=count // 5, shape_of_starts={210: 1}), "cold: cold starts above"),
        (lambda count: sample(count, late=count // 5), "lag: late looks at the event loop"),
        (lambda count: sample(count, refused=count // 4), "refusals: answers of 4xx"),
        (lambda count: sample(count, over_budget=count // 2), "budget: refusals for want of budget"),
    ],
)
def test_a_canary_is_aborted_for_what_it_does(canary: Side, named: str) -> None:
    verdicts = looked(
        sides(canary, lambda count: sample(count, starts=count // 200)),
        Policy(stage_s_min=100_000, stage_s_max=200_000),
    )

    assert verdicts[-1].outcome is Outcome.ABORT
    assert verdicts[-1].reasons[0].startswith(named)


def test_what_both_sides_do_is_not_the_canary() -> None:
    def failing(count: int) -> Sample:
        return sample(count, (count // 100, count // 100), shape=TAILED, late=count // 5, refused=count // 4)

    assert looked(sides(failing, failing))[-1].outcome is Outcome.PASS


def test_a_canary_that_fails_more_than_a_twentieth_is_aborted_whatever_the_stable_does() -> None:
    def failing(count: int) -> Sample:
        return sample(count, (count // 8, count // 8))

    [*_, verdict] = looked(sides(failing, failing))

    assert verdict.outcome is Outcome.ABORT
    assert verdict.reasons[0].startswith("ceiling: answers of 5xx, by themselves: 12.")


def test_a_verdict_to_abort_is_final() -> None:
    judge = Judge(QUICK, STAGES)
    failed = sides(lambda count: sample(count, (count // 10, count // 10)), looks=20)
    aborted = looked(failed, judge=judge)[-1]

    later = judge.look(0, sample(90_000), sample(20_000, (100, 100)), 9_000)

    assert (aborted.outcome, later.outcome) == (Outcome.ABORT, Outcome.ABORT)
    assert later.reasons == aborted.reasons


def test_hits_are_compared_at_equal_age() -> None:
    """The canary's instances are younger, so of all its reads fewer hit; at each age as many do."""
    young = looked(sides(of_age(0.8, YOUNGER), of_age(0.8, OLD)))
    off = looked(sides(of_age(0.0, OLD), of_age(0.8, OLD)))

    assert young[-1].outcome is Outcome.PASS
    assert young[-1].figures["hits"]["said"] == "harmless"
    assert young[-1].figures["hits"]["share"] < 0.95 * young[-1].figures["hits"]["stable_share"]
    assert off[-1].outcome is Outcome.ABORT
    assert off[-1].reasons[0].startswith("hits: reads from memory: 0.00% of the canary's, of the stable 7")


def test_what_memory_had_a_part_of_is_a_hit() -> None:
    """A side that sees fewer reads of a conversation finds more often that it has grown: no fault of a release."""
    verdicts = looked(sides(of_age(0.8, OLD, tier="partial"), of_age(0.8, OLD)))

    assert verdicts[-1].outcome is Outcome.PASS
    assert verdicts[-1].figures["hits"]["said"] == "harmless"


def test_without_ages_hits_and_memory_are_not_judged_and_hold_nothing_up() -> None:
    [*_, verdict] = looked(sides(sample, of_age(0.8, OLD)))

    assert verdict.outcome is Outcome.PASS
    assert str(verdict.figures["hits"]["said"]).startswith("not judged: one side does not count reads by the age")
    assert str(verdict.figures["memory"]["said"]).startswith("not judged: one side does not count by how much")


def test_without_ages_as_many_slow_requests_are_left_out_as_there_were_first_ones() -> None:
    cold = looked(sides(lambda count: sample(count, shape=FIRST_ONES, starts=count // 25)))
    slow = looked(sides(lambda count: sample(count, shape=FIRST_ONES)), Policy(stage_s_min=1e5, stage_s_max=2e5))

    assert cold[-1].outcome is Outcome.PASS
    assert slow[-1].figures["tail"]["evidence_harmful"] > 10


def test_memory_that_grows_with_requests_is_told_from_memory_that_fills() -> None:
    policy = Policy(stage_s_min=1e5, stage_s_max=2e5)
    leaking = looked(sides(of_age(0.8, OLD, grown_bytes=130_000), of_age(0.8, OLD, grown_bytes=30_000)), policy)
    filling = looked(sides(of_age(0.8, OLD, grown_bytes=130_000), of_age(0.8, OLD, grown_bytes=130_000)))

    assert leaking[-1].outcome is Outcome.ABORT
    assert leaking[-1].reasons[0].startswith("memory grew by more than 50,000 bytes a request in ")
    assert filling[-1].outcome is Outcome.PASS
    assert filling[-1].figures["memory"]["said"] == "harmless"


def test_a_canary_that_holds_nearly_all_it_may_is_aborted_if_the_stable_does_not() -> None:
    full = Sample(sample(50).counters, sample(50).histograms, {"resident_max": 0.95e9, "memory_limit": 1e9})
    both = looked([(sample(20_000), sample(0)), (full, full)])
    [*_, verdict] = looked([(sample(20_000), sample(0)), (sample(20_400), full)])

    assert both[-1].outcome is Outcome.HOLD
    assert verdict.outcome is Outcome.ABORT
    assert verdict.reasons == ("memory: an instance of the canary held 95% of what it may, of the stable 20%",)


@pytest.mark.parametrize(("overdue", "outcome"), [("hold", Outcome.HOLD), ("abort", Outcome.ABORT)])
def test_a_stage_that_stays_open_is_overdue(overdue: str, outcome: Outcome) -> None:
    policy = Policy.model_validate({"stage_s_min": 60, "stage_s_max": 600, "overdue": overdue})
    judge = Judge(policy, STAGES)

    verdicts = [judge.look(0, sample(20_000 + 9 * at), sample(at), 60.0 * at) for at in range(12)]

    assert verdicts[9].outcome is Outcome.HOLD
    assert not verdicts[9].reasons[0].startswith("overdue")
    assert verdicts[11].outcome is outcome
    assert verdicts[11].reasons[0] == "overdue: inconclusive after 660 s"


def test_counts_that_were_lost_begin_anew() -> None:
    judge = Judge(QUICK, STAGES)
    judge.look(0, sample(20_000), sample(0), 0)
    judge.look(0, sample(20_450), sample(50), 60)

    lost = judge.look(0, sample(300), sample(100), 120)
    after = [judge.look(0, sample(300 + 450 * at), sample(100 + 50 * at), 120 + 60 * at) for at in range(1, 70)]

    assert lost.outcome is Outcome.HOLD
    assert "is less than it was" in lost.reasons[0]
    assert after[-1].outcome is Outcome.PASS


def released(canary: Side) -> list[Outcome]:
    """Return the verdicts of looks after all traffic went to the canary, which was good until then."""
    judge = Judge(QUICK, STAGES)
    looked(sides(sample, looks=40), stage=2, judge=judge)
    stable, begun = sample(20_000 + STABLE * 39), CANARY * 39
    judge.look(3, stable, sample(begun), 0)
    verdicts = []
    for at in range(1, 30):
        good, more = sample(begun), canary(500 * at)
        verdicts.append(judge.look(3, stable, merged(good, more), 60.0 * at).outcome)
    return verdicts


def merged(one: Sample, other: Sample) -> Sample:
    counters = {
        key: {labels: count + other.counters[key].get(labels, 0) for labels, count in each.items()}
        for key, each in one.counters.items()
    }
    histograms = {
        key: {
            labels: {
                number: buckets.get(number, 0) + other.histograms[key][labels].get(number, 0)
                for number in buckets.keys() | other.histograms[key][labels].keys()
            }
            for labels, buckets in many.items()
        }
        for key, many in one.histograms.items()
    }
    return Sample(counters, histograms, other.gauges)


def test_after_all_traffic_the_canary_is_held_against_what_is_harmful() -> None:
    assert released(sample)[-1] is Outcome.PASS
    assert released(lambda count: sample(count, shape=SLOWER | {130: 0.2}))[-1] is Outcome.ABORT
    assert released(lambda count: sample(count, (count // 20, count // 20)))[-1] is Outcome.ABORT


looks = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 20)), min_size=5, max_size=25)
"""Errors of the canary and of the stable between two looks."""


def followed(errors: list[tuple[int, int]], keep: bool) -> list[tuple[Outcome, tuple[str, ...], object]]:
    """Return the verdicts; *keep*: the judge is read anew at each look from what was kept, and each look repeated."""
    judge = Judge(Policy(stage_s_min=0, stage_requests_min=100, beta=0.5, tail_harmful=4), STAGES)
    verdicts: list[tuple[Outcome, tuple[str, ...], object]] = []
    own = others = 0
    for at, (failed, beside) in enumerate([(0, 0), *errors]):
        own, others = own + failed, others + beside
        counted = sample(20_000 + STABLE * at, (others, 0)), sample(CANARY * at, (own, 0))
        if keep:
            kept = orjson.dumps(judge.to_json())
            judge.look(0, *counted, waited_s=60.0 * at)
            judge = Judge.from_json(orjson.loads(kept))
        verdict = judge.look(0, *counted, waited_s=60.0 * at)
        verdicts.append((verdict.outcome, verdict.reasons, verdict.figures))
    return verdicts


@settings(max_examples=15)
@given(looks)
def test_a_judge_that_was_kept_goes_on_as_if_it_had_not_been_interrupted(errors: list[tuple[int, int]]) -> None:
    assert followed(errors, keep=True) == followed(errors, keep=False)


@settings(max_examples=15)
@given(looks, st.integers(0, 24), st.integers(1, 8))
def test_more_errors_of_the_canary_never_turn_abort_into_pass(
    errors: list[tuple[int, int]], at: int, more: int
) -> None:
    at %= len(errors)
    worse = [(own + more * (number == at), others) for number, (own, others) in enumerate(errors)]

    order = (Outcome.ABORT, Outcome.HOLD, Outcome.PASS)
    before, after = ([order.index(outcome) for outcome, *_ in followed(each, keep=False)] for each in (errors, worse))

    assert all(now <= then for then, now in zip(before, after, strict=True))


def test_one_allowance_pays_for_all_checks() -> None:
    """Of nine checks that found nothing and one that did an average decides, by weights that add up to 1."""
    [*_, verdict] = looked(sides(lambda count: sample(count, (count // 50, count // 50))))
    values = [WEIGHTS[name] * float(verdict.figures[name]["evidence_harmful"]) for name in WEIGHTS]

    assert math.isclose(sum(WEIGHTS.values()), 1)
    assert set(WEIGHTS) == verdict.figures.keys() - {"all"}
    assert math.isclose(float(verdict.figures["all"]["evidence_harmful"]), sum(values), rel_tol=0.01)
    assert sum(values) >= verdict.figures["all"]["needed"] == 100


def test_stages_and_what_was_kept_are_looked_at() -> None:
    judge = Judge(QUICK, STAGES)
    judge.look(1, sample(20_000), sample(0), 0)

    with pytest.raises(ValueError, match="stage 0 cannot be judged: the last one judged was 1"):
        judge.look(0, sample(20_000), sample(0), 0)
    with pytest.raises(ValueError, match="ascending percentages that end with 100"):
        Judge(QUICK, (10, 5, 100))
    with pytest.raises(ValueError, match="of version 7, this is version 1"):
        Judge.from_json({**judge.to_json(), "version": 7})
    with pytest.raises(ValueError, match="the kept judge is incomplete"):
        Judge.from_json({"version": 1})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"alpah": 0.1}', "alpah: Extra inputs are not permitted"),
        ('{"alpha": 2}', "alpha: Input should be less than 1"),
        ('{"slowdown_harmless": 2}', "slowdown_harmless has to be below slowdown_harmful"),
        ('{"clumps": {"errors": 0}}', "clumps.errors: Input should be greater than or equal to 1"),
        ("[", "policy: Invalid JSON"),
        (" " * 200_000, "has more than 100,000 bytes"),
    ],
)
def test_a_wrong_policy_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "policy.json"
    path.write_text(text)

    with pytest.raises(ValueError, match="policy") as refused:
        Policy.read(path)

    assert said in str(refused.value)


def test_a_policy_is_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text('{"alpha": 0.02, "clumps": {"errors": 9}}')

    assert Policy.read(path).clumps.errors == 9
    with pytest.raises(ValueError, match="could not read the policy"):
        Policy.read(tmp_path / "none.json")
