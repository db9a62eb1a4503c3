"""
How fast something grows: a robust slope, and between which bounds it lies.

    slope      Theil-Sen: the median of the slopes of pairs of points, over all series; pairs are of one series. Of more
               than PAIRS_MAX pairs so many are drawn
    interval   95 %, by a block bootstrap: what is left of the line is put together anew out of stretches of itself, so
               that waves and steps that take a while stay whole, and the slope is taken again. It is widened for how
               few stretches there are, and as if all series had moved together: by what Student's t has above the
               normal distribution, and a line's share of what it is fitted to

Source: Sen, Estimates of the regression coefficient based on Kendall's tau, 1968; Künsch, The jackknife and the
bootstrap for general stationary observations, 1989.
"""

import math
import random
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from scripts.measuring.clusters import Z, drawn_bounds, student_t

PAIRS_MAX = 1_000
AGAIN = 200
BLOCKS = 5
"""How many stretches a series has: each is long enough for the slowest wave, a day of the soak."""

WIDER = student_t(BLOCKS - 2) / Z * math.sqrt(BLOCKS / (BLOCKS - 2))
"""t and z of 97.5 %, with three degrees of freedom: of five stretches, a line takes two."""

type Point = tuple[float, float]
type Series = Sequence[Point]


class Slope(NamedTuple):
    """*low* and *high* bound it with 95 % confidence."""

    estimate: float
    low: float
    high: float


def slope(many: Sequence[Series], seed: object, again: int = AGAIN) -> Slope | None:
    """Return the slope that *many* have in common, None where no two points differ in x. *seed*: what is drawn."""
    dice = random.Random(f"{seed} slope")  # noqa: S311  # no secret.
    many = [series for series in many if len(series) > 1]
    estimate = _theil_sen(many, dice)
    if estimate is None or all(y == series[0][1] for series in many for _, y in series):
        return None if estimate is None else Slope(0.0, 0.0, 0.0)
    left = [_left(series, estimate) for series in many]
    found = sorted(
        value
        for _ in range(again)
        if (value := _theil_sen([_again(series, own, dice) for series, own in zip(many, left, strict=True)], dice))
        is not None
    )
    # What is put together anew lies on a level line: its slopes are what chance makes.
    low, high = drawn_bounds(found)
    return Slope(estimate, estimate + WIDER * low, estimate + WIDER * high)


def _theil_sen(many: Sequence[Series], dice: random.Random) -> float | None:
    pairs = [len(series) * (len(series) - 1) // 2 for series in many]
    if sum(pairs) <= PAIRS_MAX:
        chosen = [(a, b) for series in many for at, a in enumerate(series) for b in series[:at]]
    else:
        chosen = []
        for series in dice.choices(many, weights=pairs, k=PAIRS_MAX):
            chosen.append((series[int(dice.random() * len(series))], series[int(dice.random() * len(series))]))
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in chosen if a[0] != b[0]]
    return median(slopes) if slopes else None


def _left(series: Series, estimate: float) -> list[float]:
    """Return what *series* has beside a line of that slope."""
    beside = [y - estimate * x for x, y in series]
    middle = median(beside)
    return [value - middle for value in beside]


def _again(series: Series, left: Sequence[float], dice: random.Random) -> Series:
    """Return the xs of *series* with what was *left*, in stretches of another order; the last goes on at the first."""
    count, drawn = len(left), list[float]()
    length = max(1, -(-count // BLOCKS))
    while len(drawn) < count:
        begin = int(dice.random() * count)
        drawn += [left[(begin + at) % count] for at in range(length)]
    return [(x, drawn[at]) for at, (x, _) in enumerate(series)]
