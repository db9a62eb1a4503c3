"""
Between what something lies when samples come in clusters: those of a few seconds are late, or slow, together.
"""

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
    low, high = found[int(0.025 * (AGAIN - 1))], found[round(0.975 * (AGAIN - 1))]
    return max(min(whole, found[0]), whole + wider * (low - whole)), whole + wider * (high - whole)
