"""
Whether a canary may go on: at each look at both deployments' metrics a verdict, and what it rests on.

    judge = Judge(Policy(), stages=(10, 25, 50, 100))
    verdict = judge.look(0, stable, canary, waited_s)     # cumulated samples; the first look only notes them

    ABORT   the evidence that some check's harmless line is crossed has reached 1 / alpha: over all checks, stages and
            looks together at most *alpha* of harmless releases come to that. It is final
    PASS    the stage has lasted, has had requests, and of each required check harm is ruled out in this stage
            (evidence of 1 / beta). A harmful release passes a stage with a chance of at most *beta*
    HOLD    neither, yet: look again. After Policy.stage_s_max it says that it is overdue, and Policy.overdue what then

The stage of 100 % is the one after the release, while what was the stable has no traffic: there the canary is held
against what is harmful by the stable's shares in the stage before, and passes when its time is over.

A judge is made of its state: what `to_json` returns, kept after each look, is what a driver that was interrupted goes
on with, with the allowance that was spent. A look that was not kept may be repeated. Looks need not be regular.
"""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Self

from scripts.releasing.checks import (
    BETTER,
    CHECKS,
    WORSE,
    Check,
    Observation,
    View,
    tells_age,
)
from scripts.releasing.evidence import Counted, Hypothesis, log_e_values, log_mean
from scripts.releasing.growth import BETS, Growth, tells_growth
from scripts.releasing.ledger import Ledger, needed
from scripts.releasing.own_load import CHECKED, OwnLoad
from scripts.releasing.policy import Policy
from scripts.releasing.reference import Reference
from scripts.releasing.samples import Sample

VERSION = 1
MEMORY = "memory"
SAMPLES = ("before", "begun_stable", "stable", "begun_canary", "canary")
STAGES_MAX = 20
INTERVAL_REQUESTS = 20
"""Of the canary, at least, since the last interval that was weighed: of a few there may be none beside them to compare
with. How often is looked makes no difference then."""

REQUIRED = (*(check.name for check in CHECKS if check.is_required), MEMORY)
OTHERS = tuple(check.name for check in CHECKS if not check.is_required)
WEIGHTS = {name: 0.8 / len(REQUIRED) for name in REQUIRED} | {name: 0.2 / len(OTHERS) for name in OTHERS}
"""Of each check in the average that decides on aborting: those without which no stage is passed have four fifths."""

WHOLE = 100
"""Percent of the traffic."""


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105  # It is a verdict.
    HOLD = "hold"
    ABORT = "abort"


class Verdict(NamedTuple):
    """
    *reasons* are sentences, at least one. *figures*: of each check, by name, what was counted in this stage, `said`
    (harmless, open, harmful, or why it was not judged), and its evidence both ways, where 1 is none; of `all` the
    evidence that aborts, and how much it takes.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    figures: Mapping[str, Mapping[str, Any]]


class Judge:
    """
    The judge of one release over *stages*, percentages of the traffic in ascending order, the last of which is 100.
    """

    def __init__(self, policy: Policy, stages: Sequence[int], kept: Mapping[str, Any] | None = None) -> None:
        if not 0 < len(stages) <= STAGES_MAX or list(stages) != sorted(set(stages)) or stages[-1] != WHOLE:
            raise ValueError(f"stages have to be at most {STAGES_MAX} ascending percentages that end with 100")
        self._policy = policy
        self._stages = tuple(stages)
        kept = kept or {}
        self._stage = int(kept.get("stage", -1))
        self._aborted = tuple(kept.get("aborted", ()))
        samples = kept.get("samples", {})
        # The stable's counts when the stage before began, when this one did, and now; the canary's of the latter two.
        self._before, self._begun_stable, self._stable, self._begun_canary, self._canary = (
            Sample.from_json(samples[name]) if name in samples else None for name in SAMPLES
        )
        self._looks = int(kept.get("looks", 0))
        known = kept.get("reference", {"release": Sample().to_json(), "history": Sample().to_json()})
        self._reference = Reference(Sample.from_json(known["release"]), Sample.from_json(known["history"]))
        self._tallies: dict[str, list[float]] = {name: list(each) for name, each in kept.get("tallies", {}).items()}
        ledgers = kept.get("ledgers", {})
        self._ledgers = {
            check.name: Ledger(
                len(BETTER if check.is_low else WORSE),
                len(stages),
                by_route=check.by_route,
                kept=ledgers.get(check.name),
            )
            for check in CHECKS
        }
        self._ledgers[MEMORY] = Ledger(len(BETS), len(stages), by_route=False, kept=ledgers.get(MEMORY))
        self._growth = Growth(kept.get("growth"))
        self._own_load = OwnLoad(kept.get("own_load"))

    def look(
        self,
        stage: int,
        stable: Sample,
        canary: Sample,
        waited_s: float,
        shadow: tuple[Sample, Sample] = (Sample(), Sample()),
    ) -> Verdict:
        """
        Return the verdict on *stage*, a number into the stages, that has lasted *waited_s*.

        *stable* and *canary* are whole samples, of which the judge takes what is new since its last look. *shadow*:
        what both answered of shadow load since then, of which slow, tail and hits are told apart.
        Raises ValueError: there is no such stage, or it lies before one that was judged.
        """
        if not self._stage <= stage < len(self._stages):
            raise ValueError(f"stage {stage} cannot be judged: the last one judged was {self._stage}")
        self._own_load.add(*shadow)
        lost = self._take(stage, stable, canary)
        figures = self._figures(stable, canary)
        if self._aborted:
            return Verdict(Outcome.ABORT, self._aborted, figures)
        if why := self._harmful(stable, canary, figures):
            self._aborted = why
            return Verdict(Outcome.ABORT, why, figures)
        if lost:
            return Verdict(Outcome.HOLD, (lost,), figures)
        return self._unharmed(canary, waited_s, figures)

    def to_json(self) -> dict[str, Any]:
        """Return all that a verdict depends on, as JSON's values."""
        samples = dict(
            zip(
                SAMPLES, (self._before, self._begun_stable, self._stable, self._begun_canary, self._canary), strict=True
            )
        )
        return {
            "version": VERSION,
            "policy": self._policy.model_dump(),
            "stages": list(self._stages),
            "stage": self._stage,
            "looks": self._looks,
            "reference": {
                "release": self._reference.release.to_json(),
                "history": self._reference.history.to_json(),
            },
            "aborted": list(self._aborted),
            "samples": {name: sample.to_json() for name, sample in samples.items() if sample is not None},
            "tallies": self._tallies,
            "ledgers": {name: ledger.to_json() for name, ledger in self._ledgers.items()},
            "growth": self._growth.to_json(),
            "own_load": self._own_load.to_json(),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return the judge that `to_json` kept, with its policy. Raises ValueError: it is none, or an older one."""
        if kept.get("version") != VERSION:
            raise ValueError(f"the kept judge is of version {kept.get('version')!r}, this is version {VERSION}")
        try:
            return cls(Policy.model_validate(kept["policy"]), kept["stages"], kept)
        except (KeyError, TypeError) as error:
            raise ValueError(f"the kept judge is incomplete: {error!r}") from error

    def _take(self, stage: int, stable: Sample, canary: Sample) -> str:
        """Take what is new; return why nothing could be taken, "" when it was."""
        if stage > self._stage:
            self._stage, self._looks = stage, 0
            self._tallies = {}
            for ledger in self._ledgers.values():
                ledger.begin()
            self._before, self._begun_stable, self._begun_canary = self._begun_stable, self._stable, self._canary
        if self._stable is None or self._canary is None:
            self._begin_anew(stable, canary)
            return "what both sides counted before is noted; the next look compares"
        try:
            since = stable - self._stable, canary - self._canary
        except ValueError as error:
            self._begin_anew(stable, canary)
            return f"{error}; from now on is compared what is counted from now on"
        if sum(since[1].requests().values()) < INTERVAL_REQUESTS:
            return ""
        self._looks += 1
        if self._looks & (self._looks - 1) == 0:
            before = self._begun_stable if self._before is None else self._before
            assert before is not None
            self._reference = Reference(self._stable - before, self._stable)
        self._weigh(View(*since, self._reference, tells_age(stable, canary), self._policy), stable, canary)
        self._stable, self._canary = stable, canary
        return ""

    def _begin_anew(self, stable: Sample, canary: Sample) -> None:
        self._before = self._begun_stable = self._stable = stable
        self._begun_canary = self._canary = canary

    def _weigh(self, view: View, stable: Sample, canary: Sample) -> None:
        is_after = self._stages[self._stage] == WHOLE
        if is_after:
            view = view._replace(stable=view.reference.release)
        shadow = self._own_load.take(view)
        for check in CHECKS:
            if check.name != "hits" or view.tells_age:
                for observation in check.measure(shadow if shadow and check.name in CHECKED else view):
                    self._add(check, _alone(observation, check) if is_after else observation)
        if tells_growth(stable, canary):
            self._growth.add(view.canary, view.reference.history)
            growth_bytes = self._growth.take(self._policy.growth_requests)
            if growth_bytes is not None:
                is_above = growth_bytes > self._policy.growth_harmful_bytes / 2
                self._ledgers[MEMORY].add_harm("", [math.log1p(bet if is_above else -bet) for bet in BETS])
                self._ledgers[MEMORY].add_harmless([math.log1p(-bet if is_above else bet) for bet in BETS])
                self._tally(MEMORY, int(is_above), 1, 0, 0)
        for ledger in self._ledgers.values():
            ledger.close_look()

    def _add(self, check: Check, observation: Observation) -> None:
        ledger, clump = self._ledgers[check.name], getattr(self._policy.clumps, check.clump)
        if observation.harmless is not None:
            ledger.add_harm(observation.group, log_e_values(observation.counted, observation.harmless, clump))
            self._tally(check.name, *observation.counted)
        if observation.harmful is not None:
            ledger.add_harmless(log_e_values(observation.counted, observation.harmful, clump))

    def _tally(self, name: str, *counted: float) -> None:
        self._tallies[name] = [
            own + more for own, more in zip(self._tallies.get(name, [0.0] * 4), counted, strict=True)
        ]

    def _figures(self, stable: Sample, canary: Sample) -> dict[str, dict[str, Any]]:
        alpha, beta = needed(self._policy.alpha), needed(self._policy.beta)
        figures: dict[str, dict[str, Any]] = {}
        for name, ledger in self._ledgers.items():
            events, requests, stable_events, stable_requests = self._tallies.get(name, [0.0] * 4)
            said = "harmful" if ledger.log_harmful + math.log(WEIGHTS[name]) >= alpha else "open"
            if ledger.log_harmless_max >= beta and said == "open":
                said = "harmless"
            figures[name] = {
                "said": said,
                "events": round(events, 2),
                "requests": requests,
                "share": events / requests if requests else None,
                "stable_share": stable_events / stable_requests if stable_requests else None,
                "evidence_harmful": _shown(ledger.log_harmful),
                "evidence_harmless": _shown(ledger.log_harmless_max),
            }
        if not tells_age(stable, canary):
            figures["hits"]["said"] = "not judged: one side does not count reads by the age of instances"
        if not tells_growth(stable, canary):
            figures[MEMORY]["said"] = "not judged: one side does not count by how much instances grow"
        figures["all"] = {"evidence_harmful": _shown(self._log_all), "needed": round(1 / self._policy.alpha)}
        return figures

    @property
    def _log_all(self) -> float:
        return log_mean([self._ledgers[name].log_harmful for name in WEIGHTS], WEIGHTS.values())

    def _harmful(self, stable: Sample, canary: Sample, figures: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
        """Return why the release is to be aborted, () when it is not."""
        held = [_resident_share(sample) for sample in (canary, stable)]
        line = self._policy.resident_share_max
        if held[0] is not None and held[0] > line and (held[1] is None or held[1] < 0.75 * line):
            usual = "" if held[1] is None else f", of the stable {held[1]:.0%}"
            return (f"memory: an instance of the canary held {held[0]:.0%} of what it may{usual}",)
        if self._log_all < needed(self._policy.alpha):
            return ()
        ranked = sorted(WEIGHTS, key=lambda name: -self._ledgers[name].log_harmful - math.log(WEIGHTS[name]))
        strong = self._ledgers[ranked[0]].log_harmful
        return tuple(
            self._sentence(name, figures[name])
            for name in ranked
            if self._ledgers[name].log_harmful >= min(strong, needed(self._policy.alpha))
        )

    def _sentence(self, name: str, figures: Mapping[str, Any]) -> str:
        evidence = f"evidence {figures['evidence_harmful']:,.0f} to 1"
        if name == MEMORY:
            half = self._policy.growth_harmful_bytes / 2
            blocks = f"{figures['events']:.0f} of {figures['requests']:.0f} blocks of requests"
            return f"memory grew by more than {half:,.0f} bytes a request in {blocks} ({evidence})"
        words = next(check.words for check in CHECKS if check.name == name)
        route = self._ledgers[name].worst_route
        usual = figures["stable_share"]
        beside = "" if usual is None else f", of the stable {usual:.2%}"
        where = f" on {route}" if route else ""
        share = figures["share"] or 0.0
        return f"{name}: {words}{where}: {share:.2%} of the canary's{beside}, in this stage ({evidence})"

    def _unharmed(self, canary: Sample, waited_s: float, figures: Mapping[str, Mapping[str, Any]]) -> Verdict:
        policy = self._policy
        assert self._begun_canary is not None
        requests = sum(canary.requests().values()) - sum(self._begun_canary.requests().values())
        lacking = []
        if waited_s < policy.stage_s_min:
            lacking.append(f"the stage has lasted {waited_s:,.0f} of at least {policy.stage_s_min:,.0f} s")
        if requests < policy.stage_requests_min:
            lacking.append(f"the canary has had {requests:,} of at least {policy.stage_requests_min:,} requests")
        if self._stages[self._stage] != WHOLE:
            lacking += [
                f"{name}: harm is not ruled out yet (evidence {figures[name]['evidence_harmless']:,.1f} of "
                f"{1 / policy.beta:,.0f})"
                for name in REQUIRED
                if figures[name]["said"] == "open"
            ]
        if not lacking:
            return Verdict(
                Outcome.PASS, ("no check found harm, and harm is ruled out where that is required",), figures
            )
        if waited_s >= policy.stage_s_max:
            lacking.insert(0, f"overdue: inconclusive after {waited_s:,.0f} s")
            outcome = Outcome.ABORT if policy.overdue == "abort" else Outcome.HOLD
            return Verdict(outcome, tuple(lacking), figures)
        return Verdict(Outcome.HOLD, tuple(lacking), figures)


def _alone(observation: Observation, check: Check) -> Observation:
    """
    Return *observation* without a stable beside it: the canary is held against the harmful line, of a check that has
    none against the harmless, as the stable's share in the stage before draws it.
    """
    counted, line = observation.counted, observation.harmful if check.is_required else observation.harmless
    if line is None or line.ratio == 0:
        return observation._replace(harmless=line, harmful=None)
    share = (counted.stable_events + 1) / (counted.stable_requests + 1)
    multiples = BETTER if check.is_low else WORSE
    bound = Hypothesis(0.0, min(1.0, line.ratio * share + line.excess), multiples)
    return Observation(observation.group, Counted(counted.events, counted.requests, 0, 0), harmless=bound)


def _resident_share(sample: Sample) -> float | None:
    limit = sample.gauges.get("memory_limit")
    return sample.gauges.get("resident_max", 0.0) / limit if limit else None


def _shown(log: float) -> float:
    """Return e to the power of *log*, as far as it is worth telling."""
    return float(f"{math.exp(max(-20.0, min(30.0, log))):.3g}")
