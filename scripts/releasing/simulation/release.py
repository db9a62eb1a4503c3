"""
One simulated release: two deployments' counts, looked at by the judge as the driver looks, until it is over.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scripts.releasing.judging import Judge, Outcome
from scripts.releasing.policy import Policy
from scripts.releasing.simulation.kinds import Kind
from scripts.releasing.simulation.service import BLIP_S, BLIPS_PER_S, Service, Weather, World
from scripts.releasing.simulation.traffic import LIFE_S, Side

STAGES = (10, 25, 50, 100)
BAKE_S = 1_800.0
LOOK_S = (60.0, 600.0)
LOOK_REQUESTS = 100
"""Between looks so many requests of the canary are waited for, within these times."""

HISTORY_REQUESTS = 60_000
SLOW_SPREAD, SLOW_KEPT = 0.05, 0.9
"""By how much both sides are slower or faster together, and how much of that stays from one look to the next."""

CHANGES_S = 4 * 3_600.0
"""How long a drift or a ramp takes."""

HALF_PERCENT = 50


@dataclass(frozen=True, slots=True)
class End:
    """
    How a release ended: the *outcome*, PASS for all stages, HOLD for one that was overdue; the *percent* of the traffic
    that the canary had then; after *after_s* and so many requests. *failed*: of all *requests* those that the canary
    failed; *checks*: what it was aborted for.
    """

    outcome: Outcome
    percent: int
    after_s: float
    canary_requests: int
    requests: int
    failed: int
    checks: tuple[str, ...]

    @property
    def is_found(self) -> bool:
        """Rolled back before half of the traffic."""
        return self.outcome is Outcome.ABORT and self.percent < HALF_PERCENT


def simulate(kind: Kind, rate: float, seed: Sequence[int], policy: Policy, stages: Sequence[int] = STAGES) -> End:
    """
    Return how a release of *kind* ends at *rate* requests a second, drawn from *seed*.

    A release that is not good and has come to half of the traffic is not followed further.
    """
    rng = np.random.default_rng(list(seed))
    world = World.drawn(rng)
    deployments = [Service(kind, world, rng, is_canary=is_canary) for is_canary in (False, True)]
    sides = [Side(life, rng) for life in (1.0, kind.life)]
    past_s = max(HISTORY_REQUESTS / rate, LIFE_S[1])
    deployments[0].answer(sides[0].requests(rate, past_s, kind.burst), Weather(1.0, BLIPS_PER_S * BLIP_S), 0)
    judge = Judge(policy, stages)
    verdict = judge.look(0, deployments[0].counts.sample(), deployments[1].counts.sample(), 0.0)
    history = int(deployments[0].counts.answers.sum())
    at_s, slow = 0.0, 0.0

    def end(outcome: Outcome, stage: int) -> End:
        own, stable = deployments[1].counts.answers, deployments[0].counts.answers
        requests = int(own.sum() + stable.sum()) - history
        checks = tuple(reason.partition(" ")[0].rstrip(":") for reason in verdict.reasons)
        return End(outcome, stages[stage], at_s, int(own.sum()), requests, int(own[:, 2].sum()), checks)

    for stage, percent in enumerate(stages):
        if percent >= HALF_PERCENT and not kind.is_good:
            return end(Outcome.PASS, stage)
        waited_s = 0.0
        while True:
            now = min(1.0, at_s / CHANGES_S)
            rate_now = rate * kind.ramp**now
            look_s = min(LOOK_S[1], max(LOOK_S[0], LOOK_REQUESTS / (rate_now * percent / 100)))
            slow = SLOW_KEPT * slow + math.sqrt(1 - SLOW_KEPT**2) * SLOW_SPREAD * float(rng.normal())
            away_share = min(1.0, int(rng.poisson(BLIPS_PER_S * look_s)) * BLIP_S / look_s)
            weather = Weather(math.exp(slow) * kind.drift**now, away_share)
            busy = rate_now * float(rng.gamma(4, 1 / 4))
            for side, service, share in zip(sides, deployments, (100 - percent, percent), strict=True):
                if share:
                    service.answer(side.requests(busy * share / 100, look_s, kind.burst), weather, stage)
            at_s += look_s
            waited_s += look_s
            verdict = judge.look(stage, deployments[0].counts.sample(), deployments[1].counts.sample(), waited_s)
            is_overdue = waited_s >= (BAKE_S if percent == 100 else policy.stage_s_max)
            if verdict.outcome is Outcome.ABORT:
                return end(Outcome.ABORT, stage)
            if verdict.outcome is Outcome.PASS and (percent < 100 or is_overdue):
                break
            if is_overdue:
                return end(Outcome.HOLD, stage)
    return end(Outcome.PASS, len(stages) - 1)
