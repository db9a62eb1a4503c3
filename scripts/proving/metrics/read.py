"""
What the metrics say, read as Prometheus reads it.
"""

from collections import defaultdict
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

type Buckets = Mapping[float, float]
"""Upper bound -> how many were not above it."""


def samples_of(text: str, name: str) -> list[tuple[dict[str, str], float]]:
    """Return labels and value of each sample of *name* in an exposition."""
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return [(sample.labels, sample.value) for sample in samples if sample.name == name]


def total_of(text: str, name: str, **labels: str) -> float:
    """Return the sum of the samples of *name* that have *labels*."""
    return sum(value for found, value in samples_of(text, name) if labels.items() <= found.items())


def buckets_of(text: str, name: str, **labels: str) -> Buckets:
    """Return a histogram, summed over its series that have *labels*, as `sum by (le)` does."""
    found: dict[float, float] = defaultdict(float)
    for own, value in samples_of(text, f"{name}_bucket"):
        if labels.items() <= own.items():
            found[float(own["le"])] += value
    return found


def quantile(share: float, buckets: Buckets) -> float:
    """
    Return the value below which *share* lies, as histogram_quantile interpolates it.

    Source: https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
    """
    rank, below, seen = share * buckets[float("inf")], 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= rank:
            return below if bound == float("inf") else below + (bound - below) * (rank - seen) / (count - seen)
        below, seen = bound, count
    return below
