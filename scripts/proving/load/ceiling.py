"""
How much of what turns use can be in an instance's memory at best, when instances live as they do.

An instance can hold of a conversation what it answered with before. With lives of two minutes, and turns that are as
far apart, most of it was never seen by the instance that gets the next turn: no cache changes that.
"""

import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scripts.proving.load.answers import used_of
from scripts.proving.load.schedule import Step

DRAWS = 5


class Ceiling(NamedTuple):
    """Shares: of continuing turns whose instance can know the conversation; of the *entries* that they use."""

    requests: float
    entries: float


class Turn(NamedTuple):
    """A turn at *at_s*: entries *before* it, its *own*, and the *shown* ones that its context has room for."""

    at_s: float
    conversation: int
    before: int
    own: int
    shown: int


def turns_of(steps: Iterable[Step], budget: int) -> list[Turn]:
    """Return the turns of a schedule that was made of a trace."""
    sizes: dict[int, list[int]] = {}
    turns = []
    for step in steps:
        known = sizes.setdefault(step.conversation, [])
        own = [
            size for piece in step.pieces for size in ([8, piece.tokens] if piece.role == "tool" else [piece.tokens])
        ]
        if step.kind == "turn":
            turns.append(Turn(step.at_s, step.conversation, len(known), len(own), _fitting([*known, *own], budget)))
        known += own
    return turns


def _fitting(sizes: Sequence[int], budget: int) -> int:
    """Return how many of the newest entries count at most *budget* together."""
    for count, size in enumerate(reversed(sizes)):
        budget -= size
        if budget < 0:
            return count
    return len(sizes)


def ceiling(turns: Sequence[Turn], instances: int, life_s: float, seed: object) -> Ceiling:
    """Return the ceiling for *instances* of which each gets any turn, the mean of some draws of lives. 0 s: no end."""
    draws = [_draw(turns, instances, life_s, random.Random(repr((seed, draw)))) for draw in range(DRAWS)]  # noqa: S311
    return Ceiling(*(sum(each) / DRAWS for each in zip(*draws, strict=True)))


def _draw(turns: Sequence[Turn], instances: int, life_s: float, chance: random.Random) -> Ceiling:
    ends = [_ends(turns[-1].at_s if turns else 0.0, life_s, chance) for _ in range(instances)]
    seen: dict[int, dict[tuple[int, int], int]] = {}
    continuing = known_turns = entries = could = 0
    for turn in turns:
        place = chance.randrange(instances)
        instance = place, bisect_right(ends[place], turn.at_s)
        versions = seen.setdefault(turn.conversation, {})
        if versions:
            known = versions.get(instance, 0)
            used = used_of(turn.shown, turn.own, turn.before, known, "")
            continuing += 1
            known_turns += known > 0
            entries += used[0]
            could += used[2]
        versions[instance] = turn.before + turn.own
    return Ceiling(known_turns / max(1, continuing), could / max(1, entries))


def _ends(until_s: float, life_s: float, chance: random.Random) -> list[float]:
    """Return when the instances of one place end, each of which another follows."""
    ends: list[float] = []
    at_s = 0.0
    while life_s and at_s <= until_s:
        at_s += chance.expovariate(1 / life_s)
        ends.append(at_s)
    return ends
