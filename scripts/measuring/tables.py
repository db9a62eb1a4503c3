"""
Figures as Markdown tables.
"""

import math
import statistics
from collections.abc import Sequence


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest of *samples* that at least *share* of them do not exceed."""
    return sorted(samples)[max(0, math.ceil(share * len(samples)) - 1)]


def spread(samples_ms: Sequence[float]) -> str:
    """Return the median and the 95th percentile."""
    return f"{statistics.median(samples_ms):.2f} / {percentile(samples_ms, 0.95):.2f}"


def ratio(before: Sequence[float], after: Sequence[float]) -> str:
    """Return the median of the pairs' ratios, and their quartiles where there are several pairs."""
    ratios = [new / old for old, new in zip(before, after, strict=True)]
    if len(ratios) == 1:
        return f"{ratios[0]:.2f}"
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def each(total: int, operations: int) -> str:
    """Return how many of something an operation takes, without decimals where it is always the same number."""
    whole, rest = divmod(total, operations)
    return str(whole) if rest == 0 else f"{total / operations:.2f}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
