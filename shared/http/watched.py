"""
What the parts of an instance count and hold, under the names that telemetry has for it (shared/telemetry/metrics.py).
"""

from collections.abc import Iterator, Mapping

from shared.conversations.history import History
from shared.documents.documents import Documents
from shared.process.memory import Pressure, read_resident_bytes
from shared.store.upstash import Store
from shared.telemetry.telemetry import Sources
from shared.tokens.counter import Counter


def sources_of(store: Store, history: History, documents: Documents, counter: Counter, pressure: Pressure) -> Sources:
    """Return what tells of these, when it is asked."""

    def totals() -> dict[str, int]:
        asked, read, tokens = store.counted(), history.counted(), history.context_tokens
        return {
            "store ok": asked.sent - asked.failed,
            "store failed": asked.failed,
            "breaker_opened store": asked.taken_for_away,
            "breaker_opened documents": documents.source.taken_for_away,
            "loads_shared conversation": read.shared,
            "loads_shared document": documents.tiers.shared,
            "lease_waits": documents.tiers.waits,
            "evictions conversations": read.evictions,
            "evictions documents": documents.l1.evictions,
            "context_tokens kept": tokens.kept,
            "context_tokens omitted": tokens.omitted,
            **dict(_named("store_commands", asked.commands)),
            **dict(_named("document_reads", documents.answers)),
            **dict(_named("source_loads", documents.loads)),
            **dict(_named("invalidations notice", documents.shelf.noticed)),
            **dict(_named("tokens_counted", counter.counted)),
            **dict(_named("pressure", {step.name.lower(): times for step, times in pressure.entered.items()})),
        }

    def levels() -> dict[str, int]:
        return {
            "resident_max": read_resident_bytes(),
            "cache_bytes conversations": history.counted().size_bytes,
            "cache_bytes documents": documents.l1.size_bytes,
            "breaker_open store": int(store.was_away()),
            "breaker_open documents": int(documents.source.was_away()),
            **({} if pressure.limit_bytes is None else {"memory_limit": pressure.limit_bytes}),
        }

    return Sources(totals, levels)


def _named(metric: str, counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    return ((f"{metric} {label}", count) for label, count in counts.items())
