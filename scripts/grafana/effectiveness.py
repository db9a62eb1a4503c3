"""
The dashboard of what Warmthread spares: where answers come from, what contexts leave out.
"""

from scripts.grafana.panels import GREEN, RED, Board, Panel, Query, Unit
from scripts.grafana.promql import hits, increase, named, or_zero, rate

HIT_RATE: dict[float | None, str] = {None: RED, 0.7: GREEN}

EFFECTIVENESS = Board(
    "effectiveness",
    "what it spares",
    "Where answers come from, what contexts leave out, and what instances forget.",
    (
        Panel(
            "How many answers came from memory or the store?",
            "All but those that had to wait for the object store, or are stale. 70 % are promised.",
            Unit.SHARE,
            (Query(hits("reads_total", "L0|L1|L2"), ""),),
            HIT_RATE,
            is_number=True,
            width=6,
        ),
        Panel(
            "How many from an instance's own memory?",
            "L0: without a request to the store. L1: with one, that transferred no entries. New ones know nothing.",
            Unit.SHARE,
            (Query(hits("reads_total", "L0|L1"), ""),),
            is_number=True,
            width=6,
        ),
        Panel(
            "How many documents did not need the object store?",
            "Documents inside of contexts too.",
            Unit.SHARE,
            (Query(hits("document_reads_total", "L1|L2"), ""),),
            HIT_RATE,
            is_number=True,
            width=6,
        ),
        Panel(
            "How many tokens of history were left out of contexts?",
            "Of all tokens that conversations had when a context of them was asked for.",
            Unit.SHARE,
            (Query(f"{increase('context_tokens_total', 'part="omitted"')} / {increase('context_tokens_total')}", ""),),
            is_number=True,
            width=6,
        ),
        Panel(
            "Which tier answers?",
            "L0 and L1 are an instance's memory, L2 is the store, source the object store.",
            Unit.PER_SECOND,
            (Query(rate("reads_total", by="tier"), "{{tier}}"),),
            is_stacked=True,
        ),
        Panel(
            "Where do documents come from?",
            "none: the object store was away, and no copy would do.",
            Unit.PER_SECOND,
            (Query(rate("document_reads_total", by="tier"), "{{tier}}"),),
            is_stacked=True,
        ),
        Panel(
            "Is there room for what instances remember?",
            "What left their memory for want of room. Many: raise WARMTHREAD_L1_BYTES_MAX or the function's memory.",
            Unit.PER_SECOND,
            (Query(or_zero(rate("evictions_total", by="cache")), "{{cache}}"),),
        ),
        Panel(
            "How much do they remember?",
            "The most that any instance held in the last 10 to 20 minutes.",
            Unit.BYTES,
            (Query(f"max by (cache) ({named('cache_max_bytes')})", "{{cache}}"),),
        ),
        Panel(
            "How many wait for a load that another began?",
            "Each was spared a load of its own. Many at once are a stampede.",
            Unit.PER_SECOND,
            (
                Query(or_zero(rate("loads_shared_total", by="kind")), "same instance: {{kind}}"),
                Query(or_zero(rate("lease_waits_total")), "another instance"),
            ),
        ),
        Panel(
            "What did change notices and sweeps find?",
            "A sweep that finds changes tells of notices that are missing.",
            Unit.COUNT,
            (
                Query(
                    or_zero(f"sum by (source, outcome) (increase({named('invalidations_total')}[$__rate_interval]))"),
                    "{{source}}: {{outcome}}",
                ),
            ),
        ),
    ),
)
