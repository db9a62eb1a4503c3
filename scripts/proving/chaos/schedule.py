"""
Which faults come, and when: a pure function of the seed and of how long the run takes.

Faults come in lanes. Within a lane one follows the other, and every kind comes once a round; faults of different lanes
overlap. A round takes 60 to 120 s, and each run has one at least. The first and the last seconds are quiet.
"""

import random
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from scripts.proving.changes import CLUSTER

QUIET_S = 5.0
"""Before the first window and after the last."""

ROUND_S = 120.0
GAP_SHARE = 0.5
"""The most of a slot that a window leaves free in front of itself, of what it does not need."""


class Kind(StrEnum):
    """What is wrong while a window lasts; of the last ones, in a store that is a cluster."""

    STORE_REFUSES = "store refuses connections"
    STORE_SILENT = "store says nothing"
    LATENCY = "latency spike"
    TORN = "torn replies"
    LOST = "replies lost after the store carried it out"
    WRONG = "wrong replies"
    HALF_WAY = "scripts end half-way"
    FULL = "store full"
    FULL_HALF_WAY = "store full in the middle of scripts"
    KILLS = "instances killed in flight"
    SUSPENDS = "instance stopped in flight"
    CLOCK_AHEAD = "a deployment whose clock is 5 minutes ahead"
    CLOCK_BEHIND = "a deployment whose clock is 5 minutes behind"
    TWO_RELEASES = "two releases at once"
    SOURCE_REFUSES = "object store refuses connections"
    SOURCE_SILENT = "object store says nothing"
    EVICTION = "eviction"
    DUPLICATES = "requests delivered twice"
    PRIMARY_DEAD = "a primary killed until its replica has taken over"
    PRIMARY_SILENT = "a primary that says nothing"
    REPLICA_SILENT = "a replica that says nothing"
    BY_KEYS = "a slot moved key by key"
    AS_A_WHOLE = "a slot moved as a whole"


LANES: tuple[dict[Kind, float], ...] = (
    {
        Kind.STORE_REFUSES: 2.5,
        Kind.STORE_SILENT: 2.5,
        Kind.LATENCY: 3.0,
        Kind.TORN: 1.5,
        Kind.LOST: 1.5,
        Kind.WRONG: 2.0,
        Kind.HALF_WAY: 3.5,
        Kind.FULL: 2.0,
        Kind.FULL_HALF_WAY: 3.0,
    },
    {
        Kind.KILLS: 2.0,
        Kind.SUSPENDS: 4.5,
        Kind.CLOCK_AHEAD: 7.0,
        Kind.CLOCK_BEHIND: 7.0,
        Kind.TWO_RELEASES: 6.0,
    },
    {
        Kind.SOURCE_REFUSES: 3.0,
        Kind.SOURCE_SILENT: 4.5,
        Kind.EVICTION: 1.0,
        Kind.DUPLICATES: 8.0,
    },
)
"""The store, the instances, all else: how long a window of each kind lasts, in seconds."""

ON_A_CLUSTER: tuple[dict[Kind, float], ...] = (
    {
        Kind.PRIMARY_DEAD: 4.0,
        Kind.PRIMARY_SILENT: 0.7,
        Kind.REPLICA_SILENT: 0.7,
        Kind.BY_KEYS: 2.0,
        Kind.AS_A_WHOLE: 1.0,
    },
    *LANES[1:],
)
"""The same where the store is a cluster, whose servers take each other for dead after 1.5 s."""

REFUSING = (
    frozenset(LANES[0])
    | frozenset(ON_A_CLUSTER[0])
    | {Kind.KILLS, Kind.SUSPENDS, Kind.SOURCE_REFUSES, Kind.SOURCE_SILENT}
)
"""Kinds under which requests may be refused; under the others everything is answered as ever."""


class Window(NamedTuple):
    """*value* is what is drawn besides, for whoever causes it."""

    kind: Kind
    begin_s: float
    end_s: float
    value: int


def lanes_of(store: str) -> Sequence[dict[Kind, float]]:
    """Return the lanes of a run on a *store*: changes.STORES."""
    return ON_A_CLUSTER if store == CLUSTER else LANES


def schedule(seed: object, seconds: float, lanes: Sequence[dict[Kind, float]] = LANES) -> list[Window]:
    """Return the windows of a run of *seconds*, in order; below a minute they are shorter, and none is missing."""
    windows = [each for number, lane in enumerate(lanes) for each in _lane(seed, seconds, number, lane)]
    return sorted(windows, key=lambda each: (each.begin_s, each.kind))


def _lane(seed: object, seconds: float, number: int, lane: dict[Kind, float]) -> Iterator[Window]:
    dice = random.Random(f"{seed} lane {number}")  # noqa: S311  # no secret.
    rounds = max(1, int(seconds // ROUND_S) + 1) if seconds >= ROUND_S else 1
    quiet_s = min(QUIET_S, seconds / 10)
    slot_s = (seconds - 2 * quiet_s) / (rounds * len(lane))
    for turn in range(rounds):
        kinds = sorted(lane)
        dice.shuffle(kinds)
        for place, kind in enumerate(kinds):
            lasts_s = min(lane[kind] * dice.uniform(0.9, 1.2), slot_s * 0.75)
            begin_s = quiet_s + (turn * len(lane) + place) * slot_s + dice.uniform(0, GAP_SHARE) * (slot_s - lasts_s)
            yield Window(kind, round(begin_s, 3), round(begin_s + lasts_s, 3), dice.randrange(1 << 30))


def lines(seed: object, seconds: float, lanes: Sequence[dict[Kind, float]] = LANES) -> list[str]:
    """Return the schedule for people to read; `--print-schedule`."""
    windows = schedule(seed, seconds, lanes)
    return [f"seed {seed}, {seconds:g} s, {len(windows)} windows"] + [
        f"{each.begin_s:9.3f} s to {each.end_s:9.3f} s  {each.kind}" for each in windows
    ]
