"""
What is read off results: a value with the bounds between which it lies, or why there is none.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from scripts.measuring.clusters import Z


class Found(NamedTuple):
    """*low* and *high* bound *value* with 95 % confidence, where that can be told. *beside*: what to see it beside."""

    value: float
    low: float | None = None
    high: float | None = None
    beside: str = ""


class Missing(NamedTuple):
    """Nothing was measured, and *why*."""

    why: str


type Reading = Found | Missing


def wilson(share: float, count: float) -> tuple[float, float]:
    """
    Return the 95 % interval of a *share* of *count*.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if count <= 0:
        return 0.0, 1.0
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    width = Z / (1 + Z**2 / count) * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return max(0.0, min(share, middle - width)), min(1.0, max(share, middle + width))


def percentile_interval(
    curve: Sequence[Sequence[float]], share: float, count: int
) -> tuple[float | None, float | None]:
    """
    Return between which two of the samples the percentile *share* lies with 95 %: those of the ranks around its own.

    *curve*: (share, value) by share, between which is interpolated. A bound beyond its end is None.
    """
    width = Z * math.sqrt(share * (1 - share) / max(1, count))
    return _at(curve, share - width), _at(curve, share + width)


def _at(curve: Sequence[Sequence[float]], share: float) -> float | None:
    for (below, low), (above, high) in itertools.pairwise(curve):
        if below <= share <= above:
            return low + (high - low) * (share - below) / (above - below)
    return None
