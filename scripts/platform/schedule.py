"""
What happens to a fleet, and when: a pure function of its settings, above all of the seed.

    lives     of the n-th instance of a function: exponential, with the mean `life_s`
    kills     moments as of a Poisson process, `kill_every_s` apart on average; of all that run then, the one at that
              share of the list
    faults    likewise; each lasts `fault_s`
    rolls     every `roll_every_s` a new deployment over the old, in the stages of a rolling release

Suspension follows requests, and is not drawn: `suspend_after_s` after the last. What is drawn for one thing does not
depend on what is drawn for another, so that a setting more leaves the rest as it was.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

from scripts.faults.server import Fault
from scripts.platform.settings import Deployment, FleetSettings

STAGES = (0.1, 0.25, 0.5, 1.0)
"""Shares of a rolling release: 10, 25, 50 and 100 %."""

FAULTS = (Fault.SILENT, Fault.CLOSE, Fault.TRUNCATE, Fault.NOT_JSON, Fault.ERROR_500, Fault.REFUSE_400)
FIRST, LIVES_SHOWN = Deployment().name, 8


class Planned(NamedTuple):
    """*kind* is `kill` (*value*: which of those that run, as a share), `fault`, `fault ends`, or `roll` (its share)."""

    at_s: float
    kind: str
    name: str
    value: float


def life_s(settings: FleetSettings, instance: str) -> float | None:
    """Return how long the instance of this name lives, None for ever."""
    if not settings.life_s:
        return None
    return random.Random(f"{settings.seed} life {instance}").expovariate(1 / settings.life_s)  # noqa: S311  # no secret.


def schedule(settings: FleetSettings) -> list[Planned]:
    """Return what happens within `settings.seconds`, in order."""
    planned = [*_kills(settings), *_faults(settings), *_rolls(settings)]
    return sorted(planned, key=lambda each: each.at_s)


def lines(settings: FleetSettings) -> list[str]:
    """Return the schedule for people to read; `--print-schedule`."""
    lives = [life_s(settings, f"{FIRST}/api/conversations#{number}") for number in range(1, LIVES_SHOWN + 1)]
    shown = [f"{life:.1f} s" if life is not None else "for ever" for life in lives]
    told = [f"seed {settings.seed}, {settings.seconds:g} s", f"lives: {', '.join(shown)} …"]
    return told + [
        f"{each.at_s:9.3f} s  {each.kind} {each.name}".rstrip() + (f" {each.value:.3f}" if each.value else "")
        for each in schedule(settings)
    ]


def _moments(settings: FleetSettings, what: str, every_s: float) -> Iterator[tuple[float, random.Random]]:
    """Yield moments that are *every_s* apart on average, each with dice of its own."""
    if not every_s:
        return
    gaps = random.Random(f"{settings.seed} {what}")  # noqa: S311
    at_s, number = gaps.expovariate(1 / every_s), 0
    while at_s < settings.seconds:
        yield at_s, random.Random(f"{settings.seed} {what} {number}")  # noqa: S311
        at_s, number = at_s + gaps.expovariate(1 / every_s), number + 1


def _kills(settings: FleetSettings) -> Iterator[Planned]:
    for at_s, dice in _moments(settings, "kill", settings.kill_every_s):
        yield Planned(at_s, "kill", "", dice.random())


def _faults(settings: FleetSettings) -> Iterator[Planned]:
    until_s = 0.0
    for at_s, dice in _moments(settings, "fault", settings.fault_every_s):
        if at_s < until_s:
            continue  # One at a time.
        until_s = at_s + settings.fault_s
        yield Planned(at_s, "fault", dice.choice(FAULTS).name, settings.fault_s)
        yield Planned(until_s, "fault ends", "", 0.0)


def _rolls(settings: FleetSettings) -> Iterator[Planned]:
    if not settings.roll_every_s:
        return
    number = 1
    while (begin_s := number * settings.roll_every_s) < settings.seconds:
        for stage, share in enumerate(STAGES):
            at_s = begin_s + stage * settings.roll_every_s / (len(STAGES) + 1)
            yield Planned(at_s, "roll", f"dpl_{number + 1}", share)
        number += 1
