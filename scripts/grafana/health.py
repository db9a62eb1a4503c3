"""
The dashboard of whether it is well: what the alerts look at, over time.
"""

from scripts.grafana.panels import GREEN, RED, YELLOW, Board, Panel, Query, Unit
from scripts.grafana.promql import increase, named, or_zero, rate

HEALTH = Board(
    "health",
    "whether it is well",
    "Errors, refusals, memory, the store, crons: each is an alert of ops/alerts.yml as well.",
    (
        Panel(
            "How many requests fail?",
            "Answers of 5xx. More than 5 % are too many.",
            Unit.SHARE,
            (Query(f"({or_zero(rate('requests_total', 'status="5xx"'))}) / {rate('requests_total')}", ""),),
            {None: GREEN, 0.01: YELLOW, 0.05: RED},
            is_number=True,
            width=6,
        ),
        Panel(
            "Was the store or the source away?",
            "1: an instance stopped asking it in the last 10 to 20 minutes.",
            Unit.COUNT,
            (Query(or_zero(f"max by (of) ({named('breaker_open')})"), "{{of}}"),),
            {None: GREEN, 1: RED},
            is_number=True,
            width=6,
        ),
        Panel(
            "How full is the fullest instance?",
            "Over 70 % it remembers half, over 85 % nothing.",
            Unit.SHARE,
            (Query(f"max({named('resident_max_bytes')}) / max({named('memory_limit_bytes')})", ""),),
            {None: GREEN, 0.7: YELLOW, 0.85: RED},
            is_number=True,
            width=6,
        ),
        Panel(
            "How long ago was the last run of a cron?",
            "That did not fail. They run daily.",
            Unit.SECONDS,
            (Query("time() - max by (cron) (warmthread_cron_last_run_timestamp_seconds)", "{{cron}}"),),
            {None: GREEN, 26 * 3600: RED},
            is_number=True,
            width=6,
        ),
        Panel(
            "What do callers get?",
            "Answers by class of status.",
            Unit.PER_SECOND,
            (Query(rate("requests_total", by="status"), "{{status}}"),),
            is_stacked=True,
        ),
        Panel(
            "Why are requests refused?",
            "rate, budget and storage are limits of a tenant; memory and slots are an instance's.",
            Unit.PER_SECOND,
            (Query(rate("refusals_total", by="reason"), "{{reason}}"),),
            is_stacked=True,
        ),
        Panel(
            "How much memory do instances take?",
            "The most that any held in the last 10 to 20 minutes, and what it may.",
            Unit.BYTES,
            (
                Query(f"max by (deployment) ({named('resident_max_bytes')})", "{{deployment}}"),
                Query(f"max({named('memory_limit_bytes')})", "limit"),
            ),
        ),
        Panel(
            "How often is memory short?",
            "How often an instance came over 70 % (high) or 85 % (critical).",
            Unit.COUNT,
            (
                Query(
                    or_zero(f"sum by (step) (increase({named('pressure_steps_total')}[$__rate_interval]))"),
                    "{{step}}",
                ),
            ),
        ),
        Panel(
            "Does the store answer?",
            "Requests to it; what failed had no good answer. opened: an instance stopped asking.",
            Unit.PER_SECOND,
            (
                Query(rate("store_requests_total", by="outcome"), "{{outcome}}"),
                Query(or_zero(rate("breaker_opened_total", by="of")), "opened: {{of}}"),
            ),
        ),
        Panel(
            "Do crons end in time?",
            "They are given 50 s, and go on the next day where they stopped.",
            Unit.SECONDS,
            (Query("max by (cron) (warmthread_cron_duration_seconds)", "{{cron}}"),),
            {None: GREEN, 45: YELLOW},
        ),
        Panel(
            "Is anything not counted?",
            "Counts beyond the limit of series. Then all the other panels show too little.",
            Unit.COUNT,
            (Query(or_zero(increase("series_dropped_total")), "counts"),),
            {None: GREEN, 1: RED},
            is_number=True,
            width=12,
        ),
        Panel(
            "How often did crons fail?",
            "Runs that failed, or a half of which did.",
            Unit.COUNT,
            (Query(or_zero(increase("cron_failures_total")), "runs"),),
            {None: GREEN, 1: RED},
            is_number=True,
            width=12,
        ),
    ),
)
