"""
Between what something lies when samples come in clusters: those of a few seconds are late, or slow, together.
"""

import math
import random
from collections.abc import Sequence

from scripts.measuring.tables import percentile

Z = 1.96
"""Of 95 %."""

CLUSTERS_MIN = 3
AGAIN = 200


def student_t(free: int) -> float:
    """
    Return Student's t of 97.5 % with *free* degrees of freedom, from two on.

    Source: its expansion around the normal distribution, Fisher and Cornish, 1960, which is right to 1 % from five on;
    before that, tables.
    """
    few = {2: 4.303, 3: 3.182, 4: 2.776}
    return few.get(free) or Z + (Z**3 + Z) / (4 * free) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * free**2)


def drawn_bounds(found: Sequence[float]) -> tuple[float, float]:
    """Return between what 95 % of *found* lie, which a bootstrap has drawn and which ascend."""
    return found[int(0.025 * (len(found) - 1))], found[round(0.975 * (len(found) - 1))]


def clustered(windows: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """
    Return the 95 % interval of a share of all looks, by *windows* of (looks, those that count), where looks of one
    window count together; None of fewer than three.

    Source: Cochran, Sampling Techniques, 1977, ratio to size.
    """
    if len(windows) < CLUSTERS_MIN:
        return None
    looks, counting = (sum(each) for each in zip(*windows, strict=True))
    share, free = counting / looks, len(windows) - 1
    spread = math.sqrt(len(windows) / free * sum((count - share * own) ** 2 for own, count in windows)) / looks
    t = student_t(free)
    return max(0.0, share - t * spread), min(1.0, share + t * spread)


def percentile_bounds(clusters: Sequence[Sequence[float]], share: float) -> tuple[float, float] | None:
    """
    Return the 95 % interval of the percentile *share* of all samples: clusters are drawn again and again, and what that
    gives is widened for how few they are. None of fewer than CLUSTERS_MIN.

    Source: Künsch, The jackknife and the bootstrap for general stationary observations, 1989.
    """
    clusters = [each for each in clusters if each]
    if len(clusters) < CLUSTERS_MIN:
        return None
    dice = random.Random("bounds")  # noqa: S311  # no secret.
    whole = percentile([sample for each in clusters for sample in each], share)
    found = sorted(
        percentile([sample for each in dice.choices(clusters, k=len(clusters)) for sample in each], share)
        for _ in range(AGAIN)
    )
    wider = student_t(len(clusters) - 1) / Z
    low, high = drawn_bounds(found)
    return max(min(whole, found[0]), whole + wider * (low - whole)), whole + wider * (high - whole)
