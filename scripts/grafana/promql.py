"""
What the panels ask Prometheus: PromQL for the deployments that are chosen on the dashboard.

Rates miss what a counter showed when it appeared; the alerts do not (ops/alerts.yml).
"""

CONVERSATIONS = 'deployment=~"$deployment",route=~"/v1/conversations.*"'


def named(metric: str, labels: str = "") -> str:
    chosen = 'deployment=~"$deployment"'
    return f"warmthread_{metric}{{{chosen},{labels}}}" if labels else f"warmthread_{metric}{{{chosen}}}"


def rate(metric: str, labels: str = "", by: str = "") -> str:
    counted = f"(rate({named(metric, labels)}[$__rate_interval]))"
    return f"sum by ({by}) {counted}" if by else f"sum{counted}"


def increase(metric: str, labels: str = "") -> str:
    """Return how much was counted in all that the dashboard shows."""
    return f"sum(increase({named(metric, labels)}[$__range]))"


def quantile(share: float, metric: str, labels: str, by: str = "") -> str:
    kept = f"le, {by}" if by else "le"
    rate = f"rate(warmthread_{metric}_seconds_bucket{{{labels}}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by ({kept}) ({rate}))"


def hits(metric: str, tiers: str) -> str:
    return f"{rate(metric, f'tier=~"{tiers}"')} / {rate(metric)}"


def or_zero(expression: str) -> str:
    """Show 0 where nothing was ever counted."""
    return f"{expression} or on () vector(0)"
