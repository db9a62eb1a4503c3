"""The judge where shadow load is sent: it is compared with the other side's, whatever callers do beside it."""

from collections.abc import Mapping

import orjson

from scripts.releasing.judging import Judge, Outcome, Verdict
from scripts.releasing.samples import Sample
from tests.canary_samples import QUICK, SHAPE, STAGES, aged, sample, told

LOOKS = 60
CALLERS = {"stable": 450, "canary": 10}
SHADOW = 300
"""Requests of each route between two looks, of shadow load the same to both."""

LIGHT = {number - 40: share for number, share in SHAPE.items()}
"""What callers ask for takes a fifth of the time that shadow load takes."""
SLOWER = {number + 6: share for number, share in SHAPE.items()}


def whole(side: str, looks: int, shape: Mapping[int, float], rate: float) -> Sample:
    """Return what the metrics of *side* tell: of callers who get *rate* hits as ever, and of shadow load."""
    callers, shadow = 20_000 * (side == "stable") + CALLERS[side] * looks, SHADOW * looks
    both = sample(callers, shape=LIGHT) + sample(shadow, shape=shape)
    reads = callers + shadow
    return aged(both, {"over-1024": (round(0.9 * callers + rate * shadow), reads)})


def looked(shape: Mapping[int, float], rate: float, *, is_told: bool = True, judge: Judge | None = None) -> Verdict:
    """Return the last verdict where the canary's shadow load has *shape* and *rate*, the stable's SHAPE and 0.5."""
    own = Judge(QUICK, STAGES) if judge is None else judge
    for at in range(LOOKS):
        stable, canary = whole("stable", at, SHAPE, 0.5), whole("canary", at, shape, rate)
        load = (told(SHADOW, 0.5), told(SHADOW, rate, shape)) if is_told and at else (Sample(), Sample())
        verdict = own.look(0, stable, canary, 60.0 * at, load)
        if verdict.outcome is not Outcome.HOLD:
            break
    return verdict


def test_a_good_canary_that_gets_little_but_shadow_load_passes() -> None:
    verdict = looked(SHAPE, 0.5)

    assert verdict.outcome is Outcome.PASS
    assert {verdict.figures[name]["said"] for name in ("slow", "tail", "hits")} == {"harmless"}


def test_by_its_metrics_alone_it_would_not() -> None:
    """They are of other requests than the stable's."""
    verdict = looked(SHAPE, 0.5, is_told=False)

    assert verdict.outcome is Outcome.ABORT
    assert verdict.reasons[0].startswith(("slow", "tail"))


def test_a_canary_that_is_slow_to_shadow_load_is_aborted() -> None:
    verdict = looked(SLOWER, 0.5)

    assert verdict.outcome is Outcome.ABORT
    assert verdict.reasons[0].startswith("slow: above the stable's 95th percentile")


def test_a_canary_that_remembers_nothing_of_shadow_load_is_aborted() -> None:
    verdict = looked(SHAPE, 0.0)

    assert verdict.outcome is Outcome.ABORT
    assert verdict.reasons[0].startswith("hits: reads from memory: 0.00% of the canary's, of the stable 50.00%")


def test_what_is_known_of_shadow_load_outlives_a_judge() -> None:
    judge = Judge(QUICK, STAGES)
    for at in range(3):
        judge.look(0, whole("stable", at, SHAPE, 0.5), whole("canary", at, SHAPE, 0.5), 60.0 * at, both_told())
    again = Judge.from_json(orjson.loads(orjson.dumps(judge.to_json())))
    looks = [
        each.look(0, whole("stable", 3, SHAPE, 0.5), whole("canary", 3, SHAPE, 0.5), 180.0, both_told())
        for each in (judge, again)
    ]

    assert looks[0] == looks[1]
    assert judge.to_json() == again.to_json()


def both_told() -> tuple[Sample, Sample]:
    return told(SHADOW, 0.5), told(SHADOW, 0.5)
