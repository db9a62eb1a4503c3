"""
The dashboard of how fast it is: durations by route, the event loop, cold starts.
"""

from scripts.grafana.panels import GREEN, RED, YELLOW, Board, Panel, Query, Unit
from scripts.grafana.promql import CONVERSATIONS, increase, named, quantile, rate

PERFORMANCE = Board(
    "performance",
    "how fast it is",
    "Durations by route, the event loop, cold starts.",
    (
        Panel(
            "How long do nineteen of twenty conversation requests take at most?",
            "From the arrival of a request to the end of its answer, in the function. Below 100 ms is promised.",
            Unit.SECONDS,
            (Query(quantile(0.95, "request_duration", CONVERSATIONS), ""),),
            {None: GREEN, 0.05: YELLOW, 0.1: RED},
            is_number=True,
            width=8,
        ),
        Panel(
            "How often was the event loop more than 10 ms late?",
            "Of looks at it, every 5 ms while there are requests.",
            Unit.SHARE,
            (
                Query(
                    f"1 - {rate('loop_lag_seconds_bucket', 'le="0.01"')} / {rate('loop_lag_seconds_count')}",
                    "",
                ),
            ),
            {None: GREEN, 0.001: YELLOW, 0.01: RED},
            is_number=True,
            width=8,
        ),
        Panel(
            "How long does a cold start take?",
            "From the begin of an instance's process to its first answer, without the time in which it waited for it.",
            Unit.SECONDS,
            (
                Query(
                    f"{increase('cold_start_seconds_sum')} / {increase('cold_start_seconds_count')}",
                    "",
                ),
            ),
            {None: GREEN, 1: YELLOW, 3: RED},
            is_number=True,
            width=8,
        ),
        Panel(
            "How long do conversation requests take?",
            "p99 is made by cold starts and by the store, mostly.",
            Unit.SECONDS,
            tuple(
                Query(quantile(share, "request_duration", CONVERSATIONS), name)
                for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
            ),
            {None: GREEN, 0.1: RED},
        ),
        Panel(
            "Which route is slow?",
            "p95 of each route.",
            Unit.SECONDS,
            (
                Query(
                    quantile(0.95, "request_duration", 'deployment=~"$deployment"', "method, route"),
                    "{{method}} {{route}}",
                ),
            ),
        ),
        Panel(
            "What is asked for?",
            "Requests by route.",
            Unit.PER_SECOND,
            (Query(rate("requests_total", by="method, route"), "{{method}} {{route}}"),),
            is_stacked=True,
        ),
        Panel(
            "How many requests to the store does an answer take?",
            "One, or none where memory is fresh enough. More: documents, large conversations, retries.",
            Unit.COUNT,
            (Query(f"{rate('store_requests_total')} / {rate('requests_total')}", "requests"),),
            {None: GREEN, 2: RED},
        ),
        Panel(
            "How late is the event loop?",
            "The longest wait of any event loop in the last 10 to 20 minutes. An encoding takes 150 ms, once.",
            Unit.SECONDS,
            (
                Query(f"max({named('loop_lag_max_seconds')})", "longest"),
                Query(quantile(0.999, "loop_lag", 'deployment=~"$deployment"'), "p99.9"),
            ),
            {None: GREEN, 0.01: YELLOW},
        ),
        Panel(
            "How many instances start?",
            "Each is a cold start, and knows nothing.",
            Unit.COUNT,
            (Query(f"sum(increase({named('instances_total')}[$__rate_interval]))", "instances"),),
        ),
    ),
)
